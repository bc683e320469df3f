//! Confidence intervals by the bootstrap over images.
//!
//! Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals): images are drawn
//! with replacement, as many as there are, and the score is taken again, many times.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::error::MetricsError;
use crate::overlap::mean_defined;
use crate::surface::quantile;

/// How intervals are made. The same settings give the same intervals on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// How many times the images are drawn, at least 1.
    pub resamples: usize,
    /// The probability that an interval is to have, between 0 and 1.
    pub confidence: f64,
    /// Seed of the ChaCha8 generator.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 2000 resamples, 95 %, seed 0.
    fn default() -> Self {
        Bootstrap { resamples: 2000, confidence: 0.95, seed: 0 }
    }
}

/// A score and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The score of the images as they are.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Bootstrap {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`MetricsError::Setting`] for no resamples or a confidence not between 0 and 1.
    pub fn check(&self) -> Result<(), MetricsError> {
        if self.resamples == 0 {
            return Err(MetricsError::Setting {
                name: "the number of bootstrap resamples",
                value: 0.0,
                expected: "1 or more (2000 is usual)",
            });
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(MetricsError::Setting {
                name: "the confidence of intervals",
                value: self.confidence,
                expected: "between 0 and 1 (0.95 is usual)",
            });
        }
        Ok(())
    }

    /// The interval of the mean of per-image scores; undefined ones are skipped wherever they are drawn.
    /// `None` if all are undefined.
    ///
    /// ```
    /// use dapple_metrics::Bootstrap;
    /// // Scores that are all the same cannot vary.
    /// let interval = Bootstrap::default().mean(&[Some(0.75), None, Some(0.75)])?.unwrap();
    /// assert_eq!((interval.value, interval.low, interval.high), (0.75, 0.75, 0.75));
    /// # Ok::<(), dapple_metrics::MetricsError>(())
    /// ```
    ///
    /// # Errors
    /// See [`Bootstrap::check`].
    pub fn mean(&self, values: &[Option<f64>]) -> Result<Option<Interval>, MetricsError> {
        let intervals = self.statistics(values.len(), |images| {
            vec![mean_defined(images.iter().map(|&image| values[image]))]
        })?;
        Ok(intervals[0])
    }

    /// The intervals of several scores of `images` images at once. `scores` is given the indices of the images drawn
    /// (at first those of all images, in order) and returns as many scores each time; undefined ones are skipped.
    ///
    /// # Errors
    /// See [`Bootstrap::check`].
    pub fn statistics(
        &self,
        images: usize,
        mut scores: impl FnMut(&[usize]) -> Vec<Option<f64>>,
    ) -> Result<Vec<Option<Interval>>, MetricsError> {
        self.check()?;
        let mut drawn: Vec<usize> = (0..images).collect();
        let values = scores(&drawn);
        let mut resampled: Vec<Vec<f64>> = vec![Vec::with_capacity(self.resamples); values.len()];
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..self.resamples {
            drawn.fill_with(|| below(&mut generator, images));
            for (samples, score) in resampled.iter_mut().zip(scores(&drawn)) {
                samples.extend(score);
            }
        }
        let tail = (1.0 - self.confidence) / 2.0;
        let interval = |(value, mut samples): (Option<f64>, Vec<f64>)| {
            let value = value?;
            samples.sort_by(f64::total_cmp);
            // A score of few images may be undefined in every resample; it then has no spread to speak of.
            let end = |fraction| if samples.is_empty() { value } else { quantile(&samples, fraction) };
            Some(Interval { value, low: end(tail), high: end(1.0 - tail) })
        };
        Ok(values.into_iter().zip(resampled).map(interval).collect())
    }
}

/// A number in `0..end`, each as likely. Only called with `end > 0`, as there is nothing to fill without images.
fn below(generator: &mut ChaCha8Rng, end: usize) -> usize {
    // The upper half of the product with 64 random bits (Lemire 2019); the bias is below end / 2^64.
    ((u128::from(generator.next_u64()) * end as u128) >> 64) as usize
}
