//! Pixels as a file stores them, and their way to the 8 bits that everything else works with.

use dapple_base::{SampleKind, ValueRange};
use image::{ColorType, DynamicImage};

use crate::image::raster::{Channels, Photo, Raster};

/// Numbers of the types that files have, in the smallest type that holds them exactly (whole numbers of 64 bits nearly).
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// Unsigned, up to 8 bits.
    U8(Vec<u8>),
    /// Unsigned, 9 to 16 bits.
    U16(Vec<u16>),
    /// Signed of up to 16 bits, and floating-point of up to 32.
    F32(Vec<f32>),
    /// All others.
    F64(Vec<f64>),
}

/// An image as it is stored, `[height, width, channels]`.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Values a pixel, alpha included.
    pub channels: usize,
    /// The channel that is alpha.
    pub alpha: Option<usize>,
    /// The values.
    pub samples: Samples,
    /// Their type in the file.
    pub kind: SampleKind,
    /// The value of pixels without data.
    pub nodata: Option<f64>,
    /// Which pixels are there, `[height, width]`: 0 for those that are not. `None` where the file has no mask.
    pub mask: Option<Vec<u8>>,
    /// The profile of the colours.
    pub icc: Option<Vec<u8>>,
}

impl Samples {
    fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    fn get(&self, index: usize) -> f64 {
        match self {
            Self::U8(values) => values[index].into(),
            Self::U16(values) => values[index].into(),
            Self::F32(values) => values[index].into(),
            Self::F64(values) => values[index],
        }
    }

    /// Appends numbers of the same type.
    pub(crate) fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::U8(to), Self::U8(more)) => to.extend(more),
            (Self::U16(to), Self::U16(more)) => to.extend(more),
            (Self::F32(to), Self::F32(more)) => to.extend(more),
            (Self::F64(to), Self::F64(more)) => to.extend(more),
            _ => unreachable!("the rows of a file have one type"),
        }
    }

    /// Appends a number so many times, as the nearest one of the type.
    pub(crate) fn repeat(&mut self, value: f64, count: usize) {
        match self {
            Self::U8(to) => to.resize(to.len() + count, value as u8),
            Self::U16(to) => to.resize(to.len() + count, value as u16),
            Self::F32(to) => to.resize(to.len() + count, value as f32),
            Self::F64(to) => to.resize(to.len() + count, value),
        }
    }

    /// One plane after the other, of one type and length, as one pixel after the other.
    pub(crate) fn interleave(mut planes: Vec<Self>) -> Self {
        fn mixed<T: Copy>(planes: &[Vec<T>]) -> Vec<T> {
            (0..planes[0].len()).flat_map(|i| planes.iter().map(move |plane| plane[i])).collect()
        }
        macro_rules! of_type {
            ($variant:ident) => {
                Self::$variant(mixed(
                    &planes
                        .into_iter()
                        .filter_map(|plane| match plane {
                            Self::$variant(values) => Some(values),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                ))
            };
        }
        if planes.len() == 1 {
            return planes.remove(0);
        }
        match planes[0] {
            Self::U8(_) => of_type!(U8),
            Self::U16(_) => of_type!(U16),
            Self::F32(_) => of_type!(F32),
            Self::F64(_) => of_type!(F64),
        }
    }
}

impl Stored {
    /// An image of the general decoder.
    pub(crate) fn of(image: DynamicImage, icc: Option<Vec<u8>>) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let color = image.color();
        let channels = usize::from(color.channel_count());
        let alpha = color.has_alpha().then_some(channels - 1);
        let (samples, kind) = match color {
            ColorType::L16 => (Samples::U16(image.into_luma16().into_raw()), SampleKind::Uint(16)),
            ColorType::La16 => (Samples::U16(image.into_luma_alpha16().into_raw()), SampleKind::Uint(16)),
            ColorType::Rgb16 => (Samples::U16(image.into_rgb16().into_raw()), SampleKind::Uint(16)),
            ColorType::Rgba16 => (Samples::U16(image.into_rgba16().into_raw()), SampleKind::Uint(16)),
            ColorType::Rgb32F => (Samples::F32(image.into_rgb32f().into_raw()), SampleKind::Float(32)),
            ColorType::Rgba32F => (Samples::F32(image.into_rgba32f().into_raw()), SampleKind::Float(32)),
            _ => (Samples::U8(image.into_bytes()), SampleKind::BYTE),
        };
        Self { width, height, channels, alpha, samples, kind, nodata: None, mask: None, icc }
    }

    /// Channels without alpha.
    pub(crate) fn bands(&self) -> usize {
        self.channels - usize::from(self.alpha.is_some())
    }

    /// The stored channel of each band.
    fn band_places(&self) -> Vec<usize> {
        (0..self.channels).filter(|&channel| Some(channel) != self.alpha).collect()
    }

    /// The smallest and the largest number of the bands, those of pixels without data left out; `None` if there is none.
    pub fn extent(&self) -> Option<[f64; 2]> {
        let mut extent: Option<[f64; 2]> = None;
        for pixel in 0..self.width * self.height {
            if !self.is_covered(pixel) {
                continue;
            }
            for value in self.bands_of(pixel).filter(|value| value.is_finite()) {
                let [low, high] = extent.get_or_insert([value; 2]);
                (*low, *high) = (low.min(value), high.max(value));
            }
        }
        extent
    }

    /// Finite values of each band, of pixels spread evenly over the image, at most `most` of them.
    pub(crate) fn spread(&self, most: usize) -> Vec<Vec<f64>> {
        let pixels = self.width * self.height;
        // A step that is prime to the width meets all columns.
        let step = (pixels.div_ceil(most.max(1))..).find(|step| gcd(*step, self.width) == 1).unwrap_or(1);
        let places = self.band_places();
        let mut bands = vec![Vec::new(); places.len()];
        for pixel in (0..pixels).step_by(step).filter(|&pixel| self.is_covered(pixel)) {
            for (band, place) in bands.iter_mut().zip(&places) {
                let value = self.samples.get(pixel * self.channels + place);
                if value.is_finite() {
                    band.push(value);
                }
            }
        }
        bands
    }

    fn bands_of(&self, pixel: usize) -> impl Iterator<Item = f64> + '_ {
        let first = pixel * self.channels;
        let bands = (0..self.channels).filter(|&channel| Some(channel) != self.alpha);
        bands.map(move |channel| self.samples.get(first + channel))
    }

    /// Whether a pixel has data: a value other than "no data" in some band.
    fn is_covered(&self, pixel: usize) -> bool {
        if self.mask.as_ref().is_some_and(|mask| mask[pixel] == 0) {
            return false;
        }
        let empty = |value: f64| value.is_nan() || self.nodata.is_some_and(|nodata| value == nodata);
        match (&self.samples, self.nodata) {
            (Samples::U8(_) | Samples::U16(_), None) => true,
            _ => !self.bands_of(pixel).all(empty),
        }
    }

    /// How much of each pixel is there, 0 to 255: its alpha, and 0 without data. `None` where all is there.
    fn coverage(&self) -> Option<Vec<u8>> {
        let pixels = self.width * self.height;
        let alpha = |pixel: usize| {
            self.alpha.map_or(u8::MAX, |channel| {
                byte(self.samples.get(pixel * self.channels + channel), type_span(self.kind))
            })
        };
        let whole = self.alpha.is_none()
            && self.nodata.is_none()
            && self.mask.is_none()
            && matches!(self.samples, Samples::U8(_) | Samples::U16(_));
        if whole {
            return None;
        }
        let coverage: Vec<u8> =
            (0..pixels).map(|pixel| if self.is_covered(pixel) { alpha(pixel) } else { 0 }).collect();
        coverage.iter().any(|&part| part < u8::MAX).then_some(coverage)
    }

    /// The image in 8 bits, black to white by `range`, with the channels asked for and, of a photograph, without alpha.
    /// Numbers beyond the range are clipped, and those that are none become black.
    ///
    /// # Errors
    /// The reason why it has not these channels.
    pub fn photo(self, range: &ValueRange, channels: Channels) -> Result<Photo, String> {
        let coverage = self.coverage();
        let places = match channels {
            Channels::First(_) => (0..self.channels).collect(),
            Channels::Grey | Channels::Rgb => self.band_places(),
        };
        let (width, height, count) = (self.width, self.height, channels.count());
        let stored = self.channels;
        let spans = self.spans(range)?;
        let data = match self.samples {
            Samples::U8(values) if spans.iter().all(|&span| span == type_span(self.kind)) => {
                select(values, stored, &places)
            }
            samples => {
                let of = |index: usize| byte(samples.get(index), spans[index % stored]);
                let bytes = (0..samples.len()).map(of).collect();
                select(bytes, stored, &places)
            }
        };
        let raster = Raster { width, height, channels: places.len(), data };
        if !raster.converts_to(channels) {
            return Err(format!("it has {} channels where {count} are needed", raster.channels));
        }
        Ok(Photo { raster: raster.with_channels(channels), coverage, icc: self.icc })
    }

    /// The range of each stored channel.
    fn spans(&self, range: &ValueRange) -> Result<Vec<[f64; 2]>, String> {
        let places = self.band_places();
        let mut spans = vec![type_span(self.kind); self.channels];
        if let ValueRange::Span(given) = range {
            if given.len() > 1 && given.len() != places.len() {
                let (bands, ranges) = (places.len(), given.len());
                return Err(format!(
                    "it has {bands} channels, but the range of values is given for {ranges}"
                ));
            }
            for (band, &place) in places.iter().enumerate() {
                spans[place] = range.of_channel(band).unwrap_or(spans[place]);
            }
        }
        Ok(spans)
    }
}

/// The span of a type; of one without white, as of alpha in floating-point numbers, 0 to 1.
fn type_span(kind: SampleKind) -> [f64; 2] {
    [0.0, kind.white().unwrap_or(1.0)]
}

/// A number of a span as 8 bits, to the nearest.
fn byte(value: f64, [low, high]: [f64; 2]) -> u8 {
    // The conversion saturates, and takes what is no number for 0.
    ((value - low) * 255.0 / (high - low)).round() as u8
}

fn select(values: Vec<u8>, stored: usize, places: &[usize]) -> Vec<u8> {
    if places.len() == stored {
        return values;
    }
    values.chunks_exact(stored).flat_map(|pixel| places.iter().map(|&place| pixel[place])).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_become_eight_to_the_nearest() {
        for value in 0..=u16::MAX {
            let nearest = ((u32::from(value) + 128) / 257) as u8;
            assert_eq!(byte(value.into(), type_span(SampleKind::Uint(16))), nearest, "{value}");
        }
        for value in 0..=u8::MAX {
            assert_eq!(byte(value.into(), [0.0, 255.0]), value);
        }
        assert_eq!([byte(f64::NAN, [0.0, 1.0]), byte(-3.0, [0.0, 1.0]), byte(9.0, [0.0, 1.0])], [0, 0, 255]);
    }
}
