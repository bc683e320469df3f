//! Depthwise convolutions: each channel has a kernel of its own; of any kernel, stride, dilation and padding. Forward
//! and the gradient of the input are the same kernel over different lattices.
//!
//! A task takes a tile of points and four blocks of channels. Of one block after the other it copies the window that
//! the tile reads to scratch memory that stays in the nearest cache, with batch norm and ReLU applied and zeros
//! outside of the map, so that the sums know no borders.

use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::lattice::Lattice;
use super::operand::{Block, Operand, Target};
use super::pointwise::{Ends, end_with};
use super::values::Function;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::Pointwise;
use std::ops::Range;

/// Pixels of a window that the tiles' sizes aim at: 40 KiB.
const WINDOW: usize = 640;
/// Points in a row of a tile at most.
const COLUMNS: usize = 56;
/// Channel blocks of a task: 256 neighbouring bytes of each pixel.
pub(super) const BLOCKS: usize = 4;

/// A lattice cut into tiles, and where in a tile's window each tap reads.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    pub(super) lattice: Lattice,
    /// Tiles of an image, down and across.
    counts: [usize; 2],
    /// Points of a tile (fewer in the last ones).
    size: [usize; 2],
    /// Smallest offset of a tap.
    low: [isize; 2],
    /// Pixels that the taps of one point span.
    span: [usize; 2],
    /// Columns of the window.
    pub(super) pitch: usize,
    /// Position in the window, counted in pixels, and index of each tap.
    pub(super) taps: Vec<(usize, usize)>,
}

/// A tile: its image, and its points.
pub(super) struct Tile {
    pub image: usize,
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Tiles {
    /// Cuts a lattice.
    pub fn new(lattice: Lattice) -> Self {
        let offsets = |axis: usize| lattice.taps.iter().map(move |tap| tap.offset[axis]);
        let low = [0, 1].map(|axis| offsets(axis).min().unwrap_or(0));
        let span = [0, 1].map(|axis| (offsets(axis).max().unwrap_or(0) - low[axis]) as usize + 1);
        let step = lattice.source_step;
        let across = lattice.grid[1].div_ceil(COLUMNS);
        let columns = lattice.grid[1].div_ceil(across);
        let across = lattice.grid[1].div_ceil(columns);
        let pitch = (columns - 1) * step[1] + span[1];
        // As many rows as fit, but so many that not most of the window is read twice.
        let fitting = (WINDOW / pitch).saturating_sub(span[0]) / step[0] + 1;
        let rows = fitting.max(span[0].min(32) / step[0]).clamp(1, lattice.grid[0]);
        let down = lattice.grid[0].div_ceil(rows);
        let rows = lattice.grid[0].div_ceil(down);
        let down = lattice.grid[0].div_ceil(rows);
        let position = |offset: [isize; 2]| {
            let [y, x] = [0, 1].map(|axis| (offset[axis] - low[axis]) as usize);
            y * pitch + x
        };
        let taps = lattice.taps.iter().map(|tap| (position(tap.offset), tap.index)).collect();
        Self { counts: [down, across], size: [rows, columns], low, span, pitch, taps, lattice }
    }

    /// Tiles of the batch.
    pub(super) fn count(&self) -> usize {
        self.lattice.images * self.counts[0] * self.counts[1]
    }

    pub(super) fn tile(&self, index: usize) -> Tile {
        let (rest, x) = (index / self.counts[1], index % self.counts[1]);
        let (image, y) = (rest / self.counts[0], rest % self.counts[0]);
        let run = |axis: usize, i: usize| {
            let size = self.size[axis];
            i * size..((i + 1) * size).min(self.lattice.grid[axis])
        };
        Tile { image, rows: run(0, y), columns: run(1, x) }
    }

    /// Values of a tile's window of one channel block.
    pub(super) fn window(&self) -> usize {
        ((self.size[0] - 1) * self.lattice.source_step[0] + self.span[0]) * self.pitch * LANES
    }

    /// The pixel of the target map that a point of an image writes.
    #[inline(always)]
    pub(super) fn target_pixel(&self, image: usize, y: usize, x: usize) -> usize {
        let l = &self.lattice;
        (image * l.target[0] + l.target_start[0] + y * l.target_step[0]) * l.target[1]
            + l.target_start[1]
            + x * l.target_step[1]
    }

    /// Copies the window of a tile to `to`, zero outside of the map.
    #[inline(always)]
    pub(super) unsafe fn fill<S: Simd>(
        &self,
        tile: &Tile,
        operand: &Operand,
        block: &Block,
        arena: Base,
        to: *mut f32,
    ) {
        let [height, width] = self.lattice.source;
        let start =
            |axis: usize, first: usize| (first * self.lattice.source_step[axis]) as isize + self.low[axis];
        let (top, left) = (start(0, tile.rows.start), start(1, tile.columns.start));
        let rows = (tile.rows.len() - 1) * self.lattice.source_step[0] + self.span[0];
        let columns = (tile.columns.len() - 1) * self.lattice.source_step[1] + self.span[1];
        // Columns before the map's first and behind its last.
        let before = (-left).clamp(0, columns as isize) as usize;
        let inside = (width as isize - left).clamp(before as isize, columns as isize) as usize;
        // SAFETY: rows and columns are cut to the map; `to` holds the window.
        unsafe {
            let source = block.source::<S>(arena, operand.shape.pixels());
            for row in 0..rows {
                let to = to.add(row * self.pitch * LANES);
                let y = top + row as isize;
                if y < 0 || y >= height as isize {
                    to.write_bytes(0, columns * LANES);
                    continue;
                }
                let line = (tile.image * height + y as usize) * width;
                to.write_bytes(0, before * LANES);
                if source.plain() {
                    for column in before..inside {
                        let pixel = line + (left + column as isize) as usize;
                        S::store(to.add(column * LANES), source.raw(pixel));
                    }
                } else {
                    for column in before..inside {
                        let pixel = line + (left + column as isize) as usize;
                        S::store(to.add(column * LANES), source.get(pixel));
                    }
                }
                to.add(inside * LANES).write_bytes(0, (columns - inside) * LANES);
            }
        }
    }
}

/// A planned depthwise convolution, or the gradient of one's input.
#[derive(Clone, Debug)]
pub(crate) struct Depthwise {
    pub input: Operand,
    pub output: Target,
    /// One forward, one a phase in the gradient.
    pub phases: Vec<Tiles>,
    /// Where the weights `[taps, channels]` stand in the parameter buffer.
    pub weights: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Where the bias stands there.
    pub bias: Option<usize>,
    pub relu: bool,
    /// A function of each value behind the ReLU.
    pub function: Option<Pointwise>,
    /// Whether it is the gradient of an input, for tables.
    pub gradient: bool,
}

impl Kernel for Depthwise {
    fn name(&self) -> &'static str {
        if self.gradient { "depthwise data gradient" } else { "depthwise" }
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, local, .. } = *memory;
        let (blocks, need) = (self.input.blocks.len(), self.thread_scratch());
        let chunks = blocks.div_ceil(BLOCKS);
        for tiles in &self.phases {
            parallel::for_each(tiles.count() * chunks, |task| {
                let scratch = local.at(parallel::thread() * need, need);
                let (tile, chunk) = (tiles.tile(task / chunks), task % chunks);
                let chunk = chunk * BLOCKS..blocks.min((chunk + 1) * BLOCKS);
                // SAFETY: the scratch is this thread's; tiles have pixels of their own.
                unsafe { tile_of(level, self, tiles, &tile, chunk, arena, params, scratch) };
            });
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: 0, local: self.thread_scratch() }
    }

    fn visit(&mut self, f: Visit) {
        self.input.visit(f);
        self.output.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.output]
    }

    fn multiplies(&self) -> bool {
        true
    }

    fn ending(&mut self) -> Option<(&Target, &mut Option<Pointwise>)> {
        // A function of a sum with what stood there would be another one.
        let overwrites = self.output.blocks.iter().all(|block| !block.accumulate);
        overwrites.then_some((&self.output, &mut self.function))
    }
}

impl Depthwise {
    /// Values of scratch memory for each thread.
    fn thread_scratch(&self) -> usize {
        self.phases.iter().map(Tiles::window).max().unwrap_or(0)
    }
}

simd_fn! {
    /// # Safety
    /// `scratch` must hold a window; no other task may write the tile's pixels.
    tile_of = tile_impl(
        conv: &Depthwise,
        tiles: &Tiles,
        tile: &Tile,
        blocks: Range<usize>,
        arena: Base,
        params: Base,
        scratch: *mut f32,
    )
}

#[inline(always)]
unsafe fn tile_impl<S: Simd>(
    conv: &Depthwise,
    tiles: &Tiles,
    tile: &Tile,
    blocks: Range<usize>,
    arena: Base,
    params: Base,
    scratch: *mut f32,
) {
    let channels = conv.input.blocks.len() * LANES;
    let columns = tile.columns.len();
    let groups = columns.div_ceil(S::ROWS);
    for b in blocks {
        let target = &conv.output.blocks[b];
        // SAFETY: `at` and `address` check the places; the window holds what the taps of the tile's points read.
        unsafe {
            tiles.fill::<S>(tile, &conv.input, &conv.input.blocks[b], arena, scratch);
            let weights = params.at(conv.weights, conv.kernel * channels).add(b * LANES);
            let output = target.address(arena, conv.output.shape.pixels());
            let start = match conv.bias {
                Some(bias) => S::load(params.at(bias + b * LANES, LANES)),
                None => S::splat(0.0),
            };
            for y in tile.rows.clone() {
                let row = (y - tile.rows.start) * tiles.lattice.source_step[0] * tiles.pitch;
                let mut x = 0;
                for group in 0..groups {
                    // Even groups, so that none is too small to hide the latency.
                    let count = (columns - x).div_ceil(groups - group);
                    let from = scratch.add((row + x * tiles.lattice.source_step[1]) * LANES);
                    let pixel = tiles.target_pixel(tile.image, y, tile.columns.start + x);
                    let points = Points {
                        from,
                        weights,
                        channels,
                        start,
                        to: output.add(pixel * target.stride),
                        to_step: target.stride * tiles.lattice.target_step[1],
                        relu: conv.relu,
                        accumulate: target.accumulate,
                    };
                    some_points::<S>(tiles, &points, count);
                    x += count;
                }
                if let Some(function) = conv.function {
                    let to =
                        output.add(tiles.target_pixel(tile.image, y, tile.columns.start) * target.stride);
                    let step = target.stride * tiles.lattice.target_step[1];
                    end_with::<S>(function, &Written { to, step, count: columns });
                }
            }
        }
    }
}

/// Neighbouring points of a row.
struct Points<S: Simd> {
    /// The window at the first point: taps are counted from here.
    from: *const f32,
    weights: *const f32,
    channels: usize,
    start: S::V,
    to: *mut f32,
    to_step: usize,
    relu: bool,
    accumulate: bool,
}

/// Values of neighbouring points that were just written, sixteen of each.
struct Written {
    to: *mut f32,
    step: usize,
    count: usize,
}

impl<S: Simd> Ends<S> for Written {
    /// # Safety
    /// The points must be valid, and no other task's.
    #[inline(always)]
    unsafe fn run(&self, function: &impl Function<S, 1>) {
        for i in 0..self.count {
            // SAFETY: the caller's promise.
            unsafe {
                let to = self.to.add(i * self.step);
                S::store(to, function.of([S::load(to)]));
            }
        }
    }
}

/// Picks the instance of a kernel for `count` accumulators.
macro_rules! with_count {
    ($count:expr, $call:ident :: <$s:ident> $args:tt) => {
        with_count!($count, $call, $s, $args, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    ($count:expr, $call:ident, $s:ident, $args:tt, $($n:literal)*) => {
        match $count {
            $($n => $call::<$s, $n> $args,)*
            _ => unreachable!("groups have 1 to 14 members"),
        }
    };
}
pub(super) use with_count;

#[inline(always)]
unsafe fn some_points<S: Simd>(tiles: &Tiles, points: &Points<S>, count: usize) {
    // SAFETY: passed on.
    unsafe { with_count!(count, points_of::<S>(tiles, points)) }
}

#[inline(always)]
unsafe fn points_of<S: Simd, const N: usize>(tiles: &Tiles, p: &Points<S>) {
    if N > S::ROWS {
        return; // Never called so; keeps groups that a level cannot hold out of its code.
    }
    let step = tiles.lattice.source_step[1] * LANES;
    // SAFETY: the window holds what the taps read; the rest is the caller's promise.
    unsafe {
        let mut sums = [p.start; N];
        for &(position, index) in &tiles.taps {
            let weight = S::load(p.weights.add(index * p.channels));
            let from = p.from.add(position * LANES);
            for i in 0..N {
                sums[i] = S::fma(S::load(from.add(i * step)), weight, sums[i]);
            }
        }
        for i in 0..N {
            let mut v = sums[i];
            if p.relu {
                v = S::max(S::splat(0.0), v);
            }
            let to = p.to.add(i * p.to_step);
            S::store(to, if p.accumulate { S::add(S::load(to), v) } else { v });
        }
    }
}
