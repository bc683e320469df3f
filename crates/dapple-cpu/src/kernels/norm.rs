//! Batch normalisation (Ioffe and Szegedy 2015): the batch's statistics, and the gradient.
//!
//! The normalised map is never stored: statistics become a scale and a shift for each channel, which readers
//! apply ([`super::operand::Block`]). Sums are taken about the first pixel's value, so that a mean far from zero
//! costs no digits, over short runs in f32 whose sums are added in f64.

use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// Places of one batch norm. The arena ones hold a value for each padded channel.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    /// The map that is normalised; plain, stored.
    pub source: Operand,
    pub eps: f32,
    pub momentum: f32,
    /// In the parameter and the gradient buffer.
    pub gamma: usize,
    pub beta: usize,
    /// In the buffer of running statistics.
    pub running_mean: usize,
    pub running_var: usize,
    /// In the arena.
    pub scale: usize,
    pub shift: usize,
    pub mean: usize,
    pub inverse: usize,
}

/// Parts that the pixels are split into for sums.
fn parts(pixels: usize) -> usize {
    pixels.div_ceil(256).min(64)
}

/// Pixels whose sums stay in f32 registers before they are added to the part's.
const RUN: usize = 64;

impl Norm {
    fn channels(&self) -> usize {
        self.source.blocks.len() * LANES
    }

    /// Values of shared scratch memory.
    pub fn shared_scratch(&self) -> usize {
        (2 * parts(self.source.shape.pixels()) + 3) * self.channels()
    }

    /// Scale and shift from the batch's statistics; updates the running ones.
    pub fn train(&self, level: Level, arena: Base, params: Base, statistics: Base, shared: Base) {
        let pixels = self.source.shape.pixels();
        let (parts, channels) = (parts(pixels), self.channels());
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            // SAFETY: each task writes its own sums.
            unsafe { moments(level, &self.source, arena, parallel::run(pixels, parts, part), sums) };
        });
        let count = pixels as f64;
        for c in 0..self.source.shape.c {
            let block = &self.source.blocks[c / LANES];
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let first = f64::from(*arena.at(block.offset + c % LANES, 1));
                let sum = |which: usize| -> f64 {
                    (0..parts).map(|p| f64::from(*shared.at((2 * p + which) * channels + c, 1))).sum()
                };
                let offset = sum(0) / count;
                let mean = first + offset;
                let var = (sum(1) / count - offset * offset).max(0.0);
                let inverse = 1.0 / (var + f64::from(self.eps)).sqrt();
                let gamma = f64::from(*params.at(self.gamma + c, 1));
                let beta = f64::from(*params.at(self.beta + c, 1));
                *arena.at(self.mean + c, 1) = mean as f32;
                *arena.at(self.inverse + c, 1) = inverse as f32;
                *arena.at(self.scale + c, 1) = (gamma * inverse) as f32;
                *arena.at(self.shift + c, 1) = (beta - mean * gamma * inverse) as f32;
                let momentum = f64::from(self.momentum);
                let unbiased = if pixels > 1 { var * count / (count - 1.0) } else { var };
                for (place, new) in [(self.running_mean, mean), (self.running_var, unbiased)] {
                    let running = statistics.at(place + c, 1);
                    *running = (f64::from(*running) * (1.0 - momentum) + momentum * new) as f32;
                }
            }
        }
        self.clear_padding(arena);
    }

    /// Scale and shift from the running statistics.
    pub fn eval(&self, arena: Base, params: Base, statistics: Base) {
        for c in 0..self.source.shape.c {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let mean = f64::from(*statistics.at(self.running_mean + c, 1));
                let var = f64::from(*statistics.at(self.running_var + c, 1));
                let scale = f64::from(*params.at(self.gamma + c, 1)) / (var + f64::from(self.eps)).sqrt();
                *arena.at(self.scale + c, 1) = scale as f32;
                *arena.at(self.shift + c, 1) =
                    (f64::from(*params.at(self.beta + c, 1)) - mean * scale) as f32;
            }
        }
        self.clear_padding(arena);
    }

    /// Padding channels must read as zero.
    fn clear_padding(&self, arena: Base) {
        for c in self.source.shape.c..self.channels() {
            for place in [self.scale, self.shift] {
                // SAFETY: `at` checks the place; nothing else runs now.
                unsafe { *arena.at(place + c, 1) = 0.0 };
            }
        }
    }

    /// From the gradient of the normalised (and, if `relu`, rectified) map to that of the source, in `to`, which
    /// may be the gradient's own place; and the gradients of scale and shift.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        level: Level,
        arena: Base,
        params: Base,
        gradients: Base,
        shared: Base,
        gradient: &Operand,
        to: &Target,
        relu: bool,
        accumulate: bool,
    ) {
        let pixels = self.source.shape.pixels();
        let (parts, channels) = (parts(pixels), self.channels());
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            // SAFETY: each task writes its own sums.
            unsafe {
                gradient_sums(level, self, gradient, relu, arena, parallel::run(pixels, parts, part), sums);
            }
        });
        let factors = 2 * parts * channels;
        let count = pixels as f64;
        for c in 0..channels {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let place = |row: usize| shared.at(factors + row * channels + c, 1);
                if c >= self.source.shape.c {
                    (0..3).for_each(|row| *place(row) = 0.0);
                    continue;
                }
                let sum = |which: usize| -> f64 {
                    (0..parts).map(|p| f64::from(*shared.at((2 * p + which) * channels + c, 1))).sum()
                };
                let (sum, product) = (sum(0), sum(1));
                let inverse = f64::from(*arena.at(self.inverse + c, 1));
                let scale = f64::from(*params.at(self.gamma + c, 1)) * inverse;
                *place(0) = scale as f32;
                *place(1) = (-scale * inverse * inverse * product / count) as f32;
                *place(2) = (-scale * sum / count) as f32;
                for (place, new) in [(self.gamma, product * inverse), (self.beta, sum)] {
                    let old = gradients.at(place + c, 1);
                    *old = if accumulate { (f64::from(*old) + new) as f32 } else { new as f32 };
                }
            }
        }
        let chunk = (4096 / self.source.blocks.len()).max(64);
        parallel::for_each(pixels.div_ceil(chunk), |task| {
            let run = task * chunk..pixels.min((task + 1) * chunk);
            // SAFETY: tasks write disjoint pixels, each after it was read.
            unsafe {
                gradient_part(level, self, gradient, relu, arena, shared.at(factors, 3 * channels), to, run)
            };
        });
    }
}

simd_fn! {
    /// Sums and sums of squares of `value - value of pixel 0`, `[2, channels]`.
    ///
    /// # Safety
    /// `sums` must be valid for them.
    moments = moments_impl(source: &Operand, arena: Base, pixels: Range<usize>, sums: *mut f32)
}

#[inline(always)]
unsafe fn moments_impl<S: Simd>(source: &Operand, arena: Base, pixels: Range<usize>, sums: *mut f32) {
    let (all, channels) = (source.shape.pixels(), source.blocks.len() * LANES);
    for (b, block) in source.blocks.iter().enumerate() {
        // SAFETY: pixels are below their number; `sums` is the caller's promise.
        unsafe {
            let block = block.source::<S>(arena, all);
            let first = block.raw(0);
            let (mut sum, mut square) = (S::splat(0.0), S::splat(0.0));
            let mut start = pixels.start;
            while start < pixels.end {
                let end = pixels.end.min(start + RUN);
                let (mut run_sum, mut run_square) = (S::splat(0.0), S::splat(0.0));
                for pixel in start..end {
                    let v = S::sub(block.raw(pixel), first);
                    run_sum = S::add(run_sum, v);
                    run_square = S::fma(v, v, run_square);
                }
                sum = S::add(sum, run_sum);
                square = S::add(square, run_square);
                start = end;
            }
            S::store(sums.add(b * LANES), sum);
            S::store(sums.add(channels + b * LANES), square);
        }
    }
}

/// A channel block's gradient of the normalised map, through ReLU, and its distance from the mean.
struct Through<S: Simd> {
    source: super::operand::Source<S>,
    gradient: super::operand::Source<S>,
    scale: S::V,
    shift: S::V,
    mean: S::V,
    relu: bool,
}

impl<S: Simd> Through<S> {
    #[inline(always)]
    unsafe fn new(norm: &Norm, gradient: &Operand, relu: bool, arena: Base, b: usize) -> Self {
        let pixels = norm.source.shape.pixels();
        // SAFETY: `at` checks the places.
        unsafe {
            Self {
                source: norm.source.blocks[b].source::<S>(arena, pixels),
                gradient: gradient.blocks[b].source::<S>(arena, pixels),
                scale: S::load(arena.at(norm.scale + b * LANES, LANES)),
                shift: S::load(arena.at(norm.shift + b * LANES, LANES)),
                mean: S::load(arena.at(norm.mean + b * LANES, LANES)),
                relu,
            }
        }
    }

    #[inline(always)]
    unsafe fn get(&self, pixel: usize) -> (S::V, S::V) {
        // SAFETY: the caller's promise that the pixel is inside.
        unsafe {
            let z = self.source.raw(pixel);
            let mut g = self.gradient.raw(pixel);
            if self.relu {
                g = S::where_greater(S::fma(z, self.scale, self.shift), S::splat(0.0), g);
            }
            (g, S::sub(z, self.mean))
        }
    }
}

simd_fn! {
    /// Sums of the gradient and of its product with `value - mean`, `[2, channels]`.
    ///
    /// # Safety
    /// `sums` must be valid for them.
    gradient_sums = gradient_sums_impl(
        norm: &Norm,
        gradient: &Operand,
        relu: bool,
        arena: Base,
        pixels: Range<usize>,
        sums: *mut f32,
    )
}

#[inline(always)]
unsafe fn gradient_sums_impl<S: Simd>(
    norm: &Norm,
    gradient: &Operand,
    relu: bool,
    arena: Base,
    pixels: Range<usize>,
    sums: *mut f32,
) {
    for b in 0..norm.source.blocks.len() {
        // SAFETY: pixels are below their number; `sums` is the caller's promise.
        unsafe {
            let through = Through::<S>::new(norm, gradient, relu, arena, b);
            let (mut sum, mut product) = (S::splat(0.0), S::splat(0.0));
            let mut start = pixels.start;
            while start < pixels.end {
                let end = pixels.end.min(start + RUN);
                let (mut run_sum, mut run_product) = (S::splat(0.0), S::splat(0.0));
                for pixel in start..end {
                    let (g, distance) = through.get(pixel);
                    run_sum = S::add(run_sum, g);
                    run_product = S::fma(g, distance, run_product);
                }
                sum = S::add(sum, run_sum);
                product = S::add(product, run_product);
                start = end;
            }
            S::store(sums.add(b * LANES), sum);
            S::store(sums.add(norm.channels() + b * LANES), product);
        }
    }
}

simd_fn! {
    /// `scale g + slope (value - mean) + constant` with the three factors `[3, channels]`.
    ///
    /// # Safety
    /// `factors` must be valid; no other task may write these pixels.
    gradient_part = gradient_part_impl(
        norm: &Norm,
        gradient: &Operand,
        relu: bool,
        arena: Base,
        factors: *const f32,
        to: &Target,
        pixels: Range<usize>,
    )
}

#[inline(always)]
unsafe fn gradient_part_impl<S: Simd>(
    norm: &Norm,
    gradient: &Operand,
    relu: bool,
    arena: Base,
    factors: *const f32,
    to: &Target,
    pixels: Range<usize>,
) {
    for b in 0..norm.source.blocks.len() {
        // SAFETY: pixels are below their number; the rest is the caller's promise.
        unsafe {
            let through = Through::<S>::new(norm, gradient, relu, arena, b);
            let factor = |row: usize| S::load(factors.add(row * norm.channels() + b * LANES));
            let (scale, slope, constant) = (factor(0), factor(1), factor(2));
            let target = &to.blocks[b];
            let p = target.address(arena, norm.source.shape.pixels());
            for pixel in pixels.clone() {
                let (g, distance) = through.get(pixel);
                let v = S::fma(scale, g, S::fma(slope, distance, constant));
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}

/// Adds to (`accumulate`) or overwrites `to[c]` in the gradient buffer by the sum of a gradient over all pixels:
/// the gradient of a bias.
pub(crate) fn channel_sums(
    level: Level,
    arena: Base,
    gradient: &Operand,
    shared: Base,
    gradients: Base,
    to: usize,
    accumulate: bool,
) {
    let pixels = gradient.shape.pixels();
    let (parts, channels) = (parts(pixels), gradient.blocks.len() * LANES);
    parallel::for_each(parts, |part| {
        let sums = shared.at(part * 2 * channels, 2 * channels);
        // SAFETY: each task writes its own sums.
        unsafe { moments(level, gradient, arena, parallel::run(pixels, parts, part), sums) };
    });
    for c in 0..gradient.shape.c {
        // SAFETY: `at` checks each place; nothing else runs now.
        unsafe {
            let first = f64::from(*arena.at(gradient.blocks[c / LANES].offset + c % LANES, 1));
            let sum: f64 = (0..parts).map(|p| f64::from(*shared.at(2 * p * channels + c, 1))).sum();
            let new = sum + first * pixels as f64;
            let old = gradients.at(to + c, 1);
            *old = if accumulate { (f64::from(*old) + new) as f32 } else { new as f32 };
        }
    }
}

/// Values of shared scratch memory that [`channel_sums`] needs.
pub(crate) fn channel_sums_scratch(gradient: &Operand) -> usize {
    2 * parts(gradient.shape.pixels()) * gradient.blocks.len() * LANES
}
