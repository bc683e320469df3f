//! The image and mask files of a folder by their names without the extension.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::foreign::known_files;
use crate::format::found::Notes;
use crate::format::unread::Unread;
use crate::format::walk::{
    bad_file, entries, files_below, has_image_extension, has_mask_extension, relative_stem,
};

/// Files by their stems.
pub(super) type Files = BTreeMap<String, PathBuf>;

/// The image files below a folder by their paths in it without the extension; other files are left out.
pub(super) fn files_by_stem(folder: &Path, notes: &mut Notes) -> Result<Files> {
    files(folder, &has_image_extension, notes)
}

/// As [`files_by_stem`], of the folder itself without the folders in it.
pub(super) fn files_directly_in(folder: &Path, notes: &mut Notes) -> Result<Files> {
    let paths = entries(folder)?.into_iter().filter(|path| has_image_extension(path) && !path.is_dir());
    stems_of(folder, paths.collect(), notes)
}

/// As [`files_by_stem`], the masks: arrays of NumPy are some, too.
pub(super) fn masks_by_stem(folder: &Path, notes: &mut Notes) -> Result<Files> {
    files(folder, &has_mask_extension, notes)
}

fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool, notes: &mut Notes) -> Result<Files> {
    let paths = files_below(folder, wanted)?;
    if !paths.is_empty() {
        return stems_of(folder, paths, notes);
    }
    Err(no_images(folder))
}

/// The error of a folder without images. Files of other kinds are named: they are what it holds instead.
pub(crate) fn no_images(folder: &Path) -> DataError {
    let (foreign, unread) = (known_files(folder), Unread::below(folder).unwrap_or_default());
    if foreign.is_empty() && unread.is_empty() {
        return DataError::EmptyFolder { path: folder.to_owned() };
    }
    let unread = if unread.is_empty() { String::new() } else { unread.to_string() };
    let named =
        [foreign, unread].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n  ");
    bad_file(
        folder,
        format!("no image (PNG, JPEG, BMP, TIFF, WebP, PNM, GIF) in this folder, but\n  {named}"),
    )
}

/// Files below a folder by their paths in it without the extension; two of one stem are bad ones.
pub(super) fn stems_of(folder: &Path, paths: Vec<PathBuf>, notes: &mut Notes) -> Result<Files> {
    let mut files = Files::new();
    for path in paths {
        // A name that is UTF-8 as a whole has a stem that is.
        let Some(stem) = relative_stem(folder, &path) else {
            notes.bad(DataError::NameNotUtf8 { path })?;
            continue;
        };
        match files.get(&stem) {
            Some(first) => notes.bad(DataError::DuplicateStem { first: first.clone(), second: path })?,
            None => {
                files.insert(stem, path);
            }
        }
    }
    Ok(files)
}
