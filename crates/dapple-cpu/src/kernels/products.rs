//! Products of maps: with another map, with a gate that is one pixel for each image, and the sums of products over
//! pixels that are the gradients of gates and of factors of channels.

use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::{Operand, Target};
use super::pixels::over;
use super::values::{Function, apply};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// Writes (or adds) `a b` to `to`, which may be the place of `a`.
#[derive(Clone, Debug)]
pub(crate) struct Multiply {
    pub a: Operand,
    pub b: Operand,
    /// `b` has one pixel for each image of `a`.
    pub gate: bool,
    pub to: Target,
}

impl Kernel for Multiply {
    fn name(&self) -> &'static str {
        "multiply"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { a, b, gate, to }) = (memory.arena, self);
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels, each after it was read.
            unsafe { multiply_part(level, arena, a, b, *gate, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.a.visit(f);
        self.b.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    multiply_part = multiply_impl(
        arena: Base,
        a: &Operand,
        b: &Operand,
        gate: bool,
        to: &Target,
        pixels: Range<usize>,
    )
}

#[inline(always)]
unsafe fn multiply_impl<S: Simd>(
    arena: Base,
    a: &Operand,
    b: &Operand,
    gate: bool,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: `address` and `source` check the maps; pixels are below their number, images below theirs.
    unsafe {
        if !gate {
            return apply::<S, 2>(&Product, arena, [a, b], to, pixels);
        }
        let all = to.shape.pixels();
        let image = to.shape.h * to.shape.w;
        for ((a, other), target) in a.blocks.iter().zip(&b.blocks).zip(&to.blocks) {
            let (a, other) = (a.source::<S>(arena, all), other.source::<S>(arena, b.shape.pixels()));
            let p = target.address(arena, all);
            let mut start = pixels.start;
            while start < pixels.end {
                // The pixels of one image.
                let end = pixels.end.min((start / image + 1) * image);
                let factor = other.get(start / image);
                for pixel in start..end {
                    let v = S::mul(a.get(pixel), factor);
                    let p = p.add(pixel * target.stride);
                    S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
                }
                start = end;
            }
        }
    }
}

struct Product;

impl<S: Simd> Function<S, 2> for Product {
    #[inline(always)]
    unsafe fn of(&self, [a, b]: [S::V; 2]) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { S::mul(a, b) }
    }
}

/// A planned sum of products: `sum over pixels of a b` for each channel, of each image or of all together.
#[derive(Clone, Debug)]
pub(crate) struct ProductSums {
    pub a: Operand,
    pub b: Operand,
}

/// Pixels whose products stay in a register before they are added to the part's.
const RUN: usize = 64;

impl ProductSums {
    fn channels(&self) -> usize {
        self.a.blocks.len() * LANES
    }

    /// Parts that `pixels` pixels are split into.
    fn parts(pixels: usize) -> usize {
        pixels.div_ceil(256).min(64)
    }

    /// Scratch memory that the sums need.
    pub(super) fn scratch(&self) -> Scratch {
        // Images together have no more parts than one by one.
        let shape = self.a.shape;
        Scratch { shared: shape.n * Self::parts(shape.h * shape.w) * self.channels(), local: 0 }
    }

    /// Shows every place in the arena to `f`.
    pub(super) fn visit(&mut self, f: Visit) {
        self.a.visit(f);
        self.b.visit(f);
    }

    /// The parts' sums of `groups` equal runs of pixels, to `shared`: `[groups, parts, channels]`.
    fn partial(&self, level: Level, arena: Base, shared: Base, groups: usize) -> usize {
        let pixels = self.a.shape.pixels() / groups;
        let (parts, channels) = (Self::parts(pixels), self.channels());
        parallel::for_each(groups * parts, |task| {
            let sums = shared.at(task * channels, channels);
            let run = parallel::run(pixels, parts, task % parts);
            let first = task / parts * pixels;
            // SAFETY: each task writes its own sums.
            unsafe { sum_part(level, self, arena, first + run.start..first + run.end, sums) };
        });
        parts
    }

    /// The sum over all images, added to (`accumulate`) or written to `to` in the gradient buffer.
    pub(super) fn of_all(
        &self,
        level: Level,
        arena: Base,
        shared: Base,
        gradients: Base,
        to: usize,
        accumulate: bool,
    ) {
        let parts = self.partial(level, arena, shared, 1);
        for c in 0..self.a.shape.c {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let place = gradients.at(to + c, 1);
                let old = if accumulate { f64::from(*place) } else { 0.0 };
                *place = (old + self.total(shared, 0, parts, c)) as f32;
            }
        }
    }

    /// The sum of a channel's parts in their order.
    unsafe fn total(&self, shared: Base, group: usize, parts: usize, channel: usize) -> f64 {
        let place = |part: usize| shared.at((group * parts + part) * self.channels() + channel, 1);
        // SAFETY: `at` checks each place; the caller vouches that nothing writes them now.
        (0..parts).map(|part| f64::from(unsafe { *place(part) })).sum()
    }
}

/// The gradient of a gate: the sums of each image, to its pixel of `to`.
#[derive(Clone, Debug)]
pub(crate) struct GateGradient {
    pub sums: ProductSums,
    pub to: Target,
}

impl Kernel for GateGradient {
    fn name(&self) -> &'static str {
        "gate gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, shared, .. } = *memory;
        let Self { sums, to } = self;
        let images = sums.a.shape.n;
        let parts = sums.partial(level, arena, shared, images);
        for (b, block) in to.blocks.iter().enumerate() {
            let address = block.address(arena, images);
            for (image, lane) in (0..images).flat_map(|i| (0..LANES).map(move |lane| (i, lane))) {
                // SAFETY: `address` checked the map; nothing else runs now.
                unsafe {
                    let place = address.add(image * block.stride + lane);
                    let old = if block.accumulate { f64::from(*place) } else { 0.0 };
                    *place = (old + sums.total(shared, image, parts, b * LANES + lane)) as f32;
                }
            }
        }
    }

    fn scratch(&self) -> Scratch {
        self.sums.scratch()
    }

    fn visit(&mut self, f: Visit) {
        self.sums.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

simd_fn! {
    /// # Safety
    /// `sums` must be valid for the channels.
    sum_part = sum_impl(products: &ProductSums, arena: Base, pixels: Range<usize>, sums: *mut f32)
}

#[inline(always)]
unsafe fn sum_impl<S: Simd>(products: &ProductSums, arena: Base, pixels: Range<usize>, sums: *mut f32) {
    let all = products.a.shape.pixels();
    for (i, (a, b)) in products.a.blocks.iter().zip(&products.b.blocks).enumerate() {
        // SAFETY: pixels are below their number; `sums` is the caller's promise.
        unsafe {
            let (a, b) = (a.source::<S>(arena, all), b.source::<S>(arena, all));
            let mut sum = S::splat(0.0);
            let mut start = pixels.start;
            while start < pixels.end {
                let end = pixels.end.min(start + RUN);
                let mut run = S::splat(0.0);
                for pixel in start..end {
                    run = S::fma(a.get(pixel), b.get(pixel), run);
                }
                sum = S::add(sum, run);
                start = end;
            }
            S::store(sums.add(i * LANES), sum);
        }
    }
}
