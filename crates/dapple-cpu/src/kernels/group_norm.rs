//! Group normalization (Wu and He 2018), and its gradient.
//!
//! Sums for the moments are taken for each image and sixteen channels, and then joined over the channels of a group. The
//! gradient takes the moments again instead of keeping them.

use super::kernel::{Backward, Kernel, Memory, Scratch, Visit};
use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};

/// A planned group normalization.
#[derive(Clone, Debug)]
pub(crate) struct GroupNorm {
    pub source: Operand,
    pub groups: usize,
    pub eps: f32,
    /// In the parameter and the gradient buffer.
    pub gamma: usize,
    pub beta: usize,
}

/// Pixels that are worked on at a time, and that are summed in single precision.
const CHUNK: usize = 256;

/// Rows of shared scratch memory for each image, of a value for each channel: mean, inverse deviation, and for the
/// gradient the sums of the gradient and of its products with the normalized values.
const ROWS: usize = 4;

/// The terms of a sum over pixels.
#[derive(Clone, Copy)]
enum Sum {
    Values,
    /// Squares of the distances from the mean.
    Squares,
    /// The gradient, and its products with the normalized values.
    Gradient,
}

impl GroupNorm {
    fn channels(&self) -> usize {
        self.source.blocks.len() * LANES
    }

    /// Pixels of an image.
    fn pixels(&self) -> usize {
        self.source.shape.h * self.source.shape.w
    }

    /// Values of shared scratch memory.
    fn shared_scratch(&self) -> usize {
        self.source.shape.n * ROWS * self.channels()
    }

    /// Place of a row of an image in shared memory.
    fn row(&self, image: usize, row: usize) -> usize {
        (image * ROWS + row) * self.channels()
    }

    /// Mean and inverse deviation of each channel's group, in rows 0 and 1.
    fn moments(&self, level: Level, arena: Base, shared: Base) {
        self.sum(level, arena, shared, Sum::Values, &self.source);
        self.join(shared, 0, |_, sum| sum, |mean| mean);
        self.sum(level, arena, shared, Sum::Squares, &self.source);
        self.join(shared, 1, |_, sum| sum, |var| 1.0 / (var + f64::from(self.eps)).sqrt());
    }

    /// Sums over the pixels of each image, for each channel.
    fn sum(&self, level: Level, arena: Base, shared: Base, what: Sum, gradient: &Operand) {
        let blocks = self.source.blocks.len();
        parallel::for_each(self.source.shape.n * blocks, |task| {
            // SAFETY: tasks write the sums of their own image and channels.
            unsafe { sum_block(level, self, arena, shared, what, gradient, task / blocks, task % blocks) }
        });
    }

    /// Replaces the sums of a row by a function of their group's mean; those of the padding become zero.
    fn join(&self, shared: Base, row: usize, weigh: impl Fn(usize, f64) -> f64, finish: impl Fn(f64) -> f64) {
        let size = self.source.shape.c / self.groups;
        let count = (self.pixels() * size) as f64;
        for image in 0..self.source.shape.n {
            let place = self.row(image, row);
            // SAFETY: `at` checks the row; nothing else runs now.
            let row =
                unsafe { std::slice::from_raw_parts_mut(shared.at(place, self.channels()), self.channels()) };
            let (used, padding) = row.split_at_mut(self.source.shape.c);
            for (group, values) in used.chunks_exact_mut(size).enumerate() {
                let weighed = values.iter().enumerate().map(|(i, &v)| weigh(group * size + i, f64::from(v)));
                values.fill(finish(weighed.sum::<f64>() / count) as f32);
            }
            padding.fill(0.0);
        }
    }

    /// Runs a task for each image and run of its pixels: image, first pixel and number of pixels.
    fn for_each_run(&self, task: impl Fn(usize, usize, usize) + Sync + Send) {
        let (pixels, runs) = (self.pixels(), self.pixels().div_ceil(CHUNK));
        parallel::for_each(self.source.shape.n * runs, |index| {
            let (image, start) = (index / runs, index % runs * CHUNK);
            task(image, image * pixels + start, CHUNK.min(pixels - start));
        });
    }
}

/// Writes the normalized map to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    pub norm: GroupNorm,
    pub to: Target,
}

impl Kernel for Forward {
    fn name(&self) -> &'static str {
        "group norm"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, shared, .. } = *memory;
        let Self { norm, to } = self;
        norm.moments(level, arena, shared);
        norm.for_each_run(|image, start, count| {
            // SAFETY: tasks write disjoint pixels.
            unsafe { forward_run(level, norm, arena, params, shared, to, [image, start, count]) }
        });
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.norm.shared_scratch(), local: 0 }
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
    norm: GroupNorm,
    gradient: Operand,
    to: Option<Target>,
}

impl Kernel for Gradient {
    fn name(&self) -> &'static str {
        "group norm gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, params, shared, accumulate, .. } = *memory;
        let (norm, gradient, to) = (&self.norm, &self.gradient, self.to.as_ref());
        let shape = norm.source.shape;
        norm.moments(level, arena, shared);
        norm.sum(level, arena, shared, Sum::Gradient, gradient);
        // SAFETY: `at` checks each place; nothing else runs now.
        let value = |base: Base, at: usize| unsafe { f64::from(*base.at(at, 1)) };
        for (row, place) in [(3, norm.gamma), (2, norm.beta)] {
            for c in 0..shape.c {
                let new: f64 = (0..shape.n).map(|image| value(shared, norm.row(image, row) + c)).sum();
                let old = if accumulate { value(gradients, place + c) } else { 0.0 };
                // SAFETY: as above.
                unsafe { *gradients.at(place + c, 1) = (old + new) as f32 };
            }
        }
        let Some(to) = to else { return };
        // The sums become means over the groups of the gradient of the normalized values.
        for row in [2, 3] {
            norm.join(shared, row, |c, sum| value(params, norm.gamma + c) * sum, |mean| mean);
        }
        norm.for_each_run(|image, start, count| {
            // SAFETY: tasks write disjoint pixels, after they were read.
            unsafe { backward_run(level, norm, arena, params, shared, gradient, to, [image, start, count]) }
        });
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

simd_fn! {
    /// # Safety
    /// No other task may write the sums of this image and block.
    sum_block = sum_block_impl(
        norm: &GroupNorm,
        arena: Base,
        shared: Base,
        what: Sum,
        gradient: &Operand,
        image: usize,
        block: usize,
    )
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn sum_block_impl<S: Simd>(
    norm: &GroupNorm,
    arena: Base,
    shared: Base,
    what: Sum,
    gradient: &Operand,
    image: usize,
    block: usize,
) {
    let (all, pixels) = (norm.source.shape.pixels(), norm.pixels());
    let row = |row: usize| shared.at(norm.row(image, row) + block * LANES, LANES);
    let mut totals = [[0.0f64; LANES]; 2];
    // SAFETY: `source` and `at` check the places; pixels are below their number.
    unsafe {
        let x = norm.source.blocks[block].source::<S>(arena, all);
        let g = gradient.blocks[block].source::<S>(arena, all);
        let (mean, inverse) = match what {
            Sum::Values => (S::splat(0.0), S::splat(1.0)),
            Sum::Squares => (S::load(row(0)), S::splat(1.0)),
            Sum::Gradient => (S::load(row(0)), S::load(row(1))),
        };
        for start in (0..pixels).step_by(CHUNK) {
            let (mut first, mut second) = (S::splat(0.0), S::splat(0.0));
            for pixel in image * pixels + start..image * pixels + pixels.min(start + CHUNK) {
                let z = S::mul(S::sub(x.get(pixel), mean), inverse);
                match what {
                    Sum::Values => first = S::add(first, z),
                    Sum::Squares => first = S::fma(z, z, first),
                    Sum::Gradient => {
                        let g = g.raw(pixel);
                        first = S::add(first, g);
                        second = S::fma(g, z, second);
                    }
                }
            }
            for (totals, sum) in totals.iter_mut().zip([first, second]) {
                let mut lanes = [0.0f32; LANES];
                S::store(lanes.as_mut_ptr(), sum);
                totals.iter_mut().zip(lanes).for_each(|(total, lane)| *total += f64::from(lane));
            }
        }
        let store = |place: *mut f32, totals: [f64; LANES]| {
            let lanes = totals.map(|total| total as f32);
            S::store(place, S::load(lanes.as_ptr()));
        };
        match what {
            Sum::Values => store(row(0), totals[0]),
            Sum::Squares => store(row(1), totals[0]),
            Sum::Gradient => {
                store(row(2), totals[0]);
                store(row(3), totals[1]);
            }
        }
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    forward_run = forward_run_impl(
        norm: &GroupNorm,
        arena: Base,
        params: Base,
        shared: Base,
        to: &Target,
        run: [usize; 3],
    )
}

#[inline(always)]
unsafe fn forward_run_impl<S: Simd>(
    norm: &GroupNorm,
    arena: Base,
    params: Base,
    shared: Base,
    to: &Target,
    [image, start, count]: [usize; 3],
) {
    let all = norm.source.shape.pixels();
    // SAFETY: `address`, `source` and `at` check the places; pixels are below their number.
    unsafe {
        for (b, (block, target)) in norm.source.blocks.iter().zip(&to.blocks).enumerate() {
            let x = block.source::<S>(arena, all);
            let row = |row: usize| S::load(shared.at(norm.row(image, row) + b * LANES, LANES));
            let (mean, inverse) = (row(0), row(1));
            let gamma = S::load(params.at(norm.gamma + b * LANES, LANES));
            let beta = S::load(params.at(norm.beta + b * LANES, LANES));
            let p = target.address(arena, all);
            for pixel in start..start + count {
                let z = S::mul(S::sub(x.get(pixel), mean), inverse);
                // The padding of gamma and beta is zero.
                S::store(p.add(pixel * target.stride), S::fma(z, gamma, beta));
            }
        }
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    backward_run = backward_run_impl(
        norm: &GroupNorm,
        arena: Base,
        params: Base,
        shared: Base,
        gradient: &Operand,
        to: &Target,
        run: [usize; 3],
    )
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn backward_run_impl<S: Simd>(
    norm: &GroupNorm,
    arena: Base,
    params: Base,
    shared: Base,
    gradient: &Operand,
    to: &Target,
    [image, start, count]: [usize; 3],
) {
    let all = norm.source.shape.pixels();
    // SAFETY: `address`, `source` and `at` check the places; pixels are below their number.
    unsafe {
        for (b, target) in to.blocks.iter().enumerate() {
            let x = norm.source.blocks[b].source::<S>(arena, all);
            let g = gradient.blocks[b].source::<S>(arena, all);
            let row = |row: usize| S::load(shared.at(norm.row(image, row) + b * LANES, LANES));
            let [mean, inverse, sum, along] = [row(0), row(1), row(2), row(3)];
            let gamma = S::load(params.at(norm.gamma + b * LANES, LANES));
            let p = target.address(arena, all);
            for pixel in start..start + count {
                let z = S::mul(S::sub(x.get(pixel), mean), inverse);
                let v = S::sub(S::mul(g.raw(pixel), gamma), S::fma(z, along, sum));
                // The padding's inverse is zero.
                let v = S::mul(inverse, v);
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}
