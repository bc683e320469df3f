//! Cityscapes: `leftImg8bit/train/CITY/X_leftImg8bit.png` and `gtFine/train/CITY/X_gtFine_labelIds.png`, 34 ids of which
//! 19 are classes of the benchmark; all else is ignored.
//!
//! Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::found::{Found, IGNORED, Notes, Record};
use crate::format::walk::{files_below, has_image_extension, relative_stem, subfolders};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::part::Part;

/// Name, colour and id of the classes in the order of their training labels.
const CLASSES: [(&str, [u8; 3], u16); 19] = [
    ("road", [128, 64, 128], 7),
    ("sidewalk", [244, 35, 232], 8),
    ("building", [70, 70, 70], 11),
    ("wall", [102, 102, 156], 12),
    ("fence", [190, 153, 153], 13),
    ("pole", [153, 153, 153], 17),
    ("traffic light", [250, 170, 30], 19),
    ("traffic sign", [220, 220, 0], 20),
    ("vegetation", [107, 142, 35], 21),
    ("terrain", [152, 251, 152], 22),
    ("sky", [70, 130, 180], 23),
    ("person", [220, 20, 60], 24),
    ("rider", [255, 0, 0], 25),
    ("car", [0, 0, 142], 26),
    ("truck", [0, 0, 70], 27),
    ("bus", [0, 60, 100], 28),
    ("train", [0, 80, 100], 31),
    ("motorcycle", [0, 0, 230], 32),
    ("bicycle", [119, 11, 32], 33),
];

/// The largest id; 255 stands for -1, the licence plates.
const LAST_ID: u16 = 33;

const IMAGES: &str = "leftImg8bit";
const MASKS: [&str; 2] = ["gtFine", "gtCoarse"];

pub(super) fn probe(root: &Path) -> bool {
    root.join(IMAGES).is_dir() && MASKS.iter().any(|folder| root.join(folder).is_dir())
}

/// The meaning of the numbers in the mask files.
#[derive(Debug, Clone, Copy)]
enum Ids {
    /// Of all 34 labels.
    All,
    /// Of training.
    Training,
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut masks = None;
    for (folder, ids, name) in [
        (MASKS[0], Ids::All, "_labelIds"),
        (MASKS[0], Ids::Training, "_labelTrainIds"),
        (MASKS[1], Ids::All, "_labelIds"),
    ] {
        let found = masks_below(&root.join(folder), &format!("_{folder}{name}"))?;
        if !found.is_empty() {
            masks = Some((found, ids, root.join(folder)));
            break;
        }
    }
    let Some((mut masks, ids, mask_folder)) = masks else {
        return Err(DataError::EmptyFolder { path: root.join(MASKS[0]) });
    };
    let mut records = Vec::new();
    let parts = subfolders(&root.join(IMAGES))?;
    for (folder_name, folder) in &parts {
        // `train_extra` of the coarse masks is for training too.
        let part = Part::in_name(folder_name);
        for image in files_below(folder, &has_image_extension)? {
            let Some(stem) = relative_stem(folder, &image) else {
                notes.bad(DataError::NameNotUtf8 { path: image })?;
                continue;
            };
            let stem = stem.strip_suffix("_leftImg8bit").unwrap_or(&stem).to_owned();
            let name = Part::prefixed(part, &stem);
            match masks.remove(&format!("{folder_name}/{stem}")) {
                Some(mask) => records.push(Record::of_files(name, part, image, mask)),
                None => notes.bad(DataError::MissingMask { image, stem, folder: mask_folder.clone() })?,
            }
        }
    }
    for (stem, mask) in masks {
        notes.bad(DataError::MissingImage { mask, stem, folder: root.join(IMAGES) })?;
    }
    let named: Vec<(&str, [u8; 3])> = CLASSES.iter().map(|&(name, colour, _)| (name, colour)).collect();
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    Ok(Found::fixed(records, Classes::coloured(&named), MaskDecoder::ids(table(ids))))
}

/// The masks below a folder whose names end with `suffix`, by their part, city and stem.
fn masks_below(folder: &Path, suffix: &str) -> Result<BTreeMap<String, PathBuf>> {
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let named = |path: PathBuf| {
        let stem = relative_stem(folder, &path)?;
        Some((stem.strip_suffix(suffix)?.to_owned(), path))
    };
    Ok(files_below(folder, &has_image_extension)?.into_iter().filter_map(named).collect())
}

fn table(ids: Ids) -> BTreeMap<u16, u8> {
    let mut table: BTreeMap<u16, u8> = match ids {
        Ids::All => (0..=LAST_ID).map(|id| (id, IGNORED)).collect(),
        Ids::Training => BTreeMap::new(),
    };
    table.insert(u16::from(IGNORED), IGNORED);
    for ((_, _, id), label) in CLASSES.into_iter().zip(0..) {
        table.insert(if matches!(ids, Ids::All) { id } else { u16::from(label) }, label);
    }
    table
}
