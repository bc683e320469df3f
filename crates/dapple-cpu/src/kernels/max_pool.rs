//! Max pooling that remembers where the maxima stood, one byte each, and unpooling.

use super::gather::Gather;
use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pool::{Pool, load_positions};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};

/// Writes the maxima of `from` to `to`, and their positions to the arena.
#[derive(Clone, Debug)]
pub(crate) struct MaxPooling {
    pub pool: Pool,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for MaxPooling {
    fn name(&self) -> &'static str {
        "max pool"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { pool, from, to }) = (memory.arena, self);
        parallel::for_each(pool.small.n * pool.small.h, |row| {
            // SAFETY: each task writes its own row.
            unsafe {
                if pool.halves() {
                    halve_row(level, pool, arena, from, to, row)
                } else {
                    forward_row(level, pool, arena, from, to, row)
                }
            }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.pool.positions.iter_mut().for_each(&mut *f);
        self.from.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }

    fn makes(&self) -> Vec<usize> {
        std::iter::once(self.to.blocks[0].offset).chain(self.pool.positions).collect()
    }
}

impl Backward for MaxPooling {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Scatter { pool: self.pool.clone(), from: gradient, to: to? }))
    }
}

/// Values of the small map to where their maxima stood in the large one, zero (or nothing added) elsewhere: unpooling,
/// and the gradient of pooling.
#[derive(Clone, Debug)]
pub(crate) struct Scatter {
    pub pool: Pool,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { pool, from, to }) = (memory.arena, self);
        if pool.halves() && 2 * pool.small.h == pool.large.h && 2 * pool.small.w == pool.large.w {
            parallel::for_each(pool.small.n * pool.small.h, |row| {
                // SAFETY: each task writes its own pair of rows.
                unsafe { double_row(level, pool, arena, from, to, row) }
            });
            return;
        }
        parallel::for_each(pool.large.n * pool.large.h, |row| {
            // SAFETY: each task writes its own row.
            unsafe { scatter_row(level, pool, arena, from, to, row) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.pool.positions.iter_mut().for_each(&mut *f);
        self.from.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

impl Backward for Scatter {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Gather { pool: self.pool.clone(), from: gradient, to: to? }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write this row of the small map.
    forward_row = forward_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn forward_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
    let (large, small) = (pool.large, pool.small);
    let (n, y) = (row / small.h, row % small.h);
    let rows = pool.window(0, y, large.h);
    let bytes = pool.bytes(arena);
    let channels = to.blocks.len() * LANES;
    for (b, (block, target)) in from.blocks.iter().zip(&to.blocks).enumerate() {
        // SAFETY: windows are cut to the map; rows are below their number.
        unsafe {
            let source = block.source::<S>(arena, large.pixels());
            let out = target.address(arena, small.pixels());
            for x in 0..small.w {
                let mut best = S::splat(f32::NEG_INFINITY);
                let mut position = S::splat(0.0);
                for ky in rows.clone() {
                    let line = (n * large.h + pool.place(0, y, ky)) * large.w;
                    for kx in pool.window(1, x, large.w) {
                        let v = source.get(line + pool.place(1, x, kx));
                        let k = S::splat((ky * pool.settings.kernel[1] + kx) as f32);
                        position = S::select_greater(v, best, k, position);
                        best = S::max(best, v);
                    }
                }
                let pixel = row * small.w + x;
                S::store(out.add(pixel * target.stride), best);
                if !bytes.is_null() {
                    S::store_bytes(bytes.add(pixel * channels + b * LANES), position);
                }
            }
        }
    }
}

simd_fn! {
    /// A row of [`Pool::halves`].
    ///
    /// # Safety
    /// No other task may write this row of the small map.
    halve_row = halve_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn halve_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
    /// Blocks whose pixels are read together, so that cache lines side by side are used side by side.
    const BLOCKS: usize = 4;
    let (large, small) = (pool.large, pool.small);
    let (n, y) = (row / small.h, row % small.h);
    let bytes = pool.bytes(arena);
    let channels = to.blocks.len() * LANES;
    let top = (n * large.h + 2 * y) * large.w;
    for (group, (blocks, targets)) in from.blocks.chunks(BLOCKS).zip(to.blocks.chunks(BLOCKS)).enumerate() {
        // SAFETY: `halves` keeps all four pixels inside the map; rows are below their number.
        unsafe {
            let first = blocks[0].source::<S>(arena, large.pixels());
            let mut sources = [first; BLOCKS];
            let mut outs = [std::ptr::null_mut(); BLOCKS];
            for (i, (block, target)) in blocks.iter().zip(targets).enumerate() {
                sources[i] = block.source::<S>(arena, large.pixels());
                outs[i] = target.address(arena, small.pixels());
            }
            for x in 0..small.w {
                let pixel = row * small.w + x;
                for (i, target) in targets.iter().enumerate() {
                    let mut best = sources[i].get(top + 2 * x);
                    let mut position = S::splat(0.0);
                    for (k, at) in [(1.0, 1), (2.0, large.w), (3.0, large.w + 1)] {
                        let v = sources[i].get(top + 2 * x + at);
                        position = S::select_greater(v, best, S::splat(k), position);
                        best = S::max(best, v);
                    }
                    S::store(outs[i].add(pixel * target.stride), best);
                    if !bytes.is_null() {
                        S::store_bytes(bytes.add(pixel * channels + (group * BLOCKS + i) * LANES), position);
                    }
                }
            }
        }
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write this row of the large map.
    scatter_row = scatter_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn scatter_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
    let (large, small) = (pool.large, pool.small);
    let (n, y) = (row / large.h, row % large.h);
    let bytes = pool.bytes(arena);
    let channels = to.blocks.len() * LANES;
    let kernel = pool.settings.kernel;
    for (b, (block, target)) in from.blocks.iter().zip(&to.blocks).enumerate() {
        // SAFETY: `covering` stays inside the small map; rows are below their number.
        unsafe {
            let source = block.source::<S>(arena, small.pixels());
            let out = target.address(arena, large.pixels());
            for x in 0..large.w {
                let mut sum = S::splat(0.0);
                for sy in pool.covering(0, y, small.h) {
                    let ky = y + pool.settings.padding[0] - sy * pool.settings.stride[0];
                    for sx in pool.covering(1, x, small.w) {
                        let kx = x + pool.settings.padding[1] - sx * pool.settings.stride[1];
                        let pixel = (n * small.h + sy) * small.w + sx;
                        let positions = load_positions::<S>(bytes.add(pixel * channels + b * LANES));
                        let here = S::splat((ky * kernel[1] + kx) as f32);
                        sum = S::add(sum, S::where_equal(positions, here, source.get(pixel)));
                    }
                }
                let p = out.add((row * large.w + x) * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), sum) } else { sum });
            }
        }
    }
}

simd_fn! {
    /// The two rows that a row of the small map is scattered to, where windows of 2 x 2 cover the large one.
    ///
    /// # Safety
    /// No other task may write these rows of the large map.
    double_row = double_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn double_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
    let (large, small) = (pool.large, pool.small);
    let bytes = pool.bytes(arena);
    let channels = to.blocks.len() * LANES;
    // Rows of all images follow each other, and all of them are doubled.
    let top = 2 * row * large.w;
    for (b, (block, target)) in from.blocks.iter().zip(&to.blocks).enumerate() {
        // SAFETY: the windows cover the large map exactly; rows are below their number.
        unsafe {
            let source = block.source::<S>(arena, small.pixels());
            let out = target.address(arena, large.pixels());
            for x in 0..small.w {
                let pixel = row * small.w + x;
                let value = source.get(pixel);
                let positions = load_positions::<S>(bytes.add(pixel * channels + b * LANES));
                for (k, at) in [(0.0, 0), (1.0, 1), (2.0, large.w), (3.0, large.w + 1)] {
                    let p = out.add((top + 2 * x + at) * target.stride);
                    let v = S::where_equal(positions, S::splat(k), value);
                    S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
                }
            }
        }
    }
}
