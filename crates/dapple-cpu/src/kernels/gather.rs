//! The gradient of max unpooling.

use super::kernel::{Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pool::{Pool, load_positions};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};

/// Values of the large map from where the maxima stood, to the small one: the gradient of unpooling.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub pool: Pool,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { pool, from, to }) = (memory.arena, self);
        parallel::for_each(pool.small.n * pool.small.h, |row| {
            // SAFETY: each task writes its own row.
            unsafe {
                if pool.halves() {
                    gather_fours(level, pool, arena, from, to, row)
                } else {
                    gather_row(level, pool, arena, from, to, row)
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
}

simd_fn! {
    /// # Safety
    /// No other task may write this row of the small map.
    gather_row = gather_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn gather_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
    let (large, small) = (pool.large, pool.small);
    let (n, y) = (row / small.h, row % small.h);
    let bytes = pool.bytes(arena);
    let channels = to.blocks.len() * LANES;
    for (b, (block, target)) in from.blocks.iter().zip(&to.blocks).enumerate() {
        // SAFETY: windows are cut to the map; rows are below their number.
        unsafe {
            let source = block.source::<S>(arena, large.pixels());
            let out = target.address(arena, small.pixels());
            for x in 0..small.w {
                let pixel = row * small.w + x;
                let positions = load_positions::<S>(bytes.add(pixel * channels + b * LANES));
                let mut sum = S::splat(0.0);
                for ky in pool.window(0, y, large.h) {
                    let line = (n * large.h + pool.place(0, y, ky)) * large.w;
                    for kx in pool.window(1, x, large.w) {
                        let here = S::splat((ky * pool.settings.kernel[1] + kx) as f32);
                        let v = source.get(line + pool.place(1, x, kx));
                        sum = S::add(sum, S::where_equal(positions, here, v));
                    }
                }
                let p = out.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), sum) } else { sum });
            }
        }
    }
}

simd_fn! {
    /// A row of [`Pool::halves`].
    ///
    /// # Safety
    /// No other task may write this row of the small map.
    gather_fours = gather_fours_impl(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize)
}

#[inline(always)]
unsafe fn gather_fours_impl<S: Simd>(pool: &Pool, arena: Base, from: &Operand, to: &Target, row: usize) {
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
            let mut sources = [blocks[0].source::<S>(arena, large.pixels()); BLOCKS];
            let mut outs = [std::ptr::null_mut::<f32>(); BLOCKS];
            for (i, (block, target)) in blocks.iter().zip(targets).enumerate() {
                sources[i] = block.source::<S>(arena, large.pixels());
                outs[i] = target.address(arena, small.pixels());
            }
            for x in 0..small.w {
                let pixel = row * small.w + x;
                for (i, target) in targets.iter().enumerate() {
                    let at = bytes.add(pixel * channels + (group * BLOCKS + i) * LANES);
                    let positions = load_positions::<S>(at);
                    let mut sum = S::splat(0.0);
                    for (k, at) in [(0.0, 0), (1.0, 1), (2.0, large.w), (3.0, large.w + 1)] {
                        let v = sources[i].get(top + 2 * x + at);
                        sum = S::add(sum, S::where_equal(positions, S::splat(k), v));
                    }
                    let p = outs[i].add(pixel * target.stride);
                    S::store(p, if target.accumulate { S::add(S::load(p), sum) } else { sum });
                }
            }
        }
    }
}
