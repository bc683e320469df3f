//! From the pixels of a mask file to labels, as the whole data set is coded.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use image::metadata::Orientation;

use crate::error::{DataError, Result};
use crate::image::decode::read_file;
use crate::image::orientation::UPRIGHT;
use crate::mask::coding::{LabelCoding, mask_value_error};
use crate::mask::colour::{ColourTable, unpack};
use crate::mask::label_map::LabelMap;
use crate::mask::raw::{MaskValues, RawMask};

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

/// The labels of segments by their ids; ids without an entry are unknown.
pub(crate) type SegmentLabels = HashMap<u32, u8>;

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
        Ok(map.turned(turn))
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
    Ok(map.turned(turn))
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

/// Decodes the values that a mask file stores.
///
/// Palette PNGs give their indices, grey pictures their values at their own bit depth (a 1-bit PNG gives 0 and 1), RGB
/// pictures whose three channels agree everywhere their grey value; alpha is dropped.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Decode`], [`DataError::TooLarge`], and [`DataError::ColourMask`] for a colour picture.
pub fn decode_values(path: impl AsRef<Path>) -> Result<MaskValues> {
    let path = path.as_ref();
    decode_values_bytes(&read_file(path)?, path)
}

/// Decodes a mask in memory as [`decode_values`] does; `name` is what errors call it.
///
/// # Errors
/// Those of [`decode_values`] but for [`DataError::Read`].
pub fn decode_values_bytes(bytes: &[u8], name: impl AsRef<Path>) -> Result<MaskValues> {
    let name = name.as_ref();
    RawMask::decode(bytes, name)?.into_values(name)
}

/// Decodes a mask file to labels below `classes` or equal to `ignore`.
///
/// # Errors
/// Those of [`decode_values`], and [`DataError::MaskValue`].
pub fn decode_labels(
    path: impl AsRef<Path>,
    coding: LabelCoding,
    classes: usize,
    ignore: Option<u8>,
) -> Result<LabelMap> {
    MaskDecoder::Values(coding).decode(path.as_ref(), UPRIGHT, classes, ignore)
}
