//! The weights' gradient of 3 x 3 convolutions of stride 1 by Winograd's algorithm:
//! `dW = Gᵀ [sum over tiles of (Bᵀ d B) (A dY Aᵀ)ᵀ] G`.
//!
//! A task keeps the 36 accumulators of one block of input and output channels in the second-level cache and
//! runs over its share of the tiles.

use super::gemm::{Batch, PANEL, Product, product};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::Operand;
use super::weights::Weights;
use super::winograd::{POINTS, Tiling, plane, transform_weight_gradient};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// A planned weight gradient.
#[derive(Clone, Debug)]
pub(crate) struct Conv3x3Weights {
    pub input: Operand,
    /// Gradient of the output.
    pub gradient: Operand,
    pub tiling: Tiling,
    pub weights: Weights,
}

/// Channels of a block, of the input and of the output.
const BLOCK: usize = 64;
/// Bytes of transformed tiles that are kept beside the accumulators.
const TILE_BYTES: usize = 400 << 10;

impl Kernel for Conv3x3Weights {
    fn name(&self) -> &'static str {
        "conv3x3 weight gradient"
    }

    fn multiplied(&self) -> u64 {
        1
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, shared, local, accumulate, .. } = *memory;
        let (parts, in_blocks) = (self.parts(), self.ins().div_ceil(BLOCK));
        parallel::for_each(parts * self.blocks(), |task| {
            let (part, block) = (task % parts, task / parts);
            let (i, o) = (block % in_blocks * BLOCK, block / in_blocks * BLOCK);
            let ins = i..self.ins().min(i + BLOCK);
            let outs = o..self.outs().min(o + BLOCK);
            let tiles = parallel::run(self.tiling.count(), parts, part);
            self.block(level, arena, shared, local, part, ins, outs, tiles);
        });
        super::reduce::sum_parts(
            level,
            shared,
            0,
            parts,
            self.weights.len(),
            gradients,
            self.weights.offset,
            accumulate,
        );
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
    }

    fn visit(&mut self, f: Visit) {
        self.input.visit(f);
        self.gradient.visit(f);
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.weights.offset]
    }
}

impl Conv3x3Weights {
    fn ins(&self) -> usize {
        self.input.blocks.len() * LANES
    }

    fn outs(&self) -> usize {
        self.gradient.blocks.len() * LANES
    }

    fn group(&self) -> usize {
        let width = BLOCK.min(self.ins()) + BLOCK.min(self.outs());
        (TILE_BYTES / (POINTS * 4 * width)).clamp(8, 96)
    }

    fn blocks(&self) -> usize {
        self.ins().div_ceil(BLOCK) * self.outs().div_ceil(BLOCK)
    }

    /// Parts that the tiles are split into; each has partial sums of its own.
    fn parts(&self) -> usize {
        16usize.div_ceil(self.blocks()).min(self.tiling.count().div_ceil(2 * self.group())).max(1)
    }

    /// Values of shared scratch memory.
    fn shared_scratch(&self) -> usize {
        self.parts() * self.weights.len()
    }

    fn s_plane(&self) -> usize {
        plane(BLOCK.min(self.ins()), BLOCK.min(self.outs()))
    }

    /// Values of scratch memory for each thread.
    fn thread_scratch(&self) -> usize {
        let (ins, outs) = (BLOCK.min(self.ins()), BLOCK.min(self.outs()));
        POINTS * (self.s_plane() + plane(self.group(), ins) + plane(self.group(), outs))
    }

    #[allow(clippy::too_many_arguments)]
    fn block(
        &self,
        level: Level,
        arena: Base,
        shared: Base,
        local: Base,
        part: usize,
        ins: Range<usize>,
        outs: Range<usize>,
        tiles: Range<usize>,
    ) {
        let need = self.thread_scratch();
        let scratch = local.at(parallel::thread() * need, need);
        let group = self.group();
        let (rows, columns) = (ins.len(), outs.len());
        let (s_plane, v_plane, y_plane) = (self.s_plane(), plane(group, rows), plane(group, columns));
        // SAFETY: the scratch is this thread's; the 9 partial gradients are written at this task's channels only.
        unsafe {
            let s = scratch;
            let v = s.add(POINTS * s_plane);
            let y = v.add(POINTS * v_plane);
            let first = tiles.start;
            for start in tiles.clone().step_by(group) {
                let now = start..tiles.end.min(start + group);
                tiles_in(level, self, arena, now.clone(), ins.clone(), v, v_plane);
                tiles_out(level, self, arena, now.clone(), outs.clone(), y, y_plane);
                for column in (0..columns).step_by(PANEL) {
                    let p = Product {
                        a: v,
                        a_row: 1,
                        a_depth: rows,
                        b: y.add(column),
                        b_depth: columns,
                        c: s.add(column),
                        c_row: columns,
                        rows,
                        depth: now.len(),
                        vectors: PANEL.min(columns - column) / LANES,
                        accumulate: start > first,
                        batch: Batch { count: POINTS, a: v_plane, b: y_plane, c: s_plane },
                    };
                    product(level, &p);
                }
            }
            let to = shared.at(part * self.weights.len(), self.weights.len());
            finish(level, s, s_plane, to, self.weights, ins, outs);
        }
    }
}

simd_fn! {
    /// # Safety
    /// `v` must be valid for 36 planes of `[tiles, channels]`.
    tiles_in = tiles_in_impl(conv: &Conv3x3Weights, arena: Base, tiles: Range<usize>, channels: Range<usize>, v: *mut f32, v_plane: usize)
}

#[inline(always)]
unsafe fn tiles_in_impl<S: Simd>(
    conv: &Conv3x3Weights,
    arena: Base,
    tiles: Range<usize>,
    channels: Range<usize>,
    v: *mut f32,
    v_plane: usize,
) {
    for (row, tile) in conv.tiling.tiles(tiles).enumerate() {
        for c in (0..channels.len()).step_by(LANES) {
            // SAFETY: tiles lie in the input's map; `v` is the caller's promise.
            unsafe {
                let block = &conv.input.blocks[(channels.start + c) / LANES];
                let source = block.source::<S>(arena, conv.input.shape.pixels());
                conv.tiling.transform_input::<S>(&tile, &source, v.add(row * channels.len() + c), v_plane);
            }
        }
    }
}

simd_fn! {
    /// # Safety
    /// `y` must be valid for 36 planes of `[tiles, channels]`.
    tiles_out = tiles_out_impl(conv: &Conv3x3Weights, arena: Base, tiles: Range<usize>, channels: Range<usize>, y: *mut f32, y_plane: usize)
}

#[inline(always)]
unsafe fn tiles_out_impl<S: Simd>(
    conv: &Conv3x3Weights,
    arena: Base,
    tiles: Range<usize>,
    channels: Range<usize>,
    y: *mut f32,
    y_plane: usize,
) {
    for (row, tile) in conv.tiling.tiles(tiles).enumerate() {
        for c in (0..channels.len()).step_by(LANES) {
            // SAFETY: tiles lie in the output's map; `y` is the caller's promise.
            unsafe {
                let block = &conv.gradient.blocks[(channels.start + c) / LANES];
                let source = block.source::<S>(arena, conv.gradient.shape.pixels());
                conv.tiling.transform_gradient::<S>(&tile, &source, y.add(row * channels.len() + c), y_plane);
            }
        }
    }
}

simd_fn! {
    /// `Gᵀ S G` of a block of channels to their places in all weights, which start at `to`.
    ///
    /// # Safety
    /// `s` must hold the 36 products `[ins, outs]`; no other task may write these channels.
    finish = finish_impl(s: *const f32, s_plane: usize, to: *mut f32, weights: Weights, ins: Range<usize>, outs: Range<usize>)
}

#[inline(always)]
unsafe fn finish_impl<S: Simd>(
    s: *const f32,
    s_plane: usize,
    to: *mut f32,
    weights: Weights,
    ins: Range<usize>,
    outs: Range<usize>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..ins.len() {
            for c in (0..outs.len()).step_by(LANES) {
                let taps = transform_weight_gradient::<S>(s.add(r * outs.len() + c), s_plane);
                for (tap, v) in taps.into_iter().enumerate() {
                    S::store(to.add(weights.at(tap, ins.start + r, outs.start + c)), v);
                }
            }
        }
    }
}
