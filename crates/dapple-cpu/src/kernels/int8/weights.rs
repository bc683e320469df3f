//! The integer weights of a convolution in the order of its kernel, and the way from its sums to numbers.

use crate::kernels::gemm::PANEL;
use crate::memory::Buffer;
use crate::simd::{DotLevel, padded};
use dapple_graph::{Affine, IntegerWeights};
use std::fmt;

/// A convolution's parameters, packed once for all plans.
pub(crate) struct Packed {
    /// The integers of the input.
    pub input: Affine,
    /// The level that adds up the products of a dense convolution.
    pub level: DotLevel,
    /// Of a dense convolution words of four bytes ([`DotLevel::products`] integers of channels one behind the other): panels of
    /// [`PANEL`] output channels, the last of which may be half as wide, each `[taps, words, width]`. Of a depthwise one
    /// numbers, `[taps, channels]`. Channels are padded with zeros.
    values: Buffer,
    /// Where the sum of each output channel starts, so that the input's zero counts as zero: integers, or numbers of a
    /// depthwise convolution.
    initial: Buffer,
    /// Factor of each sum.
    pub scale: Vec<f32>,
    /// Added to it.
    pub bias: Vec<f32>,
}

impl Packed {
    /// A dense convolution's, from weights `[out, in, taps]`; without biases they are zero.
    pub fn dense(
        weights: &IntegerWeights,
        ins: usize,
        bias: Option<&[f32]>,
        input: Affine,
        level: DotLevel,
    ) -> Self {
        let (outs, products) = (weights.scales.len(), level.products());
        let taps = weights.values.len() / (outs * ins);
        let words = words_of(ins, level);
        let mut values = Buffer::zeroed(taps * words * padded(outs));
        let packed = values.as_mut_slice();
        for out in 0..outs {
            let panel = out / PANEL * PANEL;
            let width = PANEL.min(padded(outs) - panel);
            for tap in 0..taps {
                for word in 0..words {
                    let mut integers = [0i8; 4];
                    for (i, integer) in integers.iter_mut().enumerate().take(products) {
                        let channel = word * products + i;
                        if channel < ins {
                            *integer = weights.values[(out * ins + channel) * taps + tap];
                        }
                    }
                    let at = panel * taps * words + (tap * words + word) * width + out % PANEL;
                    packed[at] = f32::from_bits(joined(integers, products));
                }
            }
        }
        let initial = |v: i32| f32::from_bits(v as u32);
        Self::new(values, weights, bias, input, level, initial)
    }

    /// A depthwise convolution's, from weights `[channels, 1, taps]`.
    pub fn depthwise(weights: &IntegerWeights, bias: Option<&[f32]>, input: Affine, level: DotLevel) -> Self {
        let channels = weights.scales.len();
        let taps = weights.values.len() / channels;
        let mut values = Buffer::zeroed(taps * padded(channels));
        for (index, &value) in weights.values.iter().enumerate() {
            values.as_mut_slice()[index % taps * padded(channels) + index / taps] = f32::from(value);
        }
        Self::new(values, weights, bias, input, level, |v| v as f32)
    }

    fn new(
        values: Buffer,
        weights: &IntegerWeights,
        bias: Option<&[f32]>,
        input: Affine,
        level: DotLevel,
        as_value: impl Fn(i32) -> f32,
    ) -> Self {
        let outs = weights.scales.len();
        let run = weights.values.len() / outs;
        let mut initial = Buffer::zeroed(padded(outs));
        let starts = initial.as_mut_slice();
        let mut scale = vec![0.0; padded(outs)];
        let mut added = vec![0.0; padded(outs)];
        for (out, channel) in weights.values.chunks_exact(run).enumerate() {
            let sum: i32 = channel.iter().map(|&w| i32::from(w)).sum();
            starts[out] = as_value(-sum * i32::from(input.zero));
            scale[out] = input.scale * weights.scales[out];
            added[out] = bias.map_or(0.0, |bias| bias[out]);
        }
        Self { input, level, values, initial, scale, bias: added }
    }

    /// Output channels, padded.
    pub fn outs(&self) -> usize {
        self.scale.len()
    }

    /// The values, as numbers or as words.
    pub fn values(&self) -> *const f32 {
        self.values.as_slice().as_ptr()
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The start of each sum, as a number or as an integer.
    pub fn initial(&self) -> *const f32 {
        self.initial.as_slice().as_ptr()
    }
}

/// Words of the channels of a pixel.
pub(super) fn words_of(channels: usize, level: DotLevel) -> usize {
    // A whole number of words at every level, so that the terms of a sum are the same.
    channels.next_multiple_of(4) / level.products()
}

/// The bits of a word: four bytes, or two integers of 16 bits.
fn joined([a, b, c, d]: [i8; 4], products: usize) -> u32 {
    if products == 4 {
        return u32::from_ne_bytes([a, b, c, d].map(|v| v as u8));
    }
    let [[a, b], [c, d]] = [a, b].map(|v| i16::from(v).to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values are too many to print.
        let Self { input, level, .. } = self;
        f.debug_struct("Packed").field("input", input).field("level", level).finish_non_exhaustive()
    }
}
