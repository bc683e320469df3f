//! LoveDA: `Train/Urban/images_png/0.png` and `Train/Urban/masks_png/0.png`, likewise `Rural` and `Val`; the seven classes of
//! the benchmark, whose values begin at 1, while 0 is no data and ignored.
//!
//! Wang et al., "LoveDA: A remote sensing land-cover dataset for domain adaptive semantic segmentation", NeurIPS 2021.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::format::found::{Found, IGNORED, Notes};
use crate::format::pairs::{FolderPair, pair_all};
use crate::format::walk::{bad_file, subfolders};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::part::Part;

const CLASSES: [(&str, [u8; 3]); 7] = [
    ("background", [255, 255, 255]),
    ("building", [255, 0, 0]),
    ("road", [255, 255, 0]),
    ("water", [0, 0, 255]),
    ("barren", [159, 129, 183]),
    ("forest", [0, 255, 0]),
    ("agriculture", [255, 195, 128]),
];

const IMAGES: &str = "images_png";
const MASKS: &str = "masks_png";

pub(super) fn probe(root: &Path) -> bool {
    pairs(root).is_ok_and(|pairs| !pairs.is_empty())
}

/// The folders with images and masks; those of the test have no masks.
fn pairs(root: &Path) -> Result<Vec<FolderPair>> {
    let mut pairs = Vec::new();
    for (name, folder) in subfolders(root)? {
        let Some(part) = Part::ALL.into_iter().find(|part| part.words().contains(&&*name)) else { continue };
        for scene in subfolders(&folder)?.into_values() {
            let (images, masks) = (scene.join(IMAGES), scene.join(MASKS));
            let name = scene.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if images.is_dir() && masks.is_dir() {
                pairs.push(FolderPair { part: Some(part), prefix: format!("{name}/"), images, masks });
            }
        }
    }
    pairs.sort_by_key(|pair| pair.part);
    Ok(pairs)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let pairs = pairs(root)?;
    if pairs.is_empty() {
        return Err(bad_file(root, "no folders such as Train/Urban/images_png and Train/Urban/masks_png"));
    }
    let records = pair_all(&pairs, notes)?;
    let labels: BTreeMap<u16, u8> =
        (0..=7).map(|value: u8| (value.into(), value.checked_sub(1).unwrap_or(IGNORED))).collect();
    Ok(Found::fixed(records, Classes::coloured(&CLASSES), MaskDecoder::ids(labels)))
}
