//! ADE20K as in the scene parsing challenge of 2016: `images/training`, `annotations/training`; 1 to 150 are classes, 0
//! is everything else and is ignored.
//!
//! Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::format::folders::find_folders;
use crate::format::found::{Found, IGNORED, Notes};
use crate::format::pairs::pair_all;
use crate::format::walk::entries;
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;

const COUNT: u8 = 150;

#[rustfmt::skip]
const NAMES: [&str; COUNT as usize] = [
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet", "sidewalk",
    "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water", "painting", "sofa",
    "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk", "rock", "wardrobe", "lamp",
    "bathtub", "railing", "cushion", "base", "box", "column", "signboard", "chest of drawers", "counter", "sand",
    "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path", "stairs", "runway", "case", "pool table",
    "pillow", "screen door", "stairway", "river", "bridge", "bookcase", "blind", "coffee table", "toilet", "flower",
    "book", "hill", "bench", "countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat",
    "bar", "arcade machine", "hovel", "bus", "towel", "light", "truck", "tower", "chandelier", "awning",
    "streetlight", "booth", "television receiver", "airplane", "dirt track", "apparel", "pole", "land", "bannister",
    "escalator", "ottoman", "bottle", "buffet", "poster", "stage", "van", "ship", "fountain", "conveyer belt",
    "canopy", "washer", "plaything", "swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag",
    "minibike", "cradle", "oven", "ball", "food", "step", "tank", "trade name", "microwave", "pot", "animal",
    "bicycle", "lake", "dishwasher", "screen", "blanket", "sculpture", "hood", "sconce", "vase", "traffic light",
    "tray", "ashcan", "fan", "pier", "crt screen", "plate", "monitor", "bulletin board", "shower", "radiator",
    "glass", "clock", "flag",
];

/// Whether the list of classes is there, or the images have the names of this data set.
pub(super) fn probe(root: &Path) -> bool {
    if !root.join("annotations/training").is_dir() {
        return false;
    }
    let named = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ADE_train_"))
    };
    root.join("objectInfo150.txt").is_file()
        || entries(&root.join("images/training")).is_ok_and(|files| files.iter().any(named))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let records = pair_all(&find_folders(root, None)?, notes)?;
    let mut table: BTreeMap<u16, u8> = (1..=COUNT).map(|value| (u16::from(value), value - 1)).collect();
    table.insert(0, IGNORED);
    Ok(Found::fixed(records, Classes::named(NAMES), MaskDecoder::ids(table)))
}
