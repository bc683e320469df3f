//! Looking at all masks of a data set once: which values, colours or labels they have, and how often.

use std::collections::{BTreeMap, BTreeSet};

use dapple_base::SampleKind;
use image::metadata::Orientation;

use crate::dataset::options::MaskOrientation;
use crate::error::{DataError, Result};
use crate::format::found::{Record, Target};
use crate::format::walk::bad_file;
use crate::image::decode::{ImageHeader, decode_stored, image_header, read_file};
use crate::image::orientation::{UPRIGHT, turns_a_quarter};
use crate::mask::decoder::{MaskDecoder, decode_segments};
use crate::mask::merged;
use crate::mask::palettes::UsedPalette;
use crate::mask::raw::RawMask;
use crate::parallel::in_parallel;

/// The most colours that one mask may have to be taken for a colour-coded one; a photograph has many more.
pub(crate) const COLOUR_LIMIT: usize = 4096;

/// The facts about one pair after its mask was read.
#[derive(Debug, Clone)]
pub(crate) struct PairSurvey {
    /// Width of the upright image.
    pub width: usize,
    /// Height of the upright image.
    pub height: usize,
    /// The type of the image's values.
    pub values: SampleKind,
    /// The image's channels without alpha.
    pub bands: usize,
    /// How the mask has to be turned to lie on the upright image.
    pub turn: Turn,
    pub mask: SurveyedMask,
    /// The opacities, in masks of one colour that are looked at as they are stored.
    pub alpha: Option<Alpha>,
}

/// How a mask has to be turned, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The image has no orientation, or the mask one of its own; or the user says it.
    Known(Orientation),
    /// The size tells: the mask lies on the image as it is stored and is turned with it, or on the upright image.
    BySize(Orientation),
    /// The image is turned by this; the size of the mask is the same in both cases.
    Open(Orientation),
}

impl Turn {
    /// The turn of the mask; an open one is not yet decided.
    pub fn orientation(self) -> Orientation {
        match self {
            Self::Known(turn) | Self::BySize(turn) => turn,
            Self::Open(_) => UPRIGHT,
        }
    }
}

/// The content of a mask, each value with the number of its pixels.
#[derive(Debug, Clone)]
pub(crate) enum SurveyedMask {
    /// Labels by a decoder that was known before.
    Labels {
        counts: Vec<(u8, u64)>,
        /// Pixels of a lossy file that took the label of the nearest value or colour.
        moved: u64,
        palette: Option<UsedPalette>,
    },
    /// Stored values.
    Values(FileValues),
    /// Colours as [`pack`](crate::mask::colour::pack) makes them, at most [`COLOUR_LIMIT`] and one.
    Colours {
        counts: BTreeMap<u32, u64>,
        /// The file is lossy, whose colours are near the true ones only.
        lossy: bool,
    },
}

/// The values of one mask.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileValues {
    pub counts: BTreeMap<u16, u64>,
    /// The value of white.
    pub white: u16,
    /// The file is a JPEG or a lossy WebP, whose values are near the true ones only.
    pub lossy: bool,
    /// The palette, where the values are indices into one.
    pub palette: Option<UsedPalette>,
}

/// The opacities of a mask whose pixels all have one colour.
#[derive(Debug, Clone)]
pub(crate) struct Alpha {
    pub counts: BTreeMap<u16, u64>,
    /// The value of opaque pixels.
    pub white: u16,
}

/// How masks are looked at.
#[derive(Clone, Copy)]
pub(crate) enum Look<'a> {
    /// Grey values and palette indices as such, colours of colour pictures.
    AsStored,
    /// Colours of all.
    Colours,
    /// Decoded by what is known of the data set: decoder, number of classes, ignore label.
    Decoded(&'a MaskDecoder, usize, Option<u8>),
}

/// Reads all masks and the sizes of all images on all cores, in the order of `records`.
///
/// With `decode_images` the images are decoded as well, so that damaged ones are found now and not while training.
pub(crate) fn survey(
    records: &[Record],
    look: Look<'_>,
    decode_images: bool,
    masks_are: Option<MaskOrientation>,
) -> Vec<Result<PairSurvey>> {
    in_parallel(records.len(), |i| survey_pair(&records[i], look, decode_images, masks_are))
}

fn survey_pair(
    record: &Record,
    look: Look<'_>,
    decode_images: bool,
    masks_are: Option<MaskOrientation>,
) -> Result<PairSurvey> {
    let header = image_header(&record.image)?;
    if decode_images {
        decode_stored(&read_file(&record.image)?, &record.image)?;
    }
    let (width, height) = header.size();
    let upright = (width as usize, height as usize);
    let stored = (header.stored.0 as usize, header.stored.1 as usize);
    let turn_for = |size: (usize, usize), is_upright: bool| match (header.orientation, masks_are) {
        (Orientation::NoTransforms, _) => Turn::Known(UPRIGHT),
        _ if is_upright => Turn::Known(UPRIGHT),
        (turn, Some(MaskOrientation::AsImage)) => Turn::Known(turn),
        (_, Some(MaskOrientation::Upright)) => Turn::Known(UPRIGHT),
        (turn, None) if turns_a_quarter(turn) && stored != upright => {
            Turn::BySize(if size == stored { turn } else { UPRIGHT })
        }
        (turn, None) => Turn::Open(turn),
    };
    let fitting = |size: (usize, usize), turn: Turn| {
        let turned = if turns_a_quarter(turn.orientation()) { (size.1, size.0) } else { size };
        if turned == upright {
            return Ok(turn);
        }
        Err(DataError::SizeMismatch {
            image: record.image.clone(),
            image_width: width,
            image_height: height,
            mask: record.target.path().to_owned(),
            mask_width: size.0 as u32,
            mask_height: size.1 as u32,
        })
    };
    let mut alpha = None;
    let (turn, mask) = match &record.target {
        Target::Mask(path) => {
            let raw = RawMask::decode(&read_file(path)?, path)?;
            let size = (raw.width, raw.height);
            if let (Look::AsStored, Some(values)) = (look, raw.alpha()) {
                alpha = Some(Alpha { counts: count(values, usize::MAX), white: raw.white });
            }
            let own = raw.has_orientation;
            let mask = look.at(raw, record)?;
            (fitting(size, turn_for(size, own))?, mask)
        }
        Target::Segments { path, labels } => {
            let map = decode_segments(path, labels, UPRIGHT)?;
            let size = (map.width, map.height);
            (fitting(size, turn_for(size, false))?, of_labels(map.counts()))
        }
        Target::Regions { path, regions } => {
            if let Some(problem) = regions.problem() {
                return Err(bad_file(path, problem));
            }
            let size = (regions.width, regions.height);
            // Drawn on what an annotator sees, the upright image, unless the size says otherwise.
            let turn = fitting(size, turn_for(size, size == upright && masks_are.is_none()))?;
            (turn, of_labels(regions.draw().counts()))
        }
        Target::Merged(parts) => {
            let (map, own) = merged::draw(parts)?;
            (
                fitting((map.width, map.height), turn_for((map.width, map.height), own))?,
                of_labels(map.counts()),
            )
        }
    };
    let ImageHeader { kind: values, bands, .. } = header;
    Ok(PairSurvey { width: upright.0, height: upright.1, values, bands, turn, mask, alpha })
}

impl Look<'_> {
    fn at(self, raw: RawMask, record: &Record) -> Result<SurveyedMask> {
        let path = record.target.path();
        match self {
            Self::Decoded(decoder, classes, ignore) => {
                let palette = used_palette(&raw);
                let (map, moved) = decoder.labels(raw, path, classes, ignore)?;
                Ok(SurveyedMask::Labels { counts: map.counts(), moved, palette })
            }
            Self::AsStored if !raw.is_coloured() => {
                let (white, lossy, palette) = (raw.white, raw.is_lossy, used_palette(&raw));
                let counts = count(&raw.into_values(path)?.values, usize::MAX);
                Ok(SurveyedMask::Values(FileValues { counts, white, lossy, palette }))
            }
            Self::AsStored | Self::Colours => {
                let lossy = raw.is_lossy;
                Ok(SurveyedMask::Colours {
                    counts: count(&raw.into_colours(path)?.1, COLOUR_LIMIT + 1),
                    lossy,
                })
            }
        }
    }
}

/// Labels that no palette and no loss made doubtful.
fn of_labels(counts: Vec<(u8, u64)>) -> SurveyedMask {
    SurveyedMask::Labels { counts, moved: 0, palette: None }
}

fn used_palette(raw: &RawMask) -> Option<UsedPalette> {
    let palette = raw.palette()?;
    Some(UsedPalette::new(palette, raw.runs().collect::<BTreeSet<u16>>().into_iter()))
}

/// How often each value occurs; no more values are counted than `limit`.
fn count<T: Copy + Ord>(values: &[T], limit: usize) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    for run in values.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_insert(0) += run.len() as u64;
        if counts.len() >= limit {
            break;
        }
    }
    counts
}
