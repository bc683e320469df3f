//! Layer normalization over the channels of each pixel (Ba et al. 2016), and its gradient.
//!
//! Moments are taken in two passes over a few pixels that stay in the cache, and again in the gradient instead of
//! being kept.

use super::kernel::{Backward, Kernel, Memory, Scratch, Visit};
use super::operand::{Operand, Target};
use super::values::mask;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// A planned layer normalization.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    pub source: Operand,
    pub eps: f32,
    /// In the parameter and the gradient buffer.
    pub gamma: usize,
    pub beta: usize,
}

/// Pixels that are worked on at a time.
const CHUNK: usize = 32;

impl LayerNorm {
    fn channels(&self) -> usize {
        self.source.blocks.len() * LANES
    }

    /// Parts that the pixels are split into for the sums of the gradient.
    fn parts(&self) -> usize {
        self.source.shape.pixels().div_ceil(CHUNK).min(64)
    }

    /// Values of shared scratch memory that the gradient needs.
    fn shared_scratch(&self) -> usize {
        self.parts() * 2 * self.channels()
    }
}

/// Writes the normalized map to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub norm: LayerNorm,
    pub to: Target,
}

impl Kernel for Forward {
    fn name(&self) -> &'static str {
        "layer norm"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, .. } = *memory;
        let Self { norm, to } = self;
        let pixels = norm.source.shape.pixels();
        parallel::for_each(pixels.div_ceil(CHUNK), |task| {
            let run = task * CHUNK..pixels.min((task + 1) * CHUNK);
            // SAFETY: tasks write disjoint pixels.
            unsafe { forward_part(level, norm, arena, params, to, run) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.norm.source.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

impl Backward for Forward {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Gradient { norm: self.norm.clone(), gradient, to }))
    }
}

/// From the gradient of the normalized map to that of the source, in `to`, which may be the gradient's own place, if it
/// is wanted; and the gradients of scale and shift.
#[derive(Clone, Debug)]
struct Gradient {
    norm: LayerNorm,
    gradient: Operand,
    to: Option<Target>,
}

impl Kernel for Gradient {
    fn name(&self) -> &'static str {
        "layer norm gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, params, shared, accumulate, .. } = *memory;
        let (norm, gradient, to) = (&self.norm, &self.gradient, self.to.as_ref());
        let (pixels, parts, channels) = (norm.source.shape.pixels(), norm.parts(), norm.channels());
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            let run = parallel::run(pixels, parts, part);
            // SAFETY: each task writes its own sums and pixels, these after they were read.
            unsafe { backward_part(level, norm, arena, params, gradient, to, run, sums) };
        });
        for (row, place) in [(0, norm.gamma), (1, norm.beta)] {
            for c in 0..norm.source.shape.c {
                // SAFETY: `at` checks each place; nothing else runs now.
                unsafe {
                    let part = |part: usize| *shared.at((2 * part + row) * channels + c, 1);
                    let new: f64 = (0..parts).map(|p| f64::from(part(p))).sum();
                    let old = gradients.at(place + c, 1);
                    *old = if accumulate { (f64::from(*old) + new) as f32 } else { new as f32 };
                }
            }
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.norm.shared_scratch(), local: 0 }
    }

    fn visit(&mut self, f: Visit) {
        self.norm.source.visit(f);
        self.gradient.visit(f);
        self.to.iter_mut().for_each(|to| to.visit(f));
    }

    fn targets(&self) -> Vec<&Target> {
        self.to.iter().collect()
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.norm.gamma, self.norm.beta]
    }
}

/// Mean and `1 / sqrt(var + eps)` of each of up to [`CHUNK`] pixels.
#[inline(always)]
unsafe fn moments<S: Simd>(norm: &LayerNorm, arena: Base, pixels: Range<usize>) -> [[f32; CHUNK]; 2] {
    let (all, count) = (norm.source.shape.pixels(), norm.source.shape.c as f32);
    let (mut means, mut inverses) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
    // SAFETY: `source` checks the map; pixels are below their number.
    unsafe {
        let mut sums = [S::splat(0.0); CHUNK];
        for block in &norm.source.blocks {
            let source = block.source::<S>(arena, all);
            for (i, pixel) in pixels.clone().enumerate() {
                sums[i] = S::add(sums[i], source.get(pixel));
            }
        }
        for i in 0..pixels.len() {
            means[i] = total::<S>(sums[i]) / count;
        }
        let mut squares = [S::splat(0.0); CHUNK];
        for (b, block) in norm.source.blocks.iter().enumerate() {
            let source = block.source::<S>(arena, all);
            let used = mask::<S>(norm.source.shape, b);
            for (i, pixel) in pixels.clone().enumerate() {
                let v = S::mul(used, S::sub(source.get(pixel), S::splat(means[i])));
                squares[i] = S::fma(v, v, squares[i]);
            }
        }
        for i in 0..pixels.len() {
            inverses[i] = 1.0 / (total::<S>(squares[i]) / count + norm.eps).sqrt();
        }
    }
    [means, inverses]
}

/// The sum of the lanes, in pairs.
#[inline(always)]
pub(super) unsafe fn total<S: Simd>(v: S::V) -> f32 {
    let mut lanes = [0.0f32; LANES];
    // SAFETY: sixteen values are there.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    forward_part = forward_impl(norm: &LayerNorm, arena: Base, params: Base, to: &Target, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn forward_impl<S: Simd>(
    norm: &LayerNorm,
    arena: Base,
    params: Base,
    to: &Target,
    pixels: Range<usize>,
) {
    let all = norm.source.shape.pixels();
    // SAFETY: `address`, `source` and `at` check the places; pixels are below their number.
    unsafe {
        let [means, inverses] = moments::<S>(norm, arena, pixels.clone());
        for (b, (block, target)) in norm.source.blocks.iter().zip(&to.blocks).enumerate() {
            let source = block.source::<S>(arena, all);
            let gamma = S::load(params.at(norm.gamma + b * LANES, LANES));
            let beta = S::load(params.at(norm.beta + b * LANES, LANES));
            let p = target.address(arena, all);
            for (i, pixel) in pixels.clone().enumerate() {
                let z = S::mul(S::sub(source.get(pixel), S::splat(means[i])), S::splat(inverses[i]));
                // The padding of gamma and beta is zero.
                S::store(p.add(pixel * target.stride), S::fma(z, gamma, beta));
            }
        }
    }
}

simd_fn! {
    /// Sums of the products of gradient and normalized value, and of the gradient, to `sums`: `[2, channels]`.
    ///
    /// # Safety
    /// `sums` must be valid for them; no other task may write these pixels.
    backward_part = backward_impl(
        norm: &LayerNorm,
        arena: Base,
        params: Base,
        gradient: &Operand,
        to: Option<&Target>,
        pixels: Range<usize>,
        sums: *mut f32,
    )
}

#[inline(always)]
unsafe fn backward_impl<S: Simd>(
    norm: &LayerNorm,
    arena: Base,
    params: Base,
    gradient: &Operand,
    to: Option<&Target>,
    pixels: Range<usize>,
    sums: *mut f32,
) {
    let (all, count) = (norm.source.shape.pixels(), norm.source.shape.c as f32);
    // SAFETY: `address`, `source` and `at` check the places; pixels are below their number; `sums` is the caller's
    // promise.
    unsafe {
        for b in 0..2 * norm.source.blocks.len() {
            S::store(sums.add(b * LANES), S::splat(0.0));
        }
        let mut start = pixels.start;
        while start < pixels.end {
            let now = start..pixels.end.min(start + CHUNK);
            start = now.end;
            let [means, inverses] = moments::<S>(norm, arena, now.clone());
            let (mut sum, mut product) = ([S::splat(0.0); CHUNK], [S::splat(0.0); CHUNK]);
            for b in 0..norm.source.blocks.len() {
                let x = norm.source.blocks[b].source::<S>(arena, all);
                let g = gradient.blocks[b].source::<S>(arena, all);
                let gamma = S::load(params.at(norm.gamma + b * LANES, LANES));
                let (mut of_gamma, mut of_beta) = (S::splat(0.0), S::splat(0.0));
                for (i, pixel) in now.clone().enumerate() {
                    let z = S::mul(S::sub(x.get(pixel), S::splat(means[i])), S::splat(inverses[i]));
                    let g = g.raw(pixel);
                    of_gamma = S::fma(g, z, of_gamma);
                    of_beta = S::add(of_beta, g);
                    let scaled = S::mul(g, gamma);
                    sum[i] = S::add(sum[i], scaled);
                    product[i] = S::fma(scaled, z, product[i]);
                }
                for (row, v) in [(0, of_gamma), (1, of_beta)] {
                    let p = sums.add(row * norm.channels() + b * LANES);
                    S::store(p, S::add(S::load(p), v));
                }
            }
            let Some(to) = to else { continue };
            let (mut mean, mut along) = ([0.0f32; CHUNK], [0.0f32; CHUNK]);
            for i in 0..now.len() {
                (mean[i], along[i]) = (total::<S>(sum[i]) / count, total::<S>(product[i]) / count);
            }
            for (b, target) in to.blocks.iter().enumerate() {
                let x = norm.source.blocks[b].source::<S>(arena, all);
                let g = gradient.blocks[b].source::<S>(arena, all);
                let gamma = S::load(params.at(norm.gamma + b * LANES, LANES));
                let used = mask::<S>(norm.source.shape, b);
                let p = target.address(arena, all);
                for (i, pixel) in now.clone().enumerate() {
                    let inverse = S::splat(inverses[i]);
                    let z = S::mul(S::sub(x.get(pixel), S::splat(means[i])), inverse);
                    let rest = S::fma(z, S::splat(along[i]), S::splat(mean[i]));
                    let v = S::sub(S::mul(g.raw(pixel), gamma), rest);
                    let v = S::mul(used, S::mul(inverse, v));
                    let p = p.add(pixel * target.stride);
                    S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
                }
            }
        }
    }
}
