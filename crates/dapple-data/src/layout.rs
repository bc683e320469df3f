//! Finding images and their masks in a folder without being told where they are.
//!
//! Finding has two steps: [`find_folders`] recognises the layout, a list of image folders each with its mask folder;
//! [`pair_files`] matches the files of one such pair of folders by their stems. Nothing is decoded here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image_file::EXTENSIONS;

/// The official part of a data set that a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// For learning.
    Train,
    /// For choosing the best epoch and settings.
    Val,
    /// For the final figure only.
    Test,
}

impl Part {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        self.folder_names()[0]
    }

    fn folder_names(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train", "training"],
            Self::Val => &["val", "valid", "validation"],
            Self::Test => &["test", "testing"],
        }
    }
}

/// A folder of images and the folder of their masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderPair {
    /// The official part these are, in layouts that have parts.
    pub part: Option<Part>,
    /// The folder of images.
    pub images: PathBuf,
    /// The folder of masks.
    pub masks: PathBuf,
}

/// An image file and its mask file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePair {
    /// The stem of the image, behind `train/`, `val/` or `test/` in layouts that have parts: unique in a data set.
    pub name: String,
    /// The official part, if any.
    pub part: Option<Part>,
    /// The image.
    pub image: PathBuf,
    /// The mask.
    pub mask: PathBuf,
}

/// Names of mask folders, in lower case, the most usual first.
const MASK_FOLDERS: [&str; 12] = [
    "mask",
    "masks",
    "annotation",
    "annotations",
    "annot",
    "label",
    "labels",
    "gt",
    "groundtruth",
    "ground_truth",
    "segmentation",
    "segmentations",
];

/// Names of image folders, in lower case, that say nothing about what the images show.
const IMAGE_FOLDERS: [&str; 10] =
    ["images", "image", "imgs", "img", "photos", "pictures", "jpegimages", "input", "inputs", "data"];

/// What follows the name of a part in the name of its mask folder, as in `trainannot`.
const PART_MASK_SUFFIXES: [&str; 10] =
    ["annot", "mask", "masks", "label", "labels", "_annot", "_mask", "_masks", "_label", "_labels"];

/// What may follow the image's stem in the stem of its mask.
const MASK_STEM_SUFFIXES: [&str; 7] = ["_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_L"];

const LOOKED_FOR: &str = "  a folder of images of any name beside mask/, masks/, annotations/ or labels/
  train/ and trainannot/ or trainmask/ (and the same with val, test)
  images/train/ and masks/train/ (and the same with val, test)
  train/images/ and train/masks/ (and the same with val, test)";

/// Recognises the layout of `root`: one pair of folders, or one for each official part.
///
/// # Errors
/// [`DataError::Read`], [`DataError::NoLayout`].
pub fn find_folders(root: &Path) -> Result<Vec<FolderPair>> {
    let folders = subfolders(root)?;
    for parts in [suffixed_parts(&folders), parts_below(&folders)?, parts_above(&folders)?] {
        if parts.iter().any(|pair| pair.part == Some(Part::Train)) {
            return Ok(parts);
        }
    }
    if let Some((images, masks)) = flat(&folders) {
        return Ok(vec![FolderPair { part: None, images, masks }]);
    }
    let found = if folders.is_empty() {
        "no folder in it".to_owned()
    } else {
        let names: Vec<_> = folders.keys().take(12).map(|name| format!("{name}/")).collect();
        names.join(", ")
    };
    Err(DataError::NoLayout { path: root.to_owned(), looked_for: LOOKED_FOR.into(), found })
}

/// `train/ trainannot/ val/ valannot/ …`
fn suffixed_parts(folders: &BTreeMap<String, PathBuf>) -> Vec<FolderPair> {
    let pair = |part: Part| {
        part.folder_names().iter().find_map(|name| {
            let images = folders.get(*name)?.clone();
            let masks =
                PART_MASK_SUFFIXES.iter().find_map(|suffix| folders.get(&format!("{name}{suffix}")))?;
            Some(FolderPair { part: Some(part), images, masks: masks.clone() })
        })
    };
    Part::ALL.into_iter().filter_map(pair).collect()
}

/// `images/train/ masks/train/ images/val/ masks/val/ …`
fn parts_below(folders: &BTreeMap<String, PathBuf>) -> Result<Vec<FolderPair>> {
    let (Some(images), Some(masks)) = (first_of(folders, &IMAGE_FOLDERS), first_of(folders, &MASK_FOLDERS))
    else {
        return Ok(Vec::new());
    };
    let (images, masks) = (subfolders(&images)?, subfolders(&masks)?);
    let pair = |part: Part| {
        let images = first_of(&images, part.folder_names())?;
        Some(FolderPair { part: Some(part), images, masks: first_of(&masks, part.folder_names())? })
    };
    Ok(Part::ALL.into_iter().filter_map(pair).collect())
}

/// `train/images/ train/masks/ val/images/ val/masks/ …`
fn parts_above(folders: &BTreeMap<String, PathBuf>) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    for part in Part::ALL {
        if let Some(folder) = first_of(folders, part.folder_names())
            && let Some((images, masks)) = flat(&subfolders(&folder)?)
        {
            pairs.push(FolderPair { part: Some(part), images, masks });
        }
    }
    Ok(pairs)
}

/// `images/ masks/`, where the image folder may have any name if it is the only other one with images.
fn flat(folders: &BTreeMap<String, PathBuf>) -> Option<(PathBuf, PathBuf)> {
    let masks = first_of(folders, &MASK_FOLDERS)?;
    if let Some(images) = first_of(folders, &IMAGE_FOLDERS) {
        return Some((images, masks));
    }
    let others: Vec<_> = folders.iter().filter(|(name, _)| !MASK_FOLDERS.contains(&name.as_str())).collect();
    let with_images: Vec<_> = others.iter().filter(|(_, path)| holds_images(path)).collect();
    match (&with_images[..], &others[..]) {
        ([(_, images)], _) | ([], [(_, images)]) => Some(((*images).clone(), masks)),
        _ => None,
    }
}

fn first_of(folders: &BTreeMap<String, PathBuf>, names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| folders.get(*name)).cloned()
}

/// The folders directly in `root` by their names in lower case; hidden ones and ones that cannot be entered are left out.
fn subfolders(root: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut folders = BTreeMap::new();
    for path in entries(root)? {
        // `is_dir` follows links, and is false for a link that leads nowhere or in a circle.
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && path.is_dir()
        {
            folders.insert(name.to_lowercase(), path);
        }
    }
    Ok(folders)
}

/// All entries of a folder that are not hidden, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| DataError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

fn holds_images(folder: &Path) -> bool {
    entries(folder).is_ok_and(|paths| paths.iter().any(|path| has_image_extension(path) && !path.is_dir()))
}

/// What the images show, where the name of their folder tells it: `horse` of `horse/ mask/`.
pub(crate) fn subject(folders: &[FolderPair]) -> Option<&str> {
    let [FolderPair { part: None, images, .. }] = folders else { return None };
    let name = images.file_name()?.to_str()?;
    (!IMAGE_FOLDERS.contains(&name.to_lowercase().as_str())).then_some(name)
}

/// Pairs the files of two folders by their stems, sorted by name.
///
/// Every bad file or missing partner goes to `on_bad`, which may pass the error on to end the search.
///
/// # Errors
/// [`DataError::Read`], [`DataError::EmptyFolder`], and what `on_bad` passes on.
pub fn pair_files(
    folders: &FolderPair,
    on_bad: &mut dyn FnMut(DataError) -> Result<()>,
) -> Result<Vec<FilePair>> {
    let images = files_by_stem(&folders.images, on_bad)?;
    let mut masks = files_by_stem(&folders.masks, on_bad)?;
    let mut pairs = Vec::new();
    for (stem, image) in images {
        let mask = masks.remove(&stem).or_else(|| {
            MASK_STEM_SUFFIXES.iter().find_map(|suffix| masks.remove(&format!("{stem}{suffix}")))
        });
        match mask {
            Some(mask) => {
                let name = match folders.part {
                    Some(part) => format!("{}/{stem}", part.name()),
                    None => stem,
                };
                pairs.push(FilePair { name, part: folders.part, image, mask });
            }
            None => on_bad(DataError::MissingMask { image, stem, folder: folders.masks.clone() })?,
        }
    }
    for (stem, mask) in masks {
        on_bad(DataError::MissingImage { mask, stem, folder: folders.images.clone() })?;
    }
    Ok(pairs)
}

/// The image files of a folder by their stems; files that are no images are left out.
fn files_by_stem(
    folder: &Path,
    on_bad: &mut dyn FnMut(DataError) -> Result<()>,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut any = false;
    for path in entries(folder)? {
        if !has_image_extension(&path) || path.is_dir() {
            continue;
        }
        any = true;
        // A name that is UTF-8 as a whole has a stem that is.
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else {
            on_bad(DataError::NameNotUtf8 { path })?;
            continue;
        };
        match files.get(&stem) {
            Some(first) => on_bad(DataError::DuplicateStem { first: first.clone(), second: path })?,
            None => {
                files.insert(stem, path);
            }
        }
    }
    if any { Ok(files) } else { Err(DataError::EmptyFolder { path: folder.to_owned() }) }
}
