//! Addresses of object storage where commands take paths.

use std::path::Path;

use dapple_cloud::is_address;

use crate::cli::failure::Failure;

/// The text of a path that is an address, such as `s3://bucket/folder`.
pub fn address(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| is_address(text))
}

/// Refuses an address where only paths of this machine are taken.
pub fn refuse_address(path: &Path, flag: &str) -> Result<(), Failure> {
    match address(path) {
        None => Ok(()),
        Some(text) => Err(Failure::input(format!(
            "{flag} {}: an address of object storage, where only images, folders and --out of `dapple predict`, `score` and `merge` can be one; copy it to this \
             machine first",
            dapple_cloud::without_secrets(text)
        ))),
    }
}

/// Refuses the first address among paths, if this build has no object storage.
#[cfg(not(feature = "cloud"))]
pub fn refuse_without_feature<'a>(
    paths: impl IntoIterator<Item = &'a std::path::PathBuf>,
) -> Result<(), Failure> {
    match paths.into_iter().find_map(|path| address(path)) {
        None => Ok(()),
        Some(text) => Err(Failure::input(format!(
            "{}: this program was built without object storage; build it with the feature `cloud` (cargo install dapple --features \
             cloud), or copy the files to this machine first",
            dapple_cloud::without_secrets(text)
        ))),
    }
}
