//! Probability maps, in the forms in which files and networks give them.

use crate::error::{MetricsError, check_lengths};

/// Row-major probabilities of the foreground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Probabilities<'a> {
    /// Numbers in `[0, 1]`.
    Unit(&'a [f32]),
    /// 8 bits: 255 stands for 1.
    Bits8(&'a [u8]),
    /// 16 bits: 65535 stands for 1.
    Bits16(&'a [u16]),
}

impl Probabilities<'_> {
    /// Number of pixels.
    pub fn len(&self) -> usize {
        match self {
            Probabilities::Unit(values) => values.len(),
            Probabilities::Bits8(values) => values.len(),
            Probabilities::Bits16(values) => values.len(),
        }
    }

    /// There is no pixel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The probability of a pixel.
    ///
    /// # Panics
    /// If there is no such pixel, as indexing a slice does; so does [`Probabilities::level`].
    pub fn value(&self, pixel: usize) -> f64 {
        match self {
            Probabilities::Unit(values) => f64::from(values[pixel]),
            Probabilities::Bits8(values) => f64::from(values[pixel]) / 255.0,
            Probabilities::Bits16(values) => f64::from(values[pixel]) / 65535.0,
        }
    }

    /// The largest `t` in `0..=255` with `p >= t / 255`, without rounding error.
    pub fn level(&self, pixel: usize) -> u8 {
        match self {
            // Exact: 24 bits of an `f32` times 8 bits fit into an `f64`.
            Probabilities::Unit(values) => (f64::from(values[pixel]) * 255.0) as u8,
            Probabilities::Bits8(values) => values[pixel],
            Probabilities::Bits16(values) => (values[pixel] / 257) as u8, // 65535 = 255 * 257
        }
    }

    /// The probability in steps of 1/65535, exact for 8 and 16 bits, else rounded to the nearest.
    pub(crate) fn level16(&self, pixel: usize) -> u16 {
        match self {
            Probabilities::Unit(values) => (f64::from(values[pixel]) * 65535.0).round() as u16,
            Probabilities::Bits8(values) => u16::from(values[pixel]) * 257,
            Probabilities::Bits16(values) => values[pixel],
        }
    }

    /// Checks that every probability is in `[0, 1]`; `width` is needed for the error's position.
    pub(crate) fn check(&self, width: usize) -> Result<(), MetricsError> {
        let Probabilities::Unit(values) = self else { return Ok(()) };
        match values.iter().position(|value| !(0.0..=1.0).contains(value)) {
            Some(at) => {
                Err(MetricsError::NotAProbability { value: values[at], row: at / width, column: at % width })
            }
            None => Ok(()),
        }
    }
}

/// A foreground probability map and its binary truth, checked to fit each other.
#[derive(Clone, Copy, Debug)]
pub struct ForegroundMap<'a> {
    pub(crate) prediction: Probabilities<'a>,
    pub(crate) truth: &'a [bool],
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl<'a> ForegroundMap<'a> {
    /// A row-major map of `height * width` probabilities, and which pixels are foreground.
    ///
    /// # Errors
    /// [`MetricsError::WrongLength`] or [`MetricsError::EmptyImage`] for maps that do not fit the size,
    /// [`MetricsError::NotAProbability`] for numbers outside `[0, 1]`.
    pub fn new(
        prediction: Probabilities<'a>,
        truth: &'a [bool],
        height: usize,
        width: usize,
    ) -> Result<Self, MetricsError> {
        check_lengths(prediction.len(), truth.len(), height, width)?;
        prediction.check(width)?;
        Ok(ForegroundMap { prediction, truth, height, width })
    }

    /// Number of pixels, at least 1.
    pub fn pixels(&self) -> usize {
        self.truth.len()
    }

    /// Number of foreground pixels of the truth.
    pub fn foreground(&self) -> usize {
        self.truth.iter().filter(|&&set| set).count()
    }

    /// Pairs of probability and truth, row by row.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (f64, bool)> + Clone {
        self.truth.iter().enumerate().map(|(pixel, &truth)| (self.prediction.value(pixel), truth))
    }

    /// Mean probability.
    pub(crate) fn mean_probability(&self) -> f64 {
        self.pairs().map(|(p, _)| p).sum::<f64>() / self.pixels() as f64
    }

    /// The adaptive threshold of Achanta et al. (CVPR 2009): twice the mean probability, at most 1.
    pub(crate) fn adaptive_threshold(&self) -> f64 {
        (2.0 * self.mean_probability()).min(1.0)
    }

    /// How many foreground and background pixels have a probability of at least `threshold`.
    pub(crate) fn at_least(&self, threshold: f64) -> (u64, u64) {
        let (mut foreground, mut background) = (0, 0);
        for (p, truth) in self.pairs() {
            foreground += u64::from(p >= threshold && truth);
            background += u64::from(p >= threshold && !truth);
        }
        (foreground, background)
    }

    /// For each threshold `t / 255`: how many foreground and background pixels reach it.
    pub(crate) fn at_least_each_level(&self) -> [(u64, u64); 256] {
        let mut counts = [(0, 0); 256];
        for (pixel, &truth) in self.truth.iter().enumerate() {
            let (foreground, background) = &mut counts[usize::from(self.prediction.level(pixel))];
            *(if truth { foreground } else { background }) += 1;
        }
        for level in (0..255).rev() {
            let (foreground, background) = counts[level + 1];
            counts[level].0 += foreground;
            counts[level].1 += background;
        }
        counts
    }
}
