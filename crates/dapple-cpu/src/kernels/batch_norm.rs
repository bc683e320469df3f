//! Batch normalization (Ioffe and Szegedy 2015), forward.
//!
//! The normalized map is never stored: statistics become a scale and a shift for each channel, which readers
//! apply ([`super::operand::Block`]). Sums are taken about the first pixel's value, so that a mean far from zero
//! costs no digits, over short runs in f32 whose sums are added in f64.

use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::Operand;
use crate::joint::Joined;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// The places of a batch norm. Those in the arena hold a value for each padded channel.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    /// The map that is normalized; plain, stored.
    pub source: Operand,
    pub eps: f32,
    pub momentum: f32,
    /// Whether it is normalized with the running statistics in training too.
    pub frozen: bool,
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

/// Scale and shift from the batch, and a step of the running statistics.
#[derive(Clone, Debug)]
pub(crate) struct Train(pub Norm);

impl Kernel for Train {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, statistics, shared, joint, .. } = *memory;
        let moments = self.0.moments(level, arena, shared, joint);
        self.0.train(&moments, arena, params, statistics);
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.0.shared_scratch(), local: 0 }
    }

    fn visit(&mut self, f: Visit) {
        self.0.visit(f);
    }
}

/// The statistics of a batch.
struct Moments {
    /// Pixels.
    count: f64,
    /// Mean and biased variance of each channel.
    channels: Vec<[f64; 2]>,
}

impl Moments {
    /// Those of the whole batch of `count` pixels, from the sums of all ranks in `f64`.
    fn joined(self, count: f64, joint: &Joined) -> Self {
        let sums = self
            .channels
            .iter()
            .flat_map(|[mean, var]| [self.count * mean, self.count * (var + mean * mean)]);
        let mut sums: Vec<f64> = sums.collect();
        joint.sum(&mut sums);
        let of_channel = |sums: &[f64; 2]| {
            let mean = sums[0] / count;
            [mean, (sums[1] / count - mean * mean).max(0.0)]
        };
        Self { count, channels: sums.as_chunks::<2>().0.iter().map(of_channel).collect() }
    }
}

/// Scale and shift from the running statistics; for a training also the mean and the inverse deviation, which the gradient
/// reads.
#[derive(Clone, Debug)]
pub(crate) struct Eval(pub Norm);

impl Kernel for Eval {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        self.0.eval(memory.arena, memory.params, memory.statistics);
    }

    fn visit(&mut self, f: Visit) {
        self.0.visit(f);
    }
}

/// Parts that the pixels are split into for sums.
pub(super) fn parts(pixels: usize) -> usize {
    pixels.div_ceil(256).min(64)
}

/// Pixels whose sums stay in f32 registers before they are added to the part's.
pub(super) const RUN: usize = 64;

impl Norm {
    /// Channels, padded.
    pub(super) fn channels(&self) -> usize {
        self.source.blocks.len() * LANES
    }

    /// Values of shared scratch memory.
    pub(super) fn shared_scratch(&self) -> usize {
        (2 * parts(self.source.shape.pixels()) + 3) * self.channels()
    }

    /// Shows every place in the arena to `f`.
    pub(super) fn visit(&mut self, f: Visit) {
        self.source.visit(f);
        [&mut self.scale, &mut self.shift, &mut self.mean, &mut self.inverse].into_iter().for_each(f);
    }

    /// The statistics of the batch; of the whole one, where ranks share it and norms are joint.
    fn moments(&self, level: Level, arena: Base, shared: Base, joint: Option<&Joined>) -> Moments {
        let pixels = self.source.shape.pixels();
        let (parts, channels) = (parts(pixels), self.channels());
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            // SAFETY: each task writes its own sums.
            unsafe { moments(level, &self.source, arena, parallel::run(pixels, parts, part), sums) };
        });
        let count = pixels as f64;
        let of_channel = |c: usize| {
            let block = &self.source.blocks[c / LANES];
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let first = f64::from(*arena.at(block.offset + c % LANES, 1));
                let sum = |which: usize| -> f64 {
                    (0..parts).map(|p| f64::from(*shared.at((2 * p + which) * channels + c, 1))).sum()
                };
                let offset = sum(0) / count;
                [first + offset, (sum(1) / count - offset * offset).max(0.0)]
            }
        };
        let own = Moments { count, channels: (0..self.source.shape.c).map(of_channel).collect() };
        match joint.filter(|joint| joint.norms()) {
            Some(joint) => own.joined(joint.pixels(self.source.shape) as f64, joint),
            None => own,
        }
    }

    /// Scale and shift from the batch's statistics; updates the running ones.
    fn train(&self, moments: &Moments, arena: Base, params: Base, statistics: Base) {
        let count = moments.count;
        for (c, &[mean, var]) in moments.channels.iter().enumerate() {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let inverse = 1.0 / (var + f64::from(self.eps)).sqrt();
                let gamma = f64::from(*params.at(self.gamma + c, 1));
                let beta = f64::from(*params.at(self.beta + c, 1));
                *arena.at(self.mean + c, 1) = mean as f32;
                *arena.at(self.inverse + c, 1) = inverse as f32;
                *arena.at(self.scale + c, 1) = (gamma * inverse) as f32;
                *arena.at(self.shift + c, 1) = (beta - mean * gamma * inverse) as f32;
                let momentum = f64::from(self.momentum);
                let unbiased = if count > 1.0 { var * count / (count - 1.0) } else { var };
                for (place, new) in [(self.running_mean, mean), (self.running_var, unbiased)] {
                    let running = statistics.at(place + c, 1);
                    *running = (f64::from(*running) * (1.0 - momentum) + momentum * new) as f32;
                }
            }
        }
        self.clear_padding(arena);
    }

    /// Scale and shift from the running statistics.
    fn eval(&self, arena: Base, params: Base, statistics: Base) {
        for c in 0..self.source.shape.c {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let mean = f64::from(*statistics.at(self.running_mean + c, 1));
                let var = f64::from(*statistics.at(self.running_var + c, 1));
                let deviation = (var + f64::from(self.eps)).sqrt();
                let scale = f64::from(*params.at(self.gamma + c, 1)) / deviation;
                *arena.at(self.mean + c, 1) = mean as f32;
                *arena.at(self.inverse + c, 1) = (1.0 / deviation) as f32;
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
}

simd_fn! {
    /// Sums and sums of squares of `value - value of pixel 0`, `[2, channels]`.
    ///
    /// # Safety
    /// `sums` must be valid for them.
    pub(super) moments = moments_impl(source: &Operand, arena: Base, pixels: Range<usize>, sums: *mut f32)
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
