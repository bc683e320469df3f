//! Pairing the files of an image folder and a mask folder by their paths in them without the extension.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::foreign::known_files;
use crate::format::found::{Notes, Record};
use crate::format::unread::Unread;
use crate::format::walk::{bad_file, files_below, folded, has_image_extension, relative_stem};
use crate::part::Part;

/// A folder of images and the folder of their masks, which may be the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderPair {
    /// The official part these are, in arrangements that have parts.
    pub part: Option<Part>,
    /// The prefix of the names of the samples: `""` or a folder's name with `/`.
    pub prefix: String,
    /// The folder of images.
    pub images: PathBuf,
    /// The folder of masks.
    pub masks: PathBuf,
}

/// Suffixes that the stem of a mask may add to its image's.
pub(super) const MASK_STEM_SUFFIXES: [&str; 8] =
    ["_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "-mask"];

/// CamVid's suffix, in a folder of masks only: beside images, `eye_L` and `eye_R` are left and right.
const CAMVID_SUFFIX: &str = "_L";

/// Endings of the image's stem that its mask replaces by one of the above: `1_sat.jpg` and `1_mask.png`.
const IMAGE_STEM_SUFFIXES: [&str; 4] = ["_image", "_img", "_sat", "_rgb"];

/// Whether a stem ends as those of masks do.
pub(super) fn is_mask_stem(stem: &str) -> bool {
    MASK_STEM_SUFFIXES.iter().any(|suffix| stem.ends_with(suffix))
}

/// An image's stem without what says that it is the image.
pub(super) fn bare(stem: &str) -> &str {
    IMAGE_STEM_SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem)
}

/// Pairs the files of two folders by their paths in them without the extension, sorted by name.
///
/// # Errors
/// [`DataError::Read`], [`DataError::EmptyFolder`], and bad files and missing partners unless `notes` takes them.
pub(super) fn pair_files(folders: &FolderPair, notes: &mut Notes) -> Result<Vec<Record>> {
    let images = files_by_stem(&folders.images, notes)?;
    let (masks, images): (BTreeMap<_, _>, BTreeMap<_, _>) = if folders.images == folders.masks {
        images.into_iter().partition(|(stem, _)| is_mask_stem(stem))
    } else {
        (files_by_stem(&folders.masks, notes)?, images)
    };
    let mut masks = masks;
    let apart = folders.images != folders.masks;
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    // Equal names first, so that no suffix takes another image's mask: `eye` and `eye_L` with masks of the same names.
    for stem in images.keys() {
        if let Some(mask) = masks.remove(stem) {
            found.insert(stem.clone(), mask);
        }
    }
    let suffixes = || MASK_STEM_SUFFIXES.into_iter().chain(apart.then_some(CAMVID_SUFFIX));
    for stem in images.keys().filter(|stem| !found.contains_key(*stem)).cloned().collect::<Vec<_>>() {
        let names = [stem.as_str(), bare(&stem)];
        let mut names = names.iter().flat_map(|s| suffixes().map(move |suffix| format!("{s}{suffix}")));
        let mask = names.find_map(|name| masks.remove(&name));
        if let Some(mask) = mask {
            found.insert(stem, mask);
        }
    }
    pair_folded(&images, &mut masks, &mut found, notes);
    let mut records = Vec::new();
    for (stem, image) in images {
        match found.remove(&stem) {
            Some(mask) => {
                let name = Part::prefixed(folders.part, &format!("{}{stem}", folders.prefix));
                records.push(Record::of_files(name, folders.part, image, mask));
            }
            None => notes.bad(DataError::MissingMask { image, stem, folder: folders.masks.clone() })?,
        }
    }
    for (stem, mask) in masks {
        notes.bad(DataError::MissingImage { mask, stem, folder: folders.images.clone() })?;
    }
    Ok(records)
}

/// Pairs what is left by names that differ only in their case or their Unicode form (composed or decomposed letters, as
/// macOS and other systems write them), where each has one partner.
fn pair_folded(
    images: &BTreeMap<String, PathBuf>,
    masks: &mut BTreeMap<String, PathBuf>,
    found: &mut BTreeMap<String, PathBuf>,
    notes: &mut Notes,
) {
    let mut left: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
    for stem in images.keys().filter(|stem| !found.contains_key(*stem)) {
        left.entry(folded(stem)).or_default()[0].push(stem.clone());
    }
    for stem in masks.keys() {
        let bare = MASK_STEM_SUFFIXES.iter().find_map(|suffix| stem.strip_suffix(suffix));
        for name in [Some(stem.as_str()), bare].into_iter().flatten() {
            if let Some(pair) = left.get_mut(&folded(name)) {
                pair[1].push(stem.clone());
                break;
            }
        }
    }
    let (mut first, mut count) = (None, 0);
    for [of_images, of_masks] in left.into_values() {
        let ([image], [mask]) = (&of_images[..], &of_masks[..]) else { continue };
        if let Some(path) = masks.remove(mask) {
            (first, count) = (first.or(Some((image.clone(), mask.clone()))), count + 1);
            found.insert(image.clone(), path);
        }
    }
    if let Some((image, mask)) = first {
        notes.warn(format!(
            "{count} images and masks are paired though their names are written differently, such as `{image}` and `{mask}`"
        ));
    }
}

/// The image files below a folder by their paths in it without the extension; other files are left out.
pub(super) fn files_by_stem(folder: &Path, notes: &mut Notes) -> Result<BTreeMap<String, PathBuf>> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut any = false;
    for path in files_below(folder, &has_image_extension)? {
        any = true;
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
    if any {
        return Ok(files);
    }
    // Files of other kinds are named: they are what the folder holds instead of images.
    let (foreign, unread) = (known_files(folder), Unread::below(folder)?);
    if foreign.is_empty() && unread.is_empty() {
        return Err(DataError::EmptyFolder { path: folder.to_owned() });
    }
    let unread = if unread.is_empty() { String::new() } else { unread.to_string() };
    let named =
        [foreign, unread].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n  ");
    Err(bad_file(
        folder,
        format!("no image (PNG, JPEG, BMP, TIFF, WebP, PNM) in this folder, but\n  {named}"),
    ))
}
