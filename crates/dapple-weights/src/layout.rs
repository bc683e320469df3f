//! File names in the cache.

use std::path::{Path, PathBuf};

/// The received part of a file.
pub(crate) fn part_of(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

/// The server's name for the version of the file that a part belongs to.
pub(crate) fn version_of(part: &Path) -> PathBuf {
    with_ending(part, ".version")
}

/// The checksum of a file whose publisher gives none, in the format of `sha256sum`.
pub(crate) fn sum_of(path: &Path) -> PathBuf {
    with_ending(path, ".sha256")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
