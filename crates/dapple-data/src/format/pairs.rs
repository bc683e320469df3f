//! Pairing the files of an image folder and a mask folder by their paths in them without the extension.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{DataError, Result};
use crate::format::found::{Notes, Record};
use crate::format::mask_names::{CAMVID_SUFFIX, MASK_STEM_SUFFIXES, bare, base_of_mask, beginnings};
use crate::format::one_folder::divide;
use crate::format::stems::{Files, files_by_stem, files_directly_in, masks_by_stem};
use crate::format::walk::{bad_file, folded};
use crate::part::Part;

/// ISIC's pictures of superpixels, which lie beside the images.
const SUPERPIXELS: &str = "_superpixels";

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

/// The files of a pair of folders, as far as their names make pairs.
#[derive(Debug)]
pub(crate) struct Pairing {
    pub folders: FolderPair,
    /// All images by their stems.
    pub images: Files,
    /// The masks of images, by the images' stems.
    pub found: Files,
    /// Masks that are no image's, by their own stems.
    pub left: Files,
}

impl Pairing {
    /// Pairs files of equal names; no other names are tried.
    pub fn of_equal(folders: FolderPair, images: Files, mut masks: Files) -> Self {
        let found: Files = images.keys().filter_map(|stem| masks.remove_entry(stem)).collect();
        Self { folders, images, found, left: masks }
    }

    /// Pairs the files of two folders by their paths in them without the extension.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::EmptyFolder`], and bad files unless `notes` takes them.
    pub fn of(folders: FolderPair, notes: &mut Notes) -> Result<Self> {
        let (images, mut masks) = if folders.images == folders.masks {
            divide(&folders.images, notes)?
        } else if folders.masks.starts_with(&folders.images) {
            (files_directly_in(&folders.images, notes)?, masks_by_stem(&folders.masks, notes)?)
        } else {
            (files_by_stem(&folders.images, notes)?, masks_by_stem(&folders.masks, notes)?)
        };
        if let Some(suffix) = notes.mask_suffix.clone() {
            masks = suffixed(&folders, masks, &suffix, notes)?;
        }
        // Equal names first, so that no suffix takes another image's mask: `eye` and `eye_L` with masks of the same names.
        let Self { folders, mut images, mut found, left: mut masks } = Self::of_equal(folders, images, masks);
        let apart = folders.images != folders.masks;
        // A suffix that the user gives is cut off already.
        let known: &[&str] = if notes.mask_suffix.is_some() { &[""] } else { &MASK_STEM_SUFFIXES };
        let suffixes = || known.iter().copied().chain(apart.then_some(CAMVID_SUFFIX));
        for stem in images.keys().filter(|stem| !found.contains_key(*stem)).cloned().collect::<Vec<_>>() {
            let names = [stem.as_str(), bare(&stem)];
            let mut names = names.iter().flat_map(|s| suffixes().map(move |suffix| format!("{s}{suffix}")));
            let mask = names.find_map(|name| masks.remove(&name));
            if let Some(mask) = mask {
                found.insert(stem, mask);
            }
        }
        pair_folded(&images, &mut masks, &mut found, notes);
        if !apart {
            leave_out_others(&mut images, &found, notes);
        }
        Ok(Self { folders, images, found, left: masks })
    }

    /// Whether images and masks lie in two folders.
    pub fn is_apart(&self) -> bool {
        self.folders.images != self.folders.masks
    }

    /// The pairs, sorted by name.
    ///
    /// # Errors
    /// Missing partners unless `notes` takes them.
    pub fn records(self, notes: &mut Notes) -> Result<Vec<Record>> {
        let Self { folders, images, mut found, left } = self;
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
        for (stem, mask) in left {
            notes.bad(DataError::MissingImage { mask, stem, folder: folders.images.clone() })?;
        }
        Ok(records)
    }
}

/// Pairs the files of two folders by their paths in them without the extension, sorted by name.
///
/// # Errors
/// Those of [`Pairing::of`] and [`Pairing::records`].
pub(super) fn pair_files(folders: &FolderPair, notes: &mut Notes) -> Result<Vec<Record>> {
    Pairing::of(folders.clone(), notes)?.records(notes)
}

/// The pairs of several pairs of folders; see [`pair_files`].
pub(super) fn pair_all(folders: &[FolderPair], notes: &mut Notes) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for pair in folders {
        records.append(&mut pair_files(pair, notes)?);
    }
    Ok(records)
}

/// The masks whose names end in the suffix that the user gives, without it; other files of a folder of masks are passed over.
fn suffixed(folders: &FolderPair, masks: Files, suffix: &str, notes: &mut Notes) -> Result<Files> {
    let (taken, others): (Files, Files) = masks.into_iter().partition(|(stem, _)| stem.ends_with(suffix));
    if taken.is_empty() {
        let problem =
            format!("no name of a file ends in `{suffix}` before the extension; correct --mask-suffix");
        return Err(bad_file(&folders.masks, problem));
    }
    if let Some(other) = others.values().next() {
        notes.warn(format!(
            "{} files in {} are passed over, such as {}: their names do not end in `{suffix}`",
            others.len(),
            folders.masks.display(),
            other.display()
        ));
    }
    Ok(taken.into_iter().map(|(stem, path)| (stem[..stem.len() - suffix.len()].to_owned(), path)).collect())
}

/// Leaves out what is neither image nor mask beside them: ISIC's superpixels, and with a suffix that the user gives all files
/// whose names begin with that of a pair.
fn leave_out_others(images: &mut Files, found: &Files, notes: &mut Notes) {
    let any = notes.mask_suffix.is_some();
    let is_other = |stem: &str| {
        let mut bases = beginnings(stem).filter(|(_, tail)| any || *tail == SUPERPIXELS);
        !found.contains_key(stem) && bases.any(|(base, _)| found.contains_key(base))
    };
    let mut others = Vec::new();
    images.retain(|stem, path| {
        let is_other = is_other(stem);
        if is_other {
            others.push(path.clone());
        }
        !is_other
    });
    if let Some(first) = others.first() {
        notes.warn(format!(
            "{} files are passed over, such as {}: they are neither images nor masks by their names",
            others.len(),
            first.display()
        ));
    }
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
        for name in [Some(stem.as_str()), base_of_mask(stem)].into_iter().flatten() {
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
