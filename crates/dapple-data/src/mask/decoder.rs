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
use crate::mask::raw::{MaskValues, Plane, RawMask};

/// How the mask files of a data set are decoded.
#[derive(Debug, Clone)]
pub(crate) struct MaskDecoder {
    /// The part of the files that is decoded.
    pub plane: Plane,
    /// The meaning of its values.
    pub code: Code,
}

/// The meaning of values or colours.
#[derive(Debug, Clone)]
pub(crate) enum Code {
    /// Stored values, the same for all formats without a table.
    Values(LabelCoding),
    /// Stored values by a table, such as the ids of Cityscapes.
    Table(Arc<ValueTable>),
    /// Colours.
    Colours(Arc<ColourTable>),
}

/// The labels of values.
#[derive(Debug, Clone)]
pub(crate) struct ValueTable {
    pub labels: BTreeMap<u16, u8>,
    /// The fault of a value that it lacks, as a clause.
    pub unknown: String,
}

/// The labels of segments by their ids; ids without an entry are unknown.
pub(crate) type SegmentLabels = HashMap<u32, u8>;

impl MaskDecoder {
    /// Class indices.
    pub fn indices() -> Self {
        Self::stored(Code::Values(LabelCoding::Indices))
    }

    /// The ids of a format.
    pub fn ids(labels: BTreeMap<u16, u8>) -> Self {
        let unknown = "the format knows no such id".into();
        Self::stored(Code::Table(ValueTable { labels, unknown }.into()))
    }

    /// The colours of a format or a class table.
    pub fn colours(table: ColourTable) -> Self {
        Self::stored(Code::Colours(table.into()))
    }

    /// The values that the files store.
    pub fn stored(code: Code) -> Self {
        Self { plane: Plane::Stored, code }
    }

    /// The meaning of stored values, [`LabelCoding::Indices`] where a table or colours say it.
    pub fn coding(&self) -> LabelCoding {
        match self.code {
            Code::Values(coding) => coding,
            Code::Table(_) | Code::Colours(_) => LabelCoding::Indices,
        }
    }

    /// Decodes a mask to labels below `classes` or equal to `ignore`, and turns it by `turn`, which its image's EXIF
    /// data asks for.
    pub fn decode(
        &self,
        path: &Path,
        turn: Orientation,
        classes: usize,
        ignore: Option<u8>,
    ) -> Result<LabelMap> {
        let (map, _) = self.labels(RawMask::decode(&read_file(path)?, path)?, path, classes, ignore)?;
        Ok(map.turned(turn))
    }

    /// The labels of a decoded mask, which `path` names in errors.
    ///
    /// Pixels of a lossy file take the label of the nearest value or colour that has one; their number is given too.
    pub fn labels(
        &self,
        mask: RawMask,
        path: &Path,
        classes: usize,
        ignore: Option<u8>,
    ) -> Result<(LabelMap, u64)> {
        let lossy = mask.is_lossy;
        let mask = mask.on_plane(self.plane, path)?;
        match &self.code {
            Code::Colours(table) => {
                let (width, colours) = mask.into_colours(path)?;
                let nearest = lossy.then_some(|colour| table.nearest(colour));
                let error = |colour: u32, at: usize| unknown_colour(path, colour, at, width, table.classes);
                map_runs(width, &colours, |c| table.labels.get(&c).copied(), nearest, error)
            }
            code => {
                let mask = mask.into_values(path)?;
                let nearest = lossy.then_some(|value| code.nearest(value, classes, ignore));
                let error = |value: u16, _| code.unknown(path, value, classes);
                map_runs(mask.width, &mask.values, |v| code.label(v, classes, ignore), nearest, error)
            }
        }
    }
}

impl Code {
    /// The label of a value, where it has one that is a class or ignored.
    pub fn label(&self, value: u16, classes: usize, ignore: Option<u8>) -> Option<u8> {
        match self {
            Self::Values(coding) => {
                coding.label(value, ignore).filter(|&l| usize::from(l) < classes || ignore == Some(l))
            }
            Self::Table(table) => table.labels.get(&value).copied(),
            Self::Colours(_) => None,
        }
    }

    /// The label of the nearest value that has one; the lower of two.
    pub fn nearest(&self, value: u16, classes: usize, ignore: Option<u8>) -> Option<u8> {
        let distance = |known: u16| known.abs_diff(value);
        match self {
            Self::Table(table) => {
                let below = table.labels.range(..=value).next_back();
                let above = table.labels.range(value..).next();
                below.into_iter().chain(above).min_by_key(|entry| distance(*entry.0)).map(|(_, &l)| l)
            }
            Self::Values(coding) => {
                let known: Vec<u16> = match *coding {
                    LabelCoding::Indices => vec![(classes - 1) as u16],
                    LabelCoding::Binary { background, foreground } => vec![background, foreground],
                    LabelCoding::Threshold(_) => Vec::new(),
                };
                let all = known.into_iter().chain(ignore.map(u16::from));
                all.min_by_key(|&known| distance(known)).and_then(|v| self.label(v, classes, ignore))
            }
            Self::Colours(_) => None,
        }
    }

    /// The error of a value without a label.
    pub fn unknown(&self, path: &Path, value: u16, classes: usize) -> DataError {
        match self {
            Self::Values(coding) => mask_value_error(path, value, *coding, classes),
            Self::Table(table) => {
                DataError::MaskValue { path: path.to_owned(), value, expected: table.unknown.clone() }
            }
            Self::Colours(_) => mask_value_error(path, value, LabelCoding::Indices, classes),
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
    let none = None::<fn(u32) -> Option<u8>>;
    let (map, _) = map_runs(width, &colours, |colour| labels.get(&id(colour)).copied(), none, unknown)?;
    Ok(map.turned(turn))
}

/// Labels of values, looked up once for each run of equal ones: masks are flat. Values without a label take that of
/// the `nearest` one, where it is given; the number of these pixels is given too.
fn map_runs<T: Copy + Ord + std::hash::Hash>(
    width: usize,
    values: &[T],
    label: impl Fn(T) -> Option<u8>,
    nearest: Option<impl Fn(T) -> Option<u8>>,
    error: impl Fn(T, usize) -> DataError,
) -> Result<(LabelMap, u64)> {
    let mut labels = Vec::with_capacity(values.len());
    let mut moved = 0;
    let mut known: HashMap<T, Option<u8>> = HashMap::new();
    for run in values.chunk_by(|a, b| a == b) {
        let label = label(run[0]).or_else(|| {
            moved += run.len() as u64;
            let nearest = nearest.as_ref()?;
            *known.entry(run[0]).or_insert_with(|| nearest(run[0]))
        });
        let label = label.ok_or_else(|| error(run[0], labels.len()))?;
        labels.resize(labels.len() + run.len(), label);
    }
    Ok((LabelMap { width, height: values.len() / width, labels }, moved))
}

fn unknown_colour(path: &Path, colour: u32, at: usize, width: usize, classes: usize) -> DataError {
    let [r, g, b] = unpack(colour);
    let reason = format!(
        "pixel {}, {} has the colour {r}, {g}, {b}, which none of the {classes} classes has \
         (a mask that was smoothed or resized has such colours at its borders)",
        at % width,
        at / width
    );
    DataError::Decode { path: path.to_owned(), reason }
}

/// Decodes the values that a mask file stores.
///
/// Palette PNGs give their indices, grey pictures their values at their own bit depth (a 1-bit PNG gives 0 and 1, a PGM
/// of maxval 3 gives 0 to 3), RGB pictures whose three channels agree everywhere their grey value; alpha is dropped.
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
    MaskDecoder::stored(Code::Values(coding)).decode(path.as_ref(), UPRIGHT, classes, ignore)
}
