//! Depthwise convolutions in integers of any kernel, stride, dilation and padding. Their sums have so few terms that `f32`
//! holds them exactly, whether products and sums are fused or not.

use super::bytes::ByteMap;
use super::ending::{Ending, Finish};
use super::weights::Packed;
use crate::kernels::kernel::{Kernel, Memory, Visit};
use crate::kernels::lattice::Lattice;
use crate::kernels::operand::Target;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::sync::Arc;

/// A planned depthwise convolution in integers.
#[derive(Clone, Debug)]
pub(crate) struct IntegerDepthwise {
    pub input: ByteMap,
    pub lattice: Lattice,
    pub weights: Arc<Packed>,
    pub ending: Ending,
}

/// Points whose sums are kept in registers together.
const POINTS: usize = 4;

impl Kernel for IntegerDepthwise {
    fn name(&self) -> &'static str {
        "int8 depthwise"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let arena = memory.arena;
        let rows = self.lattice.images * self.lattice.grid[0];
        parallel::for_each(rows, |row| {
            // SAFETY: each task writes its own row.
            unsafe { row_of(level, self, arena, row) };
        });
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.input.offset);
        self.ending.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        self.ending.output.iter().collect()
    }

    fn multiplies(&self) -> bool {
        true
    }
}

simd_fn! {
    /// Computes and finishes a row of the output.
    ///
    /// # Safety
    /// No other task may write this row.
    row_of = row_impl(conv: &IntegerDepthwise, arena: Base, row: usize)
}

#[inline(always)]
unsafe fn row_impl<S: Simd>(conv: &IntegerDepthwise, arena: Base, row: usize) {
    let Lattice { images, grid, source, source_step, taps, .. } = &conv.lattice;
    let channels = conv.weights.outs();
    assert!(conv.weights.len() >= taps.len() * channels, "the weights are those of the convolution");
    let (image, y) = (row / grid[0], row % grid[0]);
    let offsets = || taps.iter().map(|tap| tap.offset[1]);
    let (left, right) = (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0));
    let map = conv.input.address(arena).cast_const();
    let is_short = conv.ending.is_short();
    let place = Row { image, y, size: *source, step: *source_step };
    // SAFETY: the address was checked for the whole map; blocks, points and the weights' taps are below their numbers.
    unsafe {
        for b in 0..channels / LANES {
            let finish = Finish::<S>::new(&conv.ending, &conv.weights, b, images * grid[0] * grid[1], arena);
            let initial = S::load(conv.weights.initial().add(b * LANES));
            let mut x = 0;
            while x < grid[1] {
                let count = POINTS.min(grid[1] - x);
                let first = (x * source_step[1]) as isize + left;
                let last = ((x + POINTS - 1) * source_step[1]) as isize + right;
                let inside = count == POINTS && first >= 0 && last < source[1] as isize;
                let sums = match inside {
                    true => sums::<S, true>(conv, map, &place, b, x, initial),
                    false => sums::<S, false>(conv, map, &place, b, x, initial),
                };
                for (i, &sum) in sums[..count].iter().enumerate() {
                    let pixel = row * grid[1] + x + i;
                    if is_short {
                        finish.put::<true>(pixel, sum);
                    } else {
                        finish.put::<false>(pixel, sum);
                    }
                }
                x += count;
            }
        }
    }
}

/// A row of the output, and the map that it reads.
struct Row {
    image: usize,
    y: usize,
    size: [usize; 2],
    step: [usize; 2],
}

/// The sums of sixteen channels of neighbouring points; `INSIDE` if all of their taps are inside the map's columns.
///
/// # Safety
/// `map` must be the convolution's input; the level of `S` must be there.
#[inline(always)]
unsafe fn sums<S: Simd, const INSIDE: bool>(
    conv: &IntegerDepthwise,
    map: *const u8,
    row: &Row,
    b: usize,
    x: usize,
    initial: S::V,
) -> [S::V; POINTS] {
    let (channels, stride) = (conv.weights.outs(), conv.input.stride);
    // SAFETY: the caller's promise; pixels are inside the map where they are read.
    unsafe {
        let zero = S::splat(f32::from(conv.input.affine.zero));
        let mut sums = [initial; POINTS];
        for tap in &conv.lattice.taps {
            let weight = S::load(conv.weights.values().add(tap.index * channels + b * LANES));
            // Negative positions become huge.
            let line = ((row.y * row.step[0]) as isize + tap.offset[0]) as usize;
            let is_line = line < row.size[0];
            let line = (row.image * row.size[0] + if is_line { line } else { 0 }) * row.size[1];
            for i in 0..POINTS {
                let column = (((x + i) * row.step[1]) as isize + tap.offset[1]) as usize;
                let v = if is_line && (INSIDE || column < row.size[1]) {
                    S::of_bytes(map.add((line + column) * stride + b * LANES))
                } else {
                    zero
                };
                sums[i] = S::fma(v, weight, sums[i]);
            }
        }
        sums
    }
}
