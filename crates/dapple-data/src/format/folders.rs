//! Image folders with mask folders, found without being told where they are.
//!
//! Finding has two steps: [`find_folders`] recognizes the arrangement, a list of image folders each with its mask
//! folder; [`Pairing`] matches the files of one such pair of folders.
//! Nothing is decoded here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::foreign::known_files;
use crate::format::found::{Found, Notes, UNASSIGNED};
use crate::format::one_folder::is_mixed;
use crate::format::pairs::{FolderPair, Pairing};
use crate::format::several::gather;
use crate::format::unread::Unread;
use crate::format::walk::{files_below, has_image_extension, holds_images, subfolders};
use crate::part::Part;

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

/// Suffixes of the name of a part in the name of its mask folder, as in `trainannot`.
const PART_MASK_SUFFIXES: [&str; 10] =
    ["annot", "mask", "masks", "label", "labels", "_annot", "_mask", "_masks", "_label", "_labels"];

const LOOKED_FOR: &str = "  a folder of images of any name, or images, beside mask/, masks/, annotations/ or labels/
  train/ and trainannot/ or trainmask/ (and the same with val, test)
  images/train/ and masks/train/ (and the same with val, test)
  train/images/ and train/masks/ (and the same with val, test)
  the same in each of several folders; images and masks in one folder as NAME.jpg and NAME_mask.png,
  NAME.jpg and NAME.png, or NAME.jpg, NAME_CLASS.png; another ending of the masks' names with --mask-suffix
  lists of pairs (txt, csv), VOC, CamVid, Cityscapes, ADE20K, COCO, Labelme, YOLO and the others that --format takes";

/// Pairs of the folders found below `root`, decoded by whatever their masks hold.
pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let folders = find_folders(root, notes.mask_suffix.as_deref())?;
    let subject = subject(&folders).map(str::to_owned);
    let pairings = folders.iter().map(|folder| Pairing::of(folder.clone(), notes)).collect::<Result<_>>()?;
    let found = gather(root, pairings, subject.as_deref(), notes)?;
    warn_of_others(root, &folders, notes)?;
    let taken = folders.iter().map(|folder| taken(root, folder)).collect();
    Ok(Found { subject, folders: taken, ..found })
}

/// The folders of images and masks in words.
pub(super) fn taken(root: &Path, folder: &FolderPair) -> String {
    let (images, masks) = (below(root, &folder.images), below(root, &folder.masks));
    if images == masks {
        format!("images and masks in {images}")
    } else {
        format!("images in {images}, masks in {masks}")
    }
}

/// A folder's path below another, with `/` at its end.
fn below(root: &Path, folder: &Path) -> String {
    match folder.strip_prefix(root) {
        Ok(relative) if relative.as_os_str().is_empty() => "the folder itself".into(),
        Ok(relative) => format!("{}/", relative.display()),
        Err(_) => folder.display().to_string(),
    }
}

/// Warns of folders that could be meant as well as those that are taken.
fn warn_of_others(root: &Path, folders: &[FolderPair], notes: &mut Notes) -> Result<()> {
    let is_taken =
        |path: &PathBuf| folders.iter().any(|f| f.images.starts_with(path) || f.masks.starts_with(path));
    let mut parents: Vec<&Path> =
        folders.iter().flat_map(|f| [f.images.parent(), f.masks.parent()]).flatten().collect();
    parents.push(root);
    parents.retain(|parent| parent.starts_with(root));
    parents.sort();
    parents.dedup();
    let (mut others, mut kinds) = (Vec::new(), [false; 2]);
    for parent in parents {
        for (name, path) in subfolders(parent)? {
            let kind = [MASK_FOLDERS.contains(&name.as_str()), IMAGE_FOLDERS.contains(&name.as_str())];
            if kind != [false; 2] && !is_taken(&path) && !files_below(&path, &has_image_extension)?.is_empty()
            {
                kinds = [kinds[0] || kind[0], kinds[1] || kind[1]];
                others.push(below(root, &path));
            }
        }
    }
    if let (false, Some(first)) = (others.is_empty(), folders.first()) {
        let also = if kinds[0] { "masks" } else { "images" };
        notes.warn(format!(
            "the data are taken from {}; {} could hold {also} as well: move or rename what is not meant",
            taken(root, first),
            others.join(", ")
        ));
    }
    for folder in folders {
        let mut kinds = vec![&folder.images];
        kinds.extend((folder.masks != folder.images).then_some(&folder.masks));
        for folder in kinds {
            let unread = Unread::below(folder)?;
            if !unread.is_empty() {
                notes.warn(unread.to_string());
            }
        }
    }
    Ok(())
}

/// Recognizes the arrangement of `root`: pairs of folders, one for each official part where there are such.
///
/// # Errors
/// [`DataError::Read`], [`DataError::NoLayout`].
pub(super) fn find_folders(root: &Path, suffix: Option<&str>) -> Result<Vec<FolderPair>> {
    let folders = subfolders(root)?;
    let arrangements = [
        suffixed_parts(&folders),
        parts_below(&folders)?,
        parts_above(&folders, suffix)?,
        mixed_parts(&folders, suffix)?,
    ];
    for parts in arrangements {
        if !parts.is_empty() {
            return Ok(parts);
        }
    }
    if let Some(masks) = beside_images(root, &folders) {
        return Ok(vec![FolderPair { part: None, prefix: String::new(), images: root.to_owned(), masks }]);
    }
    if let Some((images, masks)) = flat(&folders) {
        return Ok(vec![FolderPair { part: None, prefix: String::new(), images, masks }]);
    }
    let inner = inner(&folders, suffix)?;
    if !inner.is_empty() {
        return Ok(inner);
    }
    if is_mixed(root, suffix)? {
        let (images, masks) = (root.to_owned(), root.to_owned());
        return Ok(vec![FolderPair { part: None, prefix: String::new(), images, masks }]);
    }
    let found = if folders.is_empty() {
        "no folder in it".to_owned()
    } else {
        let names: Vec<_> = folders.keys().take(12).map(|name| format!("{name}/")).collect();
        names.join(", ")
    };
    let foreign = known_files(root);
    let found = if foreign.is_empty() { found } else { format!("{found}\n  {foreign}\n") };
    Err(DataError::NoLayout { path: root.to_owned(), looked_for: LOOKED_FOR.into(), found })
}

fn of_part(part: Part, images: PathBuf, masks: PathBuf) -> FolderPair {
    FolderPair { part: Some(part), prefix: String::new(), images, masks }
}

/// `train/ trainannot/ val/ valannot/ …`
fn suffixed_parts(folders: &BTreeMap<String, PathBuf>) -> Vec<FolderPair> {
    let pair = |part: Part| {
        part.words().iter().find_map(|name| {
            let images = folders.get(*name)?.clone();
            let masks =
                PART_MASK_SUFFIXES.iter().find_map(|suffix| folders.get(&format!("{name}{suffix}")))?;
            Some(of_part(part, images, masks.clone()))
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
        let images = first_of(&images, part.words())?;
        Some(of_part(part, images, first_of(&masks, part.words())?))
    };
    let mut pairs: Vec<FolderPair> = Part::ALL.into_iter().filter_map(pair).collect();
    if let (Some(images), Some(masks)) = (images.get(UNASSIGNED), masks.get(UNASSIGNED)) {
        let (images, masks) = (images.clone(), masks.clone());
        pairs.push(FolderPair { part: None, prefix: String::new(), images, masks });
    }
    Ok(pairs)
}

/// `train/images/ train/masks/ val/images/ val/masks/ …`, also `train/ONE/images/ train/ONE/masks/ …`
fn parts_above(folders: &BTreeMap<String, PathBuf>, suffix: Option<&str>) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    for (name, folder) in folders {
        let Some(part) = Part::in_name(name) else { continue };
        let below = subfolders(folder)?;
        if let Some((images, masks)) = flat(&below).filter(|_| part.words().contains(&name.as_str())) {
            pairs.push(of_part(part, images, masks));
        } else {
            pairs.extend(
                inner(&below, suffix)?.into_iter().map(|pair| FolderPair { part: Some(part), ..pair }),
            );
        }
    }
    pairs.sort_by_key(|pair| pair.part);
    Ok(pairs)
}

/// `train/a.jpg train/a_mask.png val/b.jpg val/b_mask.png …`
fn mixed_parts(folders: &BTreeMap<String, PathBuf>, suffix: Option<&str>) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    for part in Part::ALL {
        if let Some(folder) = first_of(folders, part.words())
            && is_mixed(&folder, suffix)?
        {
            pairs.push(of_part(part, folder.clone(), folder));
        }
    }
    Ok(pairs)
}

/// `a.jpg b.jpg masks/`: the folder of the masks of images beside it, where no other folder directly holds images.
fn beside_images(root: &Path, folders: &BTreeMap<String, PathBuf>) -> Option<PathBuf> {
    let masks = first_of(folders, &MASK_FOLDERS)?;
    let is_other = |name: &String| !MASK_FOLDERS.contains(&name.as_str());
    let elsewhere = folders
        .iter()
        .any(|(name, path)| is_other(name) && (IMAGE_FOLDERS.contains(&name.as_str()) || holds_images(path)));
    (!elsewhere && holds_images(root)).then_some(masks)
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

/// `one/images/ one/masks/ two/images/ two/masks/ …`: several folders, each with images and masks of its own.
fn inner(folders: &BTreeMap<String, PathBuf>, suffix: Option<&str>) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    for folder in folders.values() {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        let prefix = format!("{name}/");
        if let Some((images, masks)) = flat(&subfolders(folder)?) {
            pairs.push(FolderPair { part: None, prefix, images, masks });
        } else if is_mixed(folder, suffix)? {
            pairs.push(FolderPair { part: None, prefix, images: folder.clone(), masks: folder.clone() });
        }
    }
    Ok(pairs)
}

fn first_of(folders: &BTreeMap<String, PathBuf>, names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| folders.get(*name)).cloned()
}

/// The subject of the images, where the name of their folder tells it: `horse` of `horse/ mask/`.
fn subject(folders: &[FolderPair]) -> Option<&str> {
    let [FolderPair { part: None, images, masks, .. }] = folders else { return None };
    let name = images.file_name()?.to_str()?;
    (images != masks && !IMAGE_FOLDERS.contains(&name.to_lowercase().as_str())).then_some(name)
}
