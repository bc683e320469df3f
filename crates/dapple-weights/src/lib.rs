//! Published weights by name.
//!
//! [`CATALOGUE`] lists files that others publish: encoders trained on ImageNet, torchvision's segmentation networks,
//! U²-Net. [`Store::get`] gives the path of one in the cache, after downloading it if it is not there. Nothing in a
//! file is read or executed here. [`SHIPPED`] are models that are part of the program.
//!
//! - A download is written to `FILE.part` and renamed when its SHA-256 has been verified, so that a file in the cache
//!   is whole. What a broken connection left is continued (`Range` with `If-Range`), at once and by later calls.
//! - A file in the cache is verified again each time, and fetched again if it is damaged.
//! - Proxies come from the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), the certificate
//!   authorities from `SSL_CERT_FILE` or else from Mozilla's list, the folder from `DAPPLE_CACHE`; `DAPPLE_OFFLINE=1`
//!   forbids downloads and `DAPPLE_WEIGHTS_MIRROR` names another place for all files. See [`Store::from_env`].
//!
//! ```no_run
//! let store = dapple_weights::Store::from_env()?;
//! let entry = dapple_weights::find("vgg16_bn").ok_or("no such weights")?;
//! let path = store.get(entry, &mut |progress| eprintln!("{progress:?}"))?;
//! # let _ = path;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalogue;
mod checksum;
mod download;
mod error;
mod folder;
mod shipped;
mod store;

pub use catalogue::{CATALOGUE, Entry, Group, find};
pub use checksum::Checksum;
pub use download::Progress;
pub use error::WeightsError;
pub use shipped::{SHIPPED, Shipped, find_shipped};
pub use store::{State, Store};
