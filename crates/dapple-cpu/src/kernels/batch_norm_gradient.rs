//! The gradient of batch normalization in training.

use super::batch_norm::{Norm, RUN, parts};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::{Operand, Source, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// From the gradient of the normalized (and, if `relu`, rectified) map to that of the source, in `to`, which may be the
/// gradient's own place; and the gradients of scale and shift.
#[derive(Clone, Debug)]
pub(crate) struct NormGradient {
    pub norm: Norm,
    pub gradient: Operand,
    pub to: Target,
    pub relu: bool,
}

impl Kernel for NormGradient {
    fn name(&self) -> &'static str {
        "batch norm gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, params, shared, accumulate, joint, .. } = *memory;
        let Self { norm, gradient, to, relu } = self;
        let pixels = norm.source.shape.pixels();
        let (parts, channels) = (parts(pixels), norm.channels());
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            // SAFETY: each task writes its own sums.
            unsafe {
                gradient_sums(level, norm, gradient, *relu, arena, parallel::run(pixels, parts, part), sums);
            }
        });
        let factors = 2 * parts * channels;
        let of_channel = |c: usize| {
            // SAFETY: `at` checks each place; all tasks have ended.
            unsafe {
                [0, 1].map(|which: usize| -> f64 {
                    (0..parts).map(|p| f64::from(*shared.at((2 * p + which) * channels + c, 1))).sum()
                })
            }
        };
        let own: Vec<[f64; 2]> = (0..norm.source.shape.c).map(of_channel).collect();
        // Through the statistics, each pixel of the whole batch has a part in the gradient of this rank's.
        let (mut whole, mut count) = (own.clone(), pixels as f64);
        if let Some(joint) = joint.filter(|joint| joint.norms() && !norm.frozen) {
            joint.sum(whole.as_flattened_mut());
            count = joint.pixels(norm.source.shape) as f64;
        }
        for c in 0..channels {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let place = |row: usize| shared.at(factors + row * channels + c, 1);
                let (Some(&[sum, product]), Some(of_whole)) = (own.get(c), whole.get(c)) else {
                    (0..3).for_each(|row| *place(row) = 0.0);
                    continue;
                };
                let inverse = f64::from(*arena.at(norm.inverse + c, 1));
                let scale = f64::from(*params.at(norm.gamma + c, 1)) * inverse;
                *place(0) = scale as f32;
                // Running statistics do not depend on the map.
                let through = if norm.frozen { 0.0 } else { scale / count };
                *place(1) = (-through * inverse * inverse * of_whole[1]) as f32;
                *place(2) = (-through * of_whole[0]) as f32;
                for (place, new) in [(norm.gamma, product * inverse), (norm.beta, sum)] {
                    let old = gradients.at(place + c, 1);
                    *old = if accumulate { (f64::from(*old) + new) as f32 } else { new as f32 };
                }
            }
        }
        let chunk = (4096 / norm.source.blocks.len()).max(64);
        parallel::for_each(pixels.div_ceil(chunk), |task| {
            let run = task * chunk..pixels.min((task + 1) * chunk);
            // SAFETY: tasks write disjoint pixels, each after it was read.
            unsafe {
                gradient_part(level, norm, gradient, *relu, arena, shared.at(factors, 3 * channels), to, run)
            };
        });
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.norm.shared_scratch(), local: 0 }
    }

    fn visit(&mut self, f: Visit) {
        self.norm.visit(f);
        self.gradient.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.norm.gamma, self.norm.beta]
    }
}

/// A channel block's gradient of the normalized map, through ReLU, and its distance from the mean.
struct Through<S: Simd> {
    source: Source<S>,
    gradient: Source<S>,
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
