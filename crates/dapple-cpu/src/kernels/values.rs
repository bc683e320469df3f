//! Functions of single values, of one map or of several, in the order in which the values stand in memory.

use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::simd::{LANES, Simd};
use dapple_graph::Shape;
use std::ops::Range;

/// A function of the values of `N` maps at one place.
pub(super) trait Function<S: Simd, const N: usize> {
    /// Whether zeros give something else than zero, which must not reach the padding channels.
    const LIFTS_ZERO: bool = false;

    /// Its sixteen values.
    ///
    /// # Safety
    /// The level of `S` must be there.
    unsafe fn of(&self, values: [S::V; N]) -> S::V;
}

/// Blocks whose values are read together, so that cache lines side by side are used side by side.
const BLOCKS: usize = 4;

/// Writes (or adds) a function of the maps' values of some pixels to `to`, which may be the place of any of them.
///
/// # Safety
/// The level of `S` must be there, the pixels inside the maps, and no other task may write them.
#[inline(always)]
pub(super) unsafe fn apply<S: Simd, const N: usize>(
    function: &impl Function<S, N>,
    arena: Base,
    from: [&Operand; N],
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: passed on.
    unsafe {
        if !in_one_run::<S, N, _>(function, arena, from, to, &pixels) {
            by_blocks::<S, N, _>(function, arena, from, to, pixels);
        }
    }
}

/// As [`apply`], where all maps are stored as they are read, which makes one run of memory of any pixels; false elsewhere.
#[inline(always)]
unsafe fn in_one_run<S: Simd, const N: usize, F: Function<S, N>>(
    function: &F,
    arena: Base,
    from: [&Operand; N],
    to: &Target,
    pixels: &Range<usize>,
) -> bool {
    if F::LIFTS_ZERO && !to.shape.c.is_multiple_of(LANES) {
        return false;
    }
    let row = to.blocks.len() * LANES;
    let Some(out) = to.run_of_memory() else { return false };
    let mut inputs = [std::ptr::null::<f32>(); N];
    for n in 0..N {
        match from[n].rows() {
            Some((offset, stride)) if stride == row => {
                inputs[n] = arena.at(offset + pixels.start * row, pixels.len() * row);
            }
            _ => return false,
        }
    }
    let out = arena.at(out + pixels.start * row, pixels.len() * row);
    let accumulate = to.blocks[0].accumulate;
    // SAFETY: `at` checked the runs; each place is read before it is written.
    unsafe {
        for i in (0..pixels.len() * row).step_by(LANES) {
            let mut values = [S::splat(0.0); N];
            for n in 0..N {
                values[n] = S::load(inputs[n].add(i));
            }
            let v = function.of(values);
            let p = out.add(i);
            S::store(p, if accumulate { S::add(S::load(p), v) } else { v });
        }
    }
    true
}

/// As [`apply`], for maps of any kind.
#[inline(always)]
unsafe fn by_blocks<S: Simd, const N: usize, F: Function<S, N>>(
    function: &F,
    arena: Base,
    from: [&Operand; N],
    to: &Target,
    pixels: Range<usize>,
) {
    let all = to.shape.pixels();
    // SAFETY: `address` and `source` check the maps; pixels are below their number. Where blocks of the target are the
    // same place twice, the later one is added to the earlier one, pixel by pixel.
    unsafe {
        for (group, targets) in to.blocks.chunks(BLOCKS).enumerate() {
            let first = group * BLOCKS;
            let mut sources = [[from[0].blocks[first].source::<S>(arena, all); BLOCKS]; N];
            let mut outs = [std::ptr::null_mut::<f32>(); BLOCKS];
            let mut used = [S::splat(1.0); BLOCKS];
            for (i, target) in targets.iter().enumerate() {
                for n in 0..N {
                    sources[n][i] = from[n].blocks[first + i].source::<S>(arena, all);
                }
                outs[i] = target.address(arena, all);
                used[i] = mask::<S>(to.shape, first + i);
            }
            for pixel in pixels.clone() {
                for (i, target) in targets.iter().enumerate() {
                    let mut values = [S::splat(0.0); N];
                    for n in 0..N {
                        values[n] = sources[n][i].get(pixel);
                    }
                    let mut v = function.of(values);
                    if F::LIFTS_ZERO {
                        v = S::where_greater(used[i], S::splat(0.0), v);
                    }
                    let p = outs[i].add(pixel * target.stride);
                    S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
                }
            }
        }
    }
}

/// 1 in the lanes of block `b` that are channels, 0 in the padding.
#[inline(always)]
pub(super) unsafe fn mask<S: Simd>(shape: Shape, b: usize) -> S::V {
    let mut lanes = [0.0f32; LANES];
    lanes[..(shape.c - b * LANES).min(LANES)].fill(1.0);
    // SAFETY: sixteen values are there.
    unsafe { S::load(lanes.as_ptr()) }
}
