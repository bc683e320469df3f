//! From the pixels of a mask file to labels, as the whole data set is coded.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use image::metadata::Orientation;

use crate::classes::Classes;
use crate::error::{DataError, Result};
use crate::image_file::{orient, read_file};
use crate::labels::{LabelCoding, LabelMap, mask_value_error};
use crate::raw_mask::RawMask;

/// How the mask files of a data set are decoded.
#[derive(Debug, Clone)]
pub(crate) enum MaskDecoder {
    /// Stored values, the same for all formats without a table.
    Values(LabelCoding),
    /// Stored values by a table of the format, such as the ids of Cityscapes.
    Table(Arc<BTreeMap<u16, u8>>),
    /// Colours.
    Colours(Arc<ColourTable>),
}

/// The labels of colours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColourTable {
    /// By `red << 16 | green << 8 | blue`.
    labels: HashMap<u32, u8>,
    /// How many labels there are, the ignored ones aside.
    classes: usize,
}

/// The labels of segments by their ids; ids without an entry are unknown.
pub(crate) type SegmentLabels = HashMap<u32, u8>;

/// What an orientation does to a mask; see [`decode`](MaskDecoder::decode).
pub(crate) const UPRIGHT: Orientation = Orientation::NoTransforms;

impl ColourTable {
    /// The colours of `classes`, and `ignored` ones with the label `ignore`.
    ///
    /// # Errors
    /// The two classes of one colour, for the reader.
    pub fn new(
        classes: &Classes,
        ignored: &[[u8; 3]],
        ignore: Option<u8>,
    ) -> std::result::Result<Self, String> {
        let mut labels = HashMap::new();
        for (label, colour) in (0..=255).zip(&classes.colours) {
            if let Some(first) = labels.insert(pack(*colour), label) {
                let (first, second) =
                    (&classes.names[usize::from(first)], &classes.names[usize::from(label)]);
                let [r, g, b] = colour;
                return Err(format!(
                    "`{first}` and `{second}` both have the colour {r}, {g}, {b}; correct one"
                ));
            }
        }
        if let Some(ignore) = ignore {
            for colour in ignored {
                labels.entry(pack(*colour)).or_insert(ignore);
            }
        }
        Ok(Self { labels, classes: classes.len() })
    }

    /// Whether every one of the colours has a label.
    pub fn has_all(&self, mut colours: impl Iterator<Item = u32>) -> bool {
        colours.all(|colour| self.labels.contains_key(&colour))
    }

    /// A table of single entries; several colours may share a label.
    pub fn grouped(entries: impl IntoIterator<Item = ([u8; 3], u8)>, classes: usize) -> Self {
        let labels = entries.into_iter().map(|(colour, label)| (pack(colour), label)).collect();
        Self { labels, classes }
    }
}

/// `red << 16 | green << 8 | blue`.
pub(crate) fn pack([r, g, b]: [u8; 3]) -> u32 {
    u32::from(r) << 16 | u32::from(g) << 8 | u32::from(b)
}

/// The colour that [`pack`] made into a number.
pub(crate) fn unpack(colour: u32) -> [u8; 3] {
    [(colour >> 16) as u8, (colour >> 8) as u8, colour as u8]
}

impl MaskDecoder {
    /// Decodes a mask to labels below `classes` or equal to `ignore`, and turns it by `turn`, which its image's EXIF
    /// data asks for.
    pub fn decode(
        &self,
        path: &Path,
        turn: Orientation,
        classes: usize,
        ignore: Option<u8>,
    ) -> Result<LabelMap> {
        let map = self.labels(RawMask::decode(&read_file(path)?, path)?, path, classes, ignore)?;
        Ok(turned(map, turn))
    }

    /// The labels of a decoded mask, which `path` names in errors.
    pub fn labels(&self, mask: RawMask, path: &Path, classes: usize, ignore: Option<u8>) -> Result<LabelMap> {
        let allowed = |label: u8| usize::from(label) < classes || ignore == Some(label);
        match self {
            Self::Values(coding) => {
                let mask = mask.into_values(path)?;
                let error = |value: u16, _| mask_value_error(path, value, *coding, classes);
                map_runs(mask.width, &mask.values, |v| coding.label(v, ignore).filter(|&l| allowed(l)), error)
            }
            Self::Table(table) => {
                let mask = mask.into_values(path)?;
                let error = |value: u16, _| DataError::MaskValue {
                    path: path.to_owned(),
                    value,
                    expected: "the format knows no such id".into(),
                };
                map_runs(mask.width, &mask.values, |v| table.get(&v).copied(), error)
            }
            Self::Colours(table) => {
                let (width, colours) = mask.into_colours(path)?;
                let error = |colour: u32, at: usize| unknown_colour(path, colour, at, width, table.classes);
                map_runs(width, &colours, |c| table.labels.get(&c).copied(), error)
            }
        }
    }
}

/// The labels of a picture of segment ids, `red + 256 green + 65536 blue` as COCO's panoptic masks have them.
pub(crate) fn decode_segments(path: &Path, labels: &SegmentLabels, turn: Orientation) -> Result<LabelMap> {
    let (width, colours) = RawMask::decode(&read_file(path)?, path)?.into_colours(path)?;
    let id = |colour: u32| {
        u32::from_le_bytes({
            let [r, g, b] = unpack(colour);
            [r, g, b, 0]
        })
    };
    let unknown = |colour, at: usize| DataError::Decode {
        path: path.to_owned(),
        reason: format!("segment {} at pixel {}, {} is not in the JSON", id(colour), at % width, at / width),
    };
    let map = map_runs(width, &colours, |colour| labels.get(&id(colour)).copied(), unknown)?;
    Ok(turned(map, turn))
}

/// Labels of values, looked up once for each run of equal ones: masks are flat.
fn map_runs<T: Copy + PartialEq>(
    width: usize,
    values: &[T],
    label: impl Fn(T) -> Option<u8>,
    error: impl Fn(T, usize) -> DataError,
) -> Result<LabelMap> {
    let mut labels = Vec::with_capacity(values.len());
    for run in values.chunk_by(|a, b| a == b) {
        let label = label(run[0]).ok_or_else(|| error(run[0], labels.len()))?;
        labels.resize(labels.len() + run.len(), label);
    }
    Ok(LabelMap { width, height: values.len() / width, labels })
}

fn unknown_colour(path: &Path, colour: u32, at: usize, width: usize, classes: usize) -> DataError {
    let [r, g, b] = unpack(colour);
    let reason = format!(
        "pixel {}, {} has the colour {r}, {g}, {b}, which none of the {classes} classes has \
         (a mask that was smoothed, resized or saved as JPEG has such colours at its borders)",
        at % width,
        at / width
    );
    DataError::Decode { path: path.to_owned(), reason }
}

fn turned(map: LabelMap, turn: Orientation) -> LabelMap {
    let (width, height, labels) = orient(map.width, map.height, 1, map.labels, turn);
    LabelMap { width, height, labels }
}

impl LabelMap {
    /// Turned upright by the orientation of its image.
    pub(crate) fn turned(self, turn: Orientation) -> Self {
        turned(self, turn)
    }

    /// How many pixels have each label, in the order of labels; labels without a pixel are left out.
    pub(crate) fn counts(&self) -> Vec<(u8, u64)> {
        let mut counts = [0_u64; 256];
        for run in self.labels.chunk_by(|a, b| a == b) {
            counts[usize::from(run[0])] += run.len() as u64;
        }
        (0..=255).zip(counts).filter(|&(_, n)| n > 0).collect()
    }
}
