//! From the values of a feature map to the range of its integers.

use dapple_graph::Affine;
use serde::Serialize;

/// How a range follows from the values that were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// From the smallest to the largest.
    Extremes,
    /// All but one in ten thousand at either end.
    Percentile,
    /// The share of the extremes whose integers have the least mean squared error.
    MeanSquare,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Extremes, Self::Percentile, Self::MeanSquare];

    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Extremes => "extremes",
            Self::Percentile => "percentiles",
            Self::MeanSquare => "the least squared error",
        }
    }
}

/// The values of a feature map over some images.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    low: f32,
    high: f32,
    /// Some of each image's values.
    sample: Vec<f32>,
    /// Of how many of an image's places one is kept: more with every doubling of the images beyond what is held.
    every: usize,
}

impl Observation {
    /// Values of an image that are kept.
    const KEPT: usize = 4096;
    /// Values of all images that are held at most: 4 MiB.
    const HELD: usize = 1 << 20;
    /// Values that errors are measured on.
    const MEASURED: usize = 16_384;
    /// Share of the values that percentiles leave out at either end.
    const LEFT_OUT: f64 = 1e-4;

    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { low: 0.0, high: 0.0, sample: Vec::new(), every: 1 }
    }

    /// Takes in an image's values.
    pub fn add(&mut self, values: &[f32]) {
        for &value in values.iter().filter(|value| value.is_finite()) {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
        // One of each run of neighbours, at places without a pattern, so that all channels come.
        let step = (values.len() / Self::KEPT).max(1);
        let place = |k: usize| k * step + (k.wrapping_mul(2_654_435_761) >> 7) % step;
        let kept = (0..values.len() / step).step_by(self.every).map(|k| values[place(k)]);
        self.sample.extend(kept.filter(|value| value.is_finite()));
        while self.sample.len() > Self::HELD {
            let mut number = 0;
            self.sample.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
    }

    /// The integers of the range that a method finds.
    pub fn affine(&self, method: Method) -> Affine {
        let [low, high] = match method {
            Method::Extremes => [self.low, self.high],
            Method::Percentile => self.percentiles(),
            Method::MeanSquare => self.least_error(),
        };
        Affine::of_range(low, high)
    }

    fn percentiles(&self) -> [f32; 2] {
        let mut sorted = self.sample.clone();
        sorted.sort_by(f32::total_cmp);
        let left_out = (sorted.len() as f64 * Self::LEFT_OUT) as usize;
        match sorted.len() {
            0 => [self.low, self.high],
            len => [sorted[left_out], sorted[len - 1 - left_out]],
        }
    }

    fn least_error(&self) -> [f32; 2] {
        let step = (self.sample.len() / Self::MEASURED).max(1);
        let values = || self.sample.iter().step_by(step).chain([&self.low, &self.high]);
        let ranges = (6..=20).rev().map(|share| [self.low, self.high].map(|end| end * share as f32 / 20.0));
        let error = |[low, high]: [f32; 2]| {
            let affine = Affine::of_range(low, high);
            let off = |value: f32| f64::from(affine.number(affine.integer(value)) - value).powi(2);
            values().map(|&value| off(value)).sum::<f64>()
        };
        let measured = ranges.map(|range| (error(range), range));
        // The widest of equal ones.
        let best = measured.reduce(|best, now| if now.0 < best.0 { now } else { best });
        best.map_or([self.low, self.high], |(_, range)| range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand values of 0 to 1 in no order, and one far off.
    fn with_outlier() -> Observation {
        let mut observation = Observation::new();
        let values: Vec<f32> = (0..10_000).map(|i| (i * 7919 % 10_000) as f32 / 10_000.0).collect();
        (0..4).for_each(|_| observation.add(&values));
        observation.add(&[2.0]);
        observation
    }

    #[test]
    fn methods_differ_by_an_outlier() {
        let observation = with_outlier();
        let [extremes, percentile, least] =
            Method::ALL.map(|method| observation.affine(method).scale * 255.0);
        assert!((extremes - 2.0).abs() < 1e-3, "{extremes}");
        assert!(percentile < 1.001 && percentile > 0.99, "{percentile}");
        assert!(least < 2.001 && least > 0.99, "{least}");
    }

    #[test]
    fn many_images_are_held_in_a_bounded_sample_of_all_of_them() {
        let mut observation = Observation::new();
        // The values of an image are its number.
        for image in 0..1000u16 {
            observation.add(&[f32::from(image); Observation::KEPT]);
        }
        assert!(observation.sample.len() <= Observation::HELD);
        let of_half = |half: fn(&f32) -> bool| observation.sample.iter().filter(|value| half(value)).count();
        let (early, late) = (of_half(|value| *value < 500.0), of_half(|value| *value >= 500.0));
        assert!(early.abs_diff(late) <= 2 * Observation::KEPT, "{early} and {late}");
    }

    #[test]
    fn values_that_are_not_finite_widen_no_range() {
        let mut observation = Observation::new();
        observation.add(&[f32::NAN, f32::INFINITY, -1.0, 3.0]);
        for method in Method::ALL {
            let affine = observation.affine(method);
            assert!(affine.scale.is_finite() && affine.zero > 0, "{affine:?}");
        }
    }

    #[test]
    fn the_sample_has_all_channels() {
        // 64 channels, of which the last alone is not zero.
        let values: Vec<f32> = (0..64 * 65_536).map(|i| f32::from(u8::from(i % 64 == 63))).collect();
        let mut observation = Observation::new();
        observation.add(&values);
        let ones = observation.sample.iter().filter(|&&v| v == 1.0).count();
        assert!((20..=110).contains(&ones), "{ones} of {}", observation.sample.len());
    }
}
