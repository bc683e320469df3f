//! Several mask files of one image, each of one region or class, drawn over each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::image::decode::read_file;
use crate::mask::label_map::LabelMap;
use crate::mask::raw::{Plane, RawMask};

/// From this value on a pixel of a soft or lossy mask is in its region.
const THRESHOLD: u16 = 128;

/// The share of nearly black or white pixels in a soft or lossy mask.
const DECIDED_SHARE: f64 = 0.9;

/// A mask file of one region.
#[derive(Debug, Clone)]
pub(crate) struct MaskPart {
    pub path: PathBuf,
    /// The label of the region's pixels.
    pub label: u8,
    /// The label is that of all other pixels instead: the file says which pixels count.
    pub outside: bool,
}

/// The label map of the parts in their order, label 0 where none is, and whether a file says how it is to be turned.
///
/// # Errors
/// Those of reading and decoding, [`DataError::BadFile`] for a mask that is not one region and for masks of different sizes.
pub(crate) fn draw(parts: &[MaskPart]) -> Result<(LabelMap, bool)> {
    let mut drawn: Option<(LabelMap, bool)> = None;
    for part in parts {
        let region = Region::read(&part.path)?;
        let size = (region.width, region.height);
        let (map, turned) = drawn.get_or_insert_with(|| {
            let labels = vec![0; region.bits.len()];
            (LabelMap { width: region.width, height: region.height, labels }, false)
        });
        if size != (map.width, map.height) {
            let problem = format!(
                "this mask has {} x {} pixels, another of the same image, {}, has {} x {}",
                size.0,
                size.1,
                parts[0].path.display(),
                map.width,
                map.height
            );
            return Err(DataError::BadFile { path: part.path.clone(), problem });
        }
        *turned |= region.has_orientation;
        for (label, _) in map.labels.iter_mut().zip(&region.bits).filter(|(_, bit)| **bit != part.outside) {
            *label = part.label;
        }
    }
    Ok(drawn.unwrap_or_else(|| (LabelMap { width: 0, height: 0, labels: Vec::new() }, false)))
}

/// The pixels of one region.
#[derive(Debug)]
pub(crate) struct Region {
    pub width: usize,
    pub height: usize,
    pub bits: Vec<bool>,
    has_orientation: bool,
}

impl Region {
    /// Reads a mask file of one region: black outside, one other value or colour inside, or the shape in its opacity.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(RawMask::decode(&read_file(path)?, path)?, path)
    }

    fn of(raw: RawMask, path: &Path) -> Result<Self> {
        let plane = plane(&raw);
        let raw = raw.on_plane(plane, path)?;
        let RawMask { width, height, has_orientation, is_lossy, .. } = raw;
        let of_bits = |bits| Self { width, height, bits, has_orientation };
        if raw.is_coloured() {
            let colours = raw.into_colours(path)?.1;
            let runs = colours.chunk_by(|a, b| a == b).map(|run| run[0]);
            let found: BTreeSet<u32> = runs.filter(|&colour| colour != 0).collect();
            if found.len() > 1 {
                return Err(several(path, &format!("{} colours", found.len())));
            }
            return Ok(of_bits(colours.into_iter().map(|colour| colour != 0).collect()));
        }
        let mask = raw.into_values(path)?;
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        for run in mask.values.chunk_by(|a, b| a == b) {
            *counts.entry(run[0]).or_insert(0) += run.len() as u64;
        }
        let inside = |least: u16| mask.values.iter().map(|&value| value >= least).collect();
        let values: Vec<u16> = counts.keys().copied().take(8).collect();
        match values[..] {
            [] | [_] | [0, _] => Ok(of_bits(inside(1))),
            _ if is_soft(&counts, is_lossy) => Ok(of_bits(inside(THRESHOLD))),
            _ => {
                let more = if counts.len() > values.len() { ", …" } else { "" };
                let values: Vec<String> = values.iter().map(u16::to_string).collect();
                Err(several(path, &format!("the values {}{more}", values.join(", "))))
            }
        }
    }
}

/// The part of the file that shows the region.
fn plane(raw: &RawMask) -> Plane {
    let varies = |alpha: &[u16]| alpha.iter().any(|&value| value != alpha[0]);
    if raw.alpha().is_some_and(varies) {
        return Plane::Alpha;
    }
    let Some(palette) = raw.palette() else { return Plane::Stored };
    let used: BTreeSet<u16> = raw.runs().collect();
    let colours: BTreeSet<Option<&[u8; 3]>> =
        used.iter().map(|&index| palette.get(usize::from(index))).collect();
    // A palette of one colour shows nothing, so that the indices count.
    if used.len() > 1 && colours.len() == 1 { Plane::Stored } else { Plane::Greys }
}

/// Whether values of 0 to 255 are nearly all dark or bright.
fn is_soft(counts: &BTreeMap<u16, u64>, is_lossy: bool) -> bool {
    let pixels: u64 = counts.values().sum();
    let decided: u64 =
        counts.iter().filter(|&(v, _)| *v <= 32 || (223..=255).contains(v)).map(|(_, n)| n).sum();
    (is_lossy || counts.len() > 32)
        && counts.keys().all(|&value| value <= 255)
        && decided as f64 >= DECIDED_SHARE * pixels as f64
}

fn several(path: &Path, found: &str) -> DataError {
    let problem = format!(
        "it is one of several masks of an image, so that it must show one region, black outside and one value inside, \
         but it has {found}; save one label map for each image, or masks of one region each"
    );
    DataError::BadFile { path: path.to_owned(), problem }
}
