//! COCO-stuff as pixel maps: `stuffthingmaps/train2017/*.png` or `annotations/train2017/*.png` beside
//! `images/train2017` or `train2017`; values are category ids less one, 255 is ignored.
//!
//! Caesar, Uijlings and Ferrari, "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018. The 171 ids in use become
//! the labels 0 to 170 in their order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::coco_names::NAMES;
use crate::format::found::{Found, IGNORED, Notes};
use crate::format::pairs::{FolderPair, pair_all};
use crate::format::walk::{entries, has_extension, subfolders};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::part::Part;

/// Folders that may hold the masks of the parts.
const MASK_FOLDERS: [&str; 3] = ["stuffthingmaps", "annotations/stuffthingmaps", "annotations"];

pub(super) fn probe(root: &Path) -> bool {
    folders(root).is_ok_and(|folders| !folders.is_empty())
}

/// The folders of the parts, whose names have a year as COCO's do.
fn folders(root: &Path) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    let Some(masks) = MASK_FOLDERS.iter().map(|name| root.join(name)).find(|folder| folder.is_dir()) else {
        return Ok(pairs);
    };
    for (name, masks) in subfolders(&masks)? {
        let (Some(part), true) = (Part::in_name(&name), name.ends_with(|c: char| c.is_ascii_digit())) else {
            continue;
        };
        let images = [root.join("images").join(&name), root.join(&name)].into_iter().find(|f| f.is_dir());
        let has_masks = entries(&masks)?.iter().any(|path| has_extension(path, &["png"]));
        if let (Some(images), true) = (images, has_masks) {
            pairs.push(FolderPair { part: Some(part), prefix: String::new(), images, masks });
        }
    }
    Ok(pairs)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let folders = folders(root)?;
    if folders.is_empty() {
        return Err(DataError::EmptyFolder { path: PathBuf::from(root).join(MASK_FOLDERS[0]) });
    }
    let records = pair_all(&folders, notes)?;
    let used = NAMES.iter().zip(0_u16..).filter(|(name, _)| !name.is_empty());
    let mut table: BTreeMap<u16, u8> =
        used.clone().zip(0..).map(|((_, value), label)| (value, label)).collect();
    table.insert(u16::from(IGNORED), IGNORED);
    let classes = Classes::named(used.map(|(name, _)| *name));
    Ok(Found::fixed(records, classes, MaskDecoder::ids(table)))
}
