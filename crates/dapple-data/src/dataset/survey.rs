//! Looking at all masks of a data set once: which values, colours or labels they have, and how often.

use std::collections::BTreeMap;

use image::metadata::Orientation;

use crate::error::{DataError, Result};
use crate::format::found::{Record, Target};
use crate::format::walk::bad_file;
use crate::image::decode::{decode_image_as, image_header, read_file};
use crate::image::orientation::{UPRIGHT, turns_a_quarter};
use crate::image::raster::Channels;
use crate::mask::decoder::{MaskDecoder, decode_segments};
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
    /// How the mask has to be turned to lie on the upright image.
    pub turn: Orientation,
    /// Whether the sizes do not tell if the mask has to be turned.
    pub turn_is_guessed: bool,
    pub mask: SurveyedMask,
}

/// The content of a mask, each value with the number of its pixels.
#[derive(Debug, Clone)]
pub(crate) enum SurveyedMask {
    /// Labels by a decoder that was known before.
    Labels(Vec<(u8, u64)>),
    /// Stored values.
    Values {
        values: BTreeMap<u16, u64>,
        /// The file is a JPEG, whose values are near the true ones only.
        inexact: bool,
    },
    /// Colours as [`pack`](crate::mask::colour::pack) makes them, at most [`COLOUR_LIMIT`] and one.
    Colours(BTreeMap<u32, u64>),
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
pub(crate) fn survey(records: &[Record], look: Look<'_>, decode_images: bool) -> Vec<Result<PairSurvey>> {
    in_parallel(records.len(), |i| survey_pair(&records[i], look, decode_images))
}

fn survey_pair(record: &Record, look: Look<'_>, decode_images: bool) -> Result<PairSurvey> {
    let header = image_header(&record.image)?;
    if decode_images {
        decode_image_as(&record.image, Channels::Grey)?;
    }
    let (width, height) = header.size();
    let path = record.target.path();
    let (size, own_orientation, mask) = match &record.target {
        Target::Mask(path) => {
            let raw = RawMask::decode(&read_file(path)?, path)?;
            ((raw.width, raw.height), raw.has_orientation, look.at(raw, record)?)
        }
        Target::Segments { path, labels } => {
            let map = decode_segments(path, labels, UPRIGHT)?;
            ((map.width, map.height), false, SurveyedMask::Labels(map.counts()))
        }
        Target::Regions { path, regions } => {
            if let Some(problem) = regions.problem() {
                return Err(bad_file(path, problem));
            }
            // Drawn on what an annotator sees, the upright image, unless the size says otherwise.
            let upright = (regions.width, regions.height) == (width as usize, height as usize);
            let counts = regions.draw().counts();
            ((regions.width, regions.height), upright, SurveyedMask::Labels(counts))
        }
    };
    let stored = (header.stored.0 as usize, header.stored.1 as usize);
    let upright = (width as usize, height as usize);
    let (turn, turn_is_guessed) = match header.orientation {
        Orientation::NoTransforms => (UPRIGHT, false),
        _ if own_orientation => (UPRIGHT, false),
        turn if turns_a_quarter(turn) && stored != upright => {
            (if size == stored { turn } else { UPRIGHT }, false)
        }
        turn => (turn, true),
    };
    let turned = if turns_a_quarter(turn) { (size.1, size.0) } else { size };
    if turned != upright {
        return Err(DataError::SizeMismatch {
            image: record.image.clone(),
            image_width: width,
            image_height: height,
            mask: path.to_owned(),
            mask_width: size.0 as u32,
            mask_height: size.1 as u32,
        });
    }
    Ok(PairSurvey { width: upright.0, height: upright.1, turn, turn_is_guessed, mask })
}

impl Look<'_> {
    fn at(self, raw: RawMask, record: &Record) -> Result<SurveyedMask> {
        let path = record.target.path();
        match self {
            Self::Decoded(decoder, classes, ignore) => {
                Ok(SurveyedMask::Labels(decoder.labels(raw, path, classes, ignore)?.counts()))
            }
            Self::AsStored if !raw.is_coloured() => {
                let inexact = raw.is_jpeg;
                Ok(SurveyedMask::Values {
                    values: count(&raw.into_values(path)?.values, usize::MAX),
                    inexact,
                })
            }
            Self::AsStored | Self::Colours => {
                Ok(SurveyedMask::Colours(count(&raw.into_colours(path)?.1, COLOUR_LIMIT + 1)))
            }
        }
    }
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
