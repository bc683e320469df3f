//! The masks of a folder on their own, without images: predictions and annotations that are to be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::walk::{files_below, has_mask_extension, relative_stem};

/// The image files below a folder by their names: their paths in it without the extension, such as `aachen/000001`.
///
/// Only names that end in `suffix` are taken, which is then cut off: `-probability` of `a-probability.png`. Hidden files
/// and files other than images are skipped.
///
/// # Errors
/// [`DataError::Read`], [`DataError::DuplicateStem`], [`DataError::NameNotUtf8`], and [`DataError::EmptyFolder`] or
/// [`DataError::BadFile`] if there is no such file.
pub fn mask_files(folder: impl AsRef<Path>, suffix: &str) -> Result<BTreeMap<String, PathBuf>> {
    let folder = folder.as_ref();
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files_below(folder, &has_mask_extension)? {
        let Some(stem) = relative_stem(folder, &path) else {
            return Err(DataError::NameNotUtf8 { path });
        };
        let Some(name) = stem.strip_suffix(suffix) else { continue };
        match files.get(name) {
            Some(first) => return Err(DataError::DuplicateStem { first: first.clone(), second: path }),
            None => files.insert(name.to_owned(), path),
        };
    }
    match (files.is_empty(), suffix) {
        (false, _) => Ok(files),
        (true, "") => Err(DataError::EmptyFolder { path: folder.to_owned() }),
        (true, _) => {
            let problem =
                format!("no image whose name ends in `{suffix}` before the extension; correct the suffix");
            Err(DataError::BadFile { path: folder.to_owned(), problem })
        }
    }
}
