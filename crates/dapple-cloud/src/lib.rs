//! Object storage by address: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`, and `https://host/path` to read.
//!
//! - [`Location`]: an address, which never holds credentials; patterns and folders among its keys.
//! - [`CloudError`]: errors that name the address and the way out, without secrets.
//! - `Cloud` (feature `store`): lists, downloads and uploads many objects at a time, tries again after faults, and gives an object
//!   its name only when it is whole; `Mirror`: a local folder that stands for one of a store.
//! - [`profile`]: the credentials of the AWS command line's files.
//!
//! ```
//! use dapple_cloud::Location;
//! let photos: Location = "s3://survey/2024/**/*.tif".parse()?;
//! assert!(photos.is_pattern() && photos.matches("2024/may/a.tif") && !photos.matches("2024/a.png"));
//! # Ok::<(), dapple_cloud::CloudError>(())
//! ```

mod error;
mod location;
pub mod profile;
#[cfg(feature = "store")]
mod store;

pub use error::{CloudError, without_secrets};
pub use location::{Location, Scheme, is_address};
#[cfg(feature = "store")]
pub use store::{Cloud, CloudSettings, Found, Mirror};
