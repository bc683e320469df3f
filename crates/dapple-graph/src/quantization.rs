//! Quantization to eight-bit integers: the convolutions that compute in them, and the real numbers that integers stand for
//! (Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference").
//!
//! A quantized convolution reads its input in integers of 0 to 255 with one scale and one zero point ([`Affine`]), and its
//! weights in integers of -127 to 127 with a scale for each output channel ([`IntegerWeights`]). A batch norm behind it
//! multiplies whole output channels, so that folding it leaves the integers as they are but for their sign. A quantized
//! network's [`State`](crate::State) holds weights that these integers give exactly: engines without integer arithmetic run
//! it as it is.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Integers of 0 to 255 that stand for real numbers: `scale (integer - zero)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// Distance of neighbouring numbers, above 0.
    pub scale: f32,
    /// The integer of zero.
    pub zero: u8,
}

impl Affine {
    /// The scales that files may have.
    pub(crate) const SCALES: std::ops::RangeInclusive<f32> = 1e-30..=1e30;

    /// The integers that span a range of numbers, widened to zero where it does not hold it.
    pub fn of_range(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = (high - low) / 255.0;
        if !Self::SCALES.contains(&scale) {
            return Self { scale: 1.0, zero: 0 };
        }
        Self { scale, zero: (-low / scale).round_ties_even() as u8 }
    }

    /// The integer of the nearest number, ties to even.
    pub fn integer(&self, value: f32) -> u8 {
        let zero = f32::from(self.zero);
        ((value * (1.0 / self.scale)).max(-zero).min(255.0 - zero).round_ties_even() + zero) as u8
    }

    /// The number of an integer.
    pub fn number(&self, integer: u8) -> f32 {
        (f32::from(integer) - f32::from(self.zero)) * self.scale
    }
}

/// The quantized convolutions of a network, by the names of their weights, and the integers of the input of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantization {
    /// The integers of each convolution's input.
    pub inputs: BTreeMap<String, Affine>,
}

/// A convolution's weights as integers of -127 to 127, `[out, in / groups, kh, kw]`, with a scale for each output channel.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerWeights {
    /// The integers.
    pub values: Vec<i8>,
    /// The scale of each output channel, above 0.
    pub scales: Vec<f32>,
}

impl IntegerWeights {
    /// Channels whose largest weight is below this are zero.
    const SMALLEST: f32 = 1e-30;

    /// The nearest integers, where the largest weight of each of `channels` output channels becomes 127.
    ///
    /// # Panics
    /// If the weights are not those of as many channels.
    pub fn of(weights: &[f32], channels: usize) -> Self {
        Self::scaled(weights, channels, |scale| scale)
    }

    /// As [`IntegerWeights::of`], with scales rounded up to sixteen binary digits: all products with integers are exact then,
    /// so that [`IntegerWeights::of`] finds the same integers and scales in their numbers.
    ///
    /// # Panics
    /// As [`IntegerWeights::of`].
    pub fn to_keep(weights: &[f32], channels: usize) -> Self {
        Self::scaled(weights, channels, |scale| f32::from_bits((scale.to_bits() + 0xff) & !0xff))
    }

    fn scaled(weights: &[f32], channels: usize, round: impl Fn(f32) -> f32) -> Self {
        assert!(channels > 0 && weights.len().is_multiple_of(channels), "as many weights for each channel");
        let run = (weights.len() / channels).max(1);
        let mut integers =
            Self { values: Vec::with_capacity(weights.len()), scales: Vec::with_capacity(channels) };
        for channel in weights.chunks_exact(run) {
            let largest = channel.iter().fold(0.0f32, |most, weight| most.max(weight.abs()));
            let scale = if largest > Self::SMALLEST { round(largest / 127.0) } else { 1.0 };
            integers.values.extend(channel.iter().map(|weight| (weight / scale).round_ties_even() as i8));
            integers.scales.push(scale);
        }
        integers
    }

    /// The numbers that the integers stand for.
    pub fn numbers(&self) -> Vec<f32> {
        let run = (self.values.len() / self.scales.len()).max(1);
        let of = |(index, &value): (usize, &i8)| f32::from(value) * self.scales[index / run];
        self.values.iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn weights_that_were_rounded_keep_their_integers(
            weights in prop::collection::vec(-3.0f32..3.0, 24),
            exponent in -20i32..20,
        ) {
            let weights: Vec<f32> = weights.iter().map(|w| w * 2f32.powi(exponent)).collect();
            let kept = IntegerWeights::to_keep(&weights, 4);
            let numbers = kept.numbers();
            prop_assert_eq!(&IntegerWeights::of(&numbers, 4), &kept);
            prop_assert_eq!(&IntegerWeights::to_keep(&numbers, 4), &kept);
            for (index, (number, weight)) in numbers.iter().zip(&weights).enumerate() {
                prop_assert!((number - weight).abs() <= 0.5001 * kept.scales[index / 6]);
            }
        }

        #[test]
        fn numbers_within_the_range_are_at_most_a_step_off(low in -9.0f32..0.0, high in 0.01f32..9.0, at in 0.0f32..1.0) {
            let affine = Affine::of_range(low, high);
            let value = low + (high - low) * at;
            prop_assert!((affine.number(affine.integer(value)) - value).abs() <= 1.001 * affine.scale);
            prop_assert_eq!(affine.number(affine.integer(0.0)), 0.0);
        }
    }

    #[test]
    fn values_beyond_the_range_are_held_at_its_ends() {
        let affine = Affine::of_range(0.5, 25.5);
        assert_eq!((affine.zero, affine.scale), (0, 0.1));
        assert_eq!([-1.0, 1.0, 99.0, f32::INFINITY].map(|v| affine.integer(v)), [0, 10, 255, 255]);
        assert_eq!(Affine::of_range(0.0, 0.0), Affine { scale: 1.0, zero: 0 });
    }

    #[test]
    fn zero_channels_stay_zero() {
        let kept = IntegerWeights::to_keep(&[0.0, 0.0, 1e-38, -254.0], 2);
        assert_eq!(kept, IntegerWeights { values: vec![0, 0, 0, -127], scales: vec![1.0, 2.0] });
    }
}
