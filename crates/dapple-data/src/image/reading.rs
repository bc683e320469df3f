//! How image files are read: with which channels, and which of their values are black and white.

use std::path::Path;

use dapple_base::{SampleKind, TrainingImages, ValueRange};

use crate::error::{DataError, Result};
use crate::image::raster::{Channels, MAX_CHANNELS};

/// How image files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The channels of the result.
    pub channels: Channels,
    /// The values that become black and white.
    pub range: ValueRange,
    /// The images that the range belongs to. Images of another type, or with more channels, are refused where their
    /// meaning would be a guess. `None` applies the range to all.
    pub images: Option<SourceImages>,
}

/// The images that a range of values was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceImages {
    /// The type of their values.
    pub values: SampleKind,
    /// Their channels without alpha.
    pub bands: usize,
}

impl From<Channels> for Reading {
    /// Every file by the range of its type.
    fn from(channels: Channels) -> Self {
        Self { channels, range: ValueRange::Type, images: None }
    }
}

/// A dark image uses less than this share of the range.
const DARK: f64 = 1.0 / 16.0;

impl Reading {
    /// As the images of a training were read.
    pub fn of_training(channels: Channels, images: &TrainingImages) -> Self {
        let source = SourceImages { values: images.values, bands: images.bands };
        Self { channels, range: images.range.clone(), images: Some(source) }
    }

    /// Checks the number of channels.
    pub(crate) fn check(&self) -> Result<()> {
        let count = self.channels.count();
        if (1..=MAX_CHANNELS).contains(&count) {
            return Ok(());
        }
        Err(DataError::setting("channels", count, "1 (grey), 3 (colour), or up to 64"))
    }

    /// The range for a file with values of type `kind` in so many bands; `extent` gives its smallest and largest value, if
    /// it has any.
    ///
    /// # Errors
    /// [`DataError::Image`] where the file can be read in two ways.
    pub fn settle(
        &self,
        path: &Path,
        (kind, bands): (SampleKind, usize),
        extent: impl FnOnce() -> Result<Option<[f64; 2]>>,
    ) -> Result<ValueRange> {
        let refuse = |problem: String| Err(DataError::image(path, problem));
        if let Some(source) = self.images
            && bands > source.bands
            && bands > 3
        {
            return refuse(format!(
                "it has {bands} channels, but the model was trained on images of {}; save those that are meant as an image \
                 of their own (gdal_translate -b 1 -b 2 -b 3)",
                source.bands
            ));
        }
        let as_bytes = kind == SampleKind::BYTE;
        match (&self.range, self.images.map(|source| source.values)) {
            (ValueRange::Type, _) if as_bytes => Ok(ValueRange::Type),
            (ValueRange::Type, _) if kind.white().is_none() => {
                let found = extent()?.map_or(String::new(), |[low, high]| format!(" from {low} to {high}"));
                refuse(format!(
                    "its values are of the type {kind}{found}, and nothing says which of them are black and white; give \
                     --value-range 0..1, --value-range 0..255, or the range that is meant"
                ))
            }
            (ValueRange::Type, Some(SampleKind::BYTE)) => {
                let white = kind.white().unwrap_or(f64::MAX);
                match extent()? {
                    Some([low, high]) if high > 0.0 && high < DARK * white => refuse(format!(
                        "its values of the type {kind} go from {low} to {high} only, and the model was trained on images \
                         of 8 bits: as they are they would be nearly black; give --value-range {low}..{high} to stretch \
                         them, or --value-range type to take them as they are"
                    )),
                    _ => Ok(ValueRange::Type),
                }
            }
            (ValueRange::Span(spans), Some(source)) if source != kind => {
                let low = spans.iter().map(|span| span[0]).fold(f64::INFINITY, f64::min);
                let high = spans.iter().map(|span| span[1]).fold(f64::NEG_INFINITY, f64::max);
                let whole = !matches!(source, SampleKind::Float(_));
                // Numbers of another type may well be of the same scale, but not where hardly any is in the range.
                let fits = match extent()? {
                    _ if as_bytes => whole && high <= 255.0,
                    Some(found) => found[1] >= low + DARK * (high - low) && found[0] < high,
                    None => true,
                };
                if fits {
                    return Ok(self.range.clone());
                }
                refuse(format!(
                    "its values are of the type {kind}, but the model was trained on values of the type {source} from {low} \
                     to {high}; convert the image to {source}, or say with --value-range LOW..HIGH (or type) which of its \
                     values are black and white"
                ))
            }
            _ => Ok(self.range.clone()),
        }
    }
}
