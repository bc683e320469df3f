//! Published weights by name.
//!
//! [`CATALOGUE`] lists files that others publish: encoders trained on ImageNet, torchvision's segmentation networks,
//! U²-Net. [`Store::get`] returns the path of one in the cache and downloads it first if need be. Files are neither parsed
//! nor executed here. [`SHIPPED`] holds the models that are part of the program. [`Hub`] fetches the files of any model of the
//! Hugging Face hub, at a commit that stays the same.
//!
//! - A download goes to `FILE.part` and is renamed once its SHA-256 has been verified, so a file in the cache is complete.
//!   An interrupted download is resumed (`Range` with `If-Range`), at once and by later calls.
//! - A cached file is verified on every use and downloaded again if it is damaged.
//! - [`StoreSettings`] has the cache folder, offline mode, a mirror, certificate authorities and a proxy. This crate reads
//!   none of them from environment variables.
//!
//! ```no_run
//! use dapple_weights::{Store, StoreSettings, find};
//! let store = Store::new(StoreSettings::in_user_cache()?);
//! let entry = find("vgg16_bn").ok_or("no such weights")?;
//! let path = store.get(entry, &mut |progress| eprintln!("{} bytes", progress.received))?;
//! # let _ = path;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod catalogue;
mod checksum;
mod download;
mod error;
mod hub;
mod layout;
mod settings;
mod shipped;
mod store;

pub use catalogue::{CATALOGUE, CatalogueEntry, Purpose, find};
pub use checksum::{Checksum, Sums};
pub use download::DownloadProgress;
pub use error::WeightsError;
pub use hub::{Hub, HubFile, HubName, Snapshot};
pub use settings::{HubSettings, HubToken, ProxySettings, StoreSettings};
pub use shipped::{SHIPPED, Shipped, find_shipped};
pub use store::{CacheState, Store};
