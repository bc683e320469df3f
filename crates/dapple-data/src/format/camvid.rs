//! CamVid: pictures with masks in the original 32 colours, or in SegNet's class indices.
//!
//! Brostow, Fauqueur and Cipolla, "Semantic object classes in video: A high-definition ground truth database", Pattern
//! Recognition Letters 2009. The grouping into 11 classes is that of SegNet (Badrinarayanan et al., TPAMI 2017).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::folders;
use crate::format::found::{Found, IGNORED, Notes, Record};
use crate::format::pairs::{FolderPair, pair_files};
use crate::format::stems::files_by_stem;
use crate::format::walk::subfolders;
use crate::image::decode::read_file;
use crate::mask::classes::Classes;
use crate::mask::colour::ColourTable;
use crate::mask::decoder::MaskDecoder;
use crate::mask::raw::RawMask;

/// How the original classes are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// Each for itself; void is ignored.
    Original,
    /// SegNet's eleven; what is in none of them is ignored.
    Eleven,
    /// SegNet's eleven, and the rest as a twelfth.
    Twelve,
}

/// SegNet's class of void, the index of "unlabelled".
const UNLABELLED: u8 = 11;

/// Name, colour and SegNet's class of every original class.
const CLASSES: [(&str, [u8; 3], u8); 32] = [
    ("Animal", [64, 128, 64], 9),
    ("Archway", [192, 0, 128], 1),
    ("Bicyclist", [0, 128, 192], 10),
    ("Bridge", [0, 128, 64], 1),
    ("Building", [128, 0, 0], 1),
    ("Car", [64, 0, 128], 8),
    ("CartLuggagePram", [64, 0, 192], 9),
    ("Child", [192, 128, 64], 9),
    ("Column_Pole", [192, 192, 128], 2),
    ("Fence", [64, 64, 128], 7),
    ("LaneMkgsDriv", [128, 0, 192], 3),
    ("LaneMkgsNonDriv", [192, 0, 64], 3),
    ("Misc_Text", [128, 128, 64], 6),
    ("MotorcycleScooter", [192, 0, 192], 10),
    ("OtherMoving", [128, 64, 64], 8),
    ("ParkingBlock", [64, 192, 128], 4),
    ("Pedestrian", [64, 64, 0], 9),
    ("Road", [128, 64, 128], 3),
    ("RoadShoulder", [128, 128, 192], 4),
    ("Sidewalk", [0, 0, 192], 4),
    ("SignSymbol", [192, 128, 128], 6),
    ("Sky", [128, 128, 128], 0),
    ("SUVPickupTruck", [64, 128, 192], 8),
    ("TrafficCone", [0, 0, 64], 2),
    ("TrafficLight", [0, 64, 64], 6),
    ("Train", [192, 64, 128], 8),
    ("Tree", [128, 128, 0], 5),
    ("Truck_Bus", [192, 128, 192], 8),
    ("Tunnel", [64, 0, 64], 1),
    ("VegetationMisc", [192, 192, 0], 5),
    ("Wall", [64, 192, 0], 1),
    ("Void", [0, 0, 0], UNLABELLED),
];

/// Whether the folders are those of the original download.
pub(super) fn probe(root: &Path) -> bool {
    original_folders(root).is_some()
}

/// `701_StillsRaw_full` and `LabeledApproved_full`.
fn original_folders(root: &Path) -> Option<FolderPair> {
    let folders = subfolders(root).ok()?;
    let find =
        |word: &str| folders.iter().find(|(name, _)| name.contains(word)).map(|(_, path)| path.clone());
    let (images, masks) = (find("stillsraw")?, find("labeledapproved")?);
    Some(FolderPair { part: None, prefix: String::new(), images, masks })
}

pub(super) fn find(root: &Path, grouping: Grouping, notes: &mut Notes) -> Result<Found> {
    let records = match original_folders(root) {
        Some(folders) => pair_original(&folders, notes)?,
        None => folders::find(root, notes)?.records,
    };
    let coloured = is_coloured(&records);
    let (classes, decoder) = match (grouping, coloured) {
        (Grouping::Original, _) => {
            let named: Vec<(&str, [u8; 3])> = CLASSES[..31].iter().map(|&(n, c, _)| (n, c)).collect();
            let classes = Classes::coloured(&named);
            let entries = CLASSES.iter().zip(0..).map(|(&(_, colour, group), label)| {
                (colour, if group == UNLABELLED { IGNORED } else { label })
            });
            (classes, MaskDecoder::colours(ColourTable::grouped(entries, 31)))
        }
        (Grouping::Eleven | Grouping::Twelve, coloured) => {
            let count = if grouping == Grouping::Eleven { 11 } else { 12 };
            let label = |group: u8| if usize::from(group) < count { group } else { IGNORED };
            let decoder = if coloured {
                let entries = CLASSES.iter().map(|&(_, colour, group)| (colour, label(group)));
                MaskDecoder::colours(ColourTable::grouped(entries, count))
            } else {
                let entries = (0..=UNLABELLED).map(|v| (u16::from(v), label(v)));
                let table: BTreeMap<u16, u8> = entries.chain([(u16::from(IGNORED), IGNORED)]).collect();
                MaskDecoder::ids(table)
            };
            (Classes::camvid(count), decoder)
        }
    };
    Ok(Found::fixed(records, classes, decoder))
}

/// Pairs `0001TP_006690.png` with `0001TP_006690_L.png`. Only 701 of the frames have masks, so that images without one are
/// passed over where there are more images than masks.
fn pair_original(folders: &FolderPair, notes: &mut Notes) -> Result<Vec<Record>> {
    let images = files_by_stem(&folders.images, notes)?;
    let masks = files_by_stem(&folders.masks, notes)?;
    if images.len() == masks.len() {
        // Names that lack a partner are told.
        return pair_files(folders, notes);
    }
    let pair = |(stem, mask): (String, PathBuf)| {
        let stem = stem.strip_suffix("_L").unwrap_or(&stem);
        let image = images.get(stem)?;
        Some(Record::of_files(stem.to_owned(), None, image.clone(), mask))
    };
    Ok(masks.into_iter().filter_map(pair).collect())
}

/// Whether the first mask that can be decoded is coloured.
fn is_coloured(records: &[Record]) -> bool {
    let decode = |record: &Record| {
        let path = record.target.path();
        read_file(path).ok().and_then(|bytes| RawMask::decode(&bytes, path).ok())
    };
    records.iter().find_map(decode).is_some_and(|mask| mask.is_coloured() || mask.palette().is_some())
}
