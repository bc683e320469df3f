//! The gradient of a depthwise convolution's weights: for each tap the sum over the points of gradient times input.

use super::depthwise::{BLOCKS, Tile, Tiles, with_count};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::Operand;
use super::reduce::sum_parts;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// The planned gradient of a depthwise convolution's weights.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseWeights {
    pub input: Operand,
    pub gradient: Operand,
    pub tiles: Tiles,
    /// Where the gradient stands in the gradient buffer.
    pub weights: usize,
}

impl Kernel for DepthwiseWeights {
    fn name(&self) -> &'static str {
        "depthwise weight gradient"
    }

    fn multiplied(&self) -> u64 {
        1
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, shared, local, accumulate, .. } = *memory;
        let (blocks, need, parts) = (self.input.blocks.len(), self.thread_scratch(), self.parts());
        let chunks = blocks.div_ceil(BLOCKS);
        parallel::for_each(parts * chunks, |task| {
            let (part, chunk) = (task / chunks, task % chunks);
            let scratch = local.at(parallel::thread() * need, need);
            let sums = shared.at(part * self.len(), self.len());
            let chunk = chunk * BLOCKS..blocks.min((chunk + 1) * BLOCKS);
            for (i, tile) in parallel::run(self.tiles.count(), parts, part).enumerate() {
                let tile = self.tiles.tile(tile);
                // SAFETY: the scratch is this thread's, the sums of these blocks this task's.
                unsafe { weights_of(level, self, &tile, chunk.clone(), arena, i > 0, sums, scratch) };
            }
        });
        sum_parts(level, shared, 0, parts, self.len(), gradients, self.weights, accumulate);
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
    }

    fn visit(&mut self, f: Visit) {
        self.input.visit(f);
        self.gradient.visit(f);
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.weights]
    }
}

impl DepthwiseWeights {
    /// Parts that the tiles are split into.
    fn parts(&self) -> usize {
        self.tiles.count().min(8)
    }

    /// Values of the gradient.
    fn len(&self) -> usize {
        self.tiles.taps.len() * self.input.blocks.len() * LANES
    }

    /// Values of shared scratch memory.
    fn shared_scratch(&self) -> usize {
        self.parts() * self.len()
    }

    /// Values of scratch memory for each thread.
    fn thread_scratch(&self) -> usize {
        self.tiles.window()
    }
}

simd_fn! {
    /// # Safety
    /// `scratch` must hold a window, `sums` the gradient; no other task may write these blocks of it.
    weights_of = weights_impl(
        conv: &DepthwiseWeights,
        tile: &Tile,
        blocks: Range<usize>,
        arena: Base,
        accumulate: bool,
        sums: *mut f32,
        scratch: *mut f32,
    )
}

#[inline(always)]
unsafe fn weights_impl<S: Simd>(
    conv: &DepthwiseWeights,
    tile: &Tile,
    blocks: Range<usize>,
    arena: Base,
    accumulate: bool,
    sums: *mut f32,
    scratch: *mut f32,
) {
    let channels = conv.input.blocks.len() * LANES;
    let taps = conv.tiles.taps.len();
    for b in blocks {
        // SAFETY: `source` checks the map; the window holds what the taps read; `sums` is the caller's promise.
        unsafe {
            conv.tiles.fill::<S>(tile, &conv.input, &conv.input.blocks[b], arena, scratch);
            let mut first = 0;
            while first < taps {
                let count = S::ROWS.min(taps - first);
                let some = Taps {
                    block: b,
                    first,
                    window: scratch,
                    sums: sums.add(first * channels + b * LANES),
                    channels,
                    accumulate,
                };
                with_count!(count, taps_of::<S>(conv, tile, arena, &some));
                first += count;
            }
        }
    }
}

/// Some taps of the gradient.
struct Taps {
    block: usize,
    first: usize,
    window: *const f32,
    sums: *mut f32,
    channels: usize,
    accumulate: bool,
}

#[inline(always)]
unsafe fn taps_of<S: Simd, const N: usize>(conv: &DepthwiseWeights, tile: &Tile, arena: Base, t: &Taps) {
    if N > S::ROWS {
        return; // As in `points_of`.
    }
    let tiles = &conv.tiles;
    let step = tiles.lattice.source_step;
    // SAFETY: as in `weights_impl`.
    unsafe {
        let gradient = conv.gradient.blocks[t.block].source::<S>(arena, conv.gradient.shape.pixels());
        let mut positions = [0; N];
        for i in 0..N {
            positions[i] = tiles.taps[t.first + i].0 * LANES;
        }
        let mut sums = [S::splat(0.0); N];
        for y in tile.rows.clone() {
            let row = t.window.add((y - tile.rows.start) * step[0] * tiles.pitch * LANES);
            let pixel = tiles.target_pixel(tile.image, y, tile.columns.start);
            for x in 0..tile.columns.len() {
                let g = gradient.raw(pixel + x);
                let from = row.add(x * step[1] * LANES);
                for i in 0..N {
                    sums[i] = S::fma(S::load(from.add(positions[i])), g, sums[i]);
                }
            }
        }
        for i in 0..N {
            let to = t.sums.add(i * t.channels);
            S::store(to, if t.accumulate { S::add(S::load(to), sums[i]) } else { sums[i] });
        }
    }
}
