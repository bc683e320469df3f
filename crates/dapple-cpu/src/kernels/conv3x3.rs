//! 3 x 3 convolutions of stride 1 by Winograd's algorithm: forward, and the gradient of the input, which is the
//! same with rotated and transposed weights.
//!
//! Many tiles: each task takes a group of tiles through all three stages, so that their transforms stay in the
//! second-level cache; the transformed weights are made once. Few tiles or many channels: all tiles of a group
//! are transformed first, then each task makes the transformed weights of its own output channels as it goes,
//! so that they (151 MB for 1024 x 1024) never reach memory.

use super::gemm::{Batch, PANEL, Product, product};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::{Finish, Operand, Target};
use super::weights::Weights;
use super::winograd::{POINTS, Tiling, plane, transform_weights};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};

/// A planned convolution.
#[derive(Clone, Debug)]
pub(crate) struct Conv3x3 {
    pub input: Operand,
    pub output: Target,
    pub tiling: Tiling,
    pub weights: Weights,
    /// Use the weights rotated by 180 degrees with input and output channels exchanged.
    pub transposed: bool,
    /// Where the bias stands in the parameter buffer.
    pub bias: Option<usize>,
    pub relu: bool,
    /// A map of the output's shape that is added after the ReLU.
    pub residual: Option<Operand>,
}

/// Tiles of a group when they go through all stages at once.
const GROUP: usize = 28;
/// Columns whose products are kept at a time by such a group.
const CHUNK: usize = 64;
/// Tiles of a group whose products for one panel of columns fit the second-level cache.
const LARGE_GROUP: usize = 196;
/// Depth of the on-the-fly transformed weights.
const DEPTH: usize = 64;

impl Kernel for Conv3x3 {
    fn name(&self) -> &'static str {
        if self.transposed { "conv3x3 data gradient" } else { "conv3x3" }
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, shared, local, .. } = *memory;
        if self.few() {
            self.run_few(level, arena, params, shared, local);
        } else {
            self.run_many(level, arena, params, shared, local);
        }
    }

    fn scratch(&self) -> Scratch {
        let (depth, group) = (self.depth(), self.large_group());
        let (shared, local) = match self.few() {
            true => (plane(group, depth), plane(group, PANEL) + plane(DEPTH, PANEL)),
            false => {
                let panels = self.columns().div_ceil(PANEL);
                (panels * plane(depth, PANEL), plane(GROUP, depth) + plane(GROUP, CHUNK))
            }
        };
        Scratch { shared: POINTS * shared, local: POINTS * local }
    }

    fn visit(&mut self, f: Visit) {
        self.input.visit(f);
        self.output.visit(f);
        self.residual.iter_mut().for_each(|r| r.visit(f));
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.output]
    }

    fn multiplies(&self) -> bool {
        true
    }

    fn residual(&mut self) -> Option<(&Target, &mut Option<Operand>)> {
        Some((&self.output, &mut self.residual))
    }
}

impl Conv3x3 {
    fn depth(&self) -> usize {
        self.input.blocks.len() * LANES
    }

    fn columns(&self) -> usize {
        self.output.blocks.len() * LANES
    }

    fn few(&self) -> bool {
        self.depth() >= 256 || self.tiling.count() < 4 * GROUP
    }

    fn large_group(&self) -> usize {
        // Nearly equal groups.
        let count = self.tiling.count();
        count.div_ceil(count.div_ceil(LARGE_GROUP))
    }

    fn run_many(&self, level: Level, arena: Base, params: Base, shared: Base, local: Base) {
        let (depth, columns) = (self.depth(), self.columns());
        let panels = columns.div_ceil(PANEL);
        let slices = depth.div_ceil(DEPTH);
        let u_plane = plane(depth, PANEL);
        parallel::for_each(panels * slices, |task| {
            let (panel, slice) = (task / slices, task % slices);
            let width = PANEL.min(columns - panel * PANEL);
            let rows = slice * DEPTH..depth.min((slice + 1) * DEPTH);
            let to = shared.at(panel * POINTS * u_plane, POINTS * u_plane);
            // SAFETY: each task writes rows `rows` of its panel's 36 matrices `[depth, width]`.
            unsafe {
                weights(
                    level,
                    self,
                    params,
                    panel * PANEL,
                    width,
                    rows.clone(),
                    to.add(rows.start * width),
                    u_plane,
                );
            }
        });
        let count = self.tiling.count();
        let need = self.scratch().local;
        parallel::for_each(count.div_ceil(GROUP), |task| {
            let tiles = task * GROUP..count.min((task + 1) * GROUP);
            let scratch = local.at(parallel::thread() * need, need);
            let v_plane = plane(GROUP, depth);
            let m_plane = plane(GROUP, CHUNK);
            // SAFETY: the scratch is this thread's; each task writes the outputs of its own tiles.
            unsafe {
                let v = scratch;
                let m = scratch.add(POINTS * v_plane);
                input_tiles(level, self, arena, tiles.clone(), 0..self.input.blocks.len(), v, v_plane);
                for chunk in (0..columns).step_by(CHUNK) {
                    let end = columns.min(chunk + CHUNK);
                    for column in (chunk..end).step_by(PANEL) {
                        let width = PANEL.min(columns - column);
                        let p = Product {
                            a: v,
                            a_row: depth,
                            a_depth: 1,
                            b: shared.at(column / PANEL * POINTS * u_plane, POINTS * u_plane),
                            b_depth: width,
                            c: m.add(column - chunk),
                            c_row: CHUNK,
                            rows: tiles.len(),
                            depth,
                            vectors: width / LANES,
                            accumulate: false,
                            batch: Batch { count: POINTS, a: v_plane, b: u_plane, c: m_plane },
                        };
                        product(level, &p);
                    }
                    output_tiles(
                        level,
                        self,
                        arena,
                        params,
                        tiles.clone(),
                        chunk / LANES..end / LANES,
                        m,
                        m_plane,
                        CHUNK,
                    );
                }
            }
        });
    }

    fn run_few(&self, level: Level, arena: Base, params: Base, shared: Base, local: Base) {
        let (depth, columns) = (self.depth(), self.columns());
        let (count, group, need) = (self.tiling.count(), self.large_group(), self.scratch().local);
        let v_plane = plane(group, depth);
        let (m_plane, u_plane) = (plane(group, PANEL), plane(DEPTH, PANEL));
        for start in (0..count).step_by(group) {
            let tiles = start..count.min(start + group);
            // The input of some tiles and channels a task.
            let blocks = self.input.blocks.len();
            let (tile_parts, block_parts) = (tiles.len().div_ceil(16), blocks.div_ceil(8));
            parallel::for_each(tile_parts * block_parts, |task| {
                let t = parallel::run(tiles.len(), tile_parts, task / block_parts);
                let b = parallel::run(blocks, block_parts, task % block_parts);
                let v = shared.at(0, POINTS * v_plane);
                // SAFETY: each task writes the rows of its own tiles at its own channels.
                unsafe {
                    input_tiles(
                        level,
                        self,
                        arena,
                        start + t.start..start + t.end,
                        b,
                        v.add(t.start * depth),
                        v_plane,
                    );
                }
            });
            parallel::for_each(columns.div_ceil(PANEL), |task| {
                let column = task * PANEL;
                let width = PANEL.min(columns - column);
                let scratch = local.at(parallel::thread() * need, need);
                let v = shared.at(0, POINTS * v_plane);
                // SAFETY: the scratch is this thread's, `v` is only read now; each task writes its own columns.
                unsafe {
                    let m = scratch;
                    let u = scratch.add(POINTS * m_plane);
                    for row in (0..depth).step_by(DEPTH) {
                        let rows = row..depth.min(row + DEPTH);
                        weights(level, self, params, column, width, rows.clone(), u, u_plane);
                        let p = Product {
                            a: v.add(row),
                            a_row: depth,
                            a_depth: 1,
                            b: u,
                            b_depth: width,
                            c: m,
                            c_row: PANEL,
                            rows: tiles.len(),
                            depth: rows.len(),
                            vectors: width / LANES,
                            accumulate: row > 0,
                            batch: Batch { count: POINTS, a: v_plane, b: u_plane, c: m_plane },
                        };
                        product(level, &p);
                    }
                    let blocks = column / LANES..(column + width) / LANES;
                    output_tiles(level, self, arena, params, tiles.clone(), blocks, m, m_plane, PANEL);
                }
            });
        }
    }
}

simd_fn! {
    /// # Safety
    /// `v` must be valid for 36 planes of `[tiles, depth]`.
    input_tiles = input_tiles_impl(
        conv: &Conv3x3,
        arena: Base,
        tiles: std::ops::Range<usize>,
        blocks: std::ops::Range<usize>,
        v: *mut f32,
        v_plane: usize,
    )
}

#[inline(always)]
unsafe fn input_tiles_impl<S: Simd>(
    conv: &Conv3x3,
    arena: Base,
    tiles: std::ops::Range<usize>,
    blocks: std::ops::Range<usize>,
    v: *mut f32,
    v_plane: usize,
) {
    let pixels = conv.input.shape.pixels();
    let depth = conv.depth();
    for (row, tile) in conv.tiling.tiles(tiles).enumerate() {
        for b in blocks.clone() {
            // SAFETY: tiles lie in the input's map; `v` is the caller's promise.
            unsafe {
                let source = conv.input.blocks[b].source::<S>(arena, pixels);
                conv.tiling.transform_input::<S>(&tile, &source, v.add(row * depth + b * LANES), v_plane);
            }
        }
    }
}

simd_fn! {
    /// # Safety
    /// `m` must be valid for 36 planes of `[tiles, m_row]`, whose columns start at the first of `blocks`; no
    /// other task may write these outputs.
    output_tiles = output_tiles_impl(
        conv: &Conv3x3,
        arena: Base,
        params: Base,
        tiles: std::ops::Range<usize>,
        blocks: std::ops::Range<usize>,
        m: *const f32,
        m_plane: usize,
        m_row: usize,
    )
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn output_tiles_impl<S: Simd>(
    conv: &Conv3x3,
    arena: Base,
    params: Base,
    tiles: std::ops::Range<usize>,
    blocks: std::ops::Range<usize>,
    m: *const f32,
    m_plane: usize,
    m_row: usize,
) {
    // SAFETY: the caller's promise; `at` checks the bias.
    unsafe {
        let first = blocks.start;
        let finish = |b| {
            let residual = conv.residual.as_ref();
            Finish::<S>::new(&conv.output, b, residual, conv.bias, conv.relu, arena, params)
        };
        let mut finishes = [finish(first); CHUNK / LANES];
        blocks.clone().for_each(|b| finishes[b - first] = finish(b));
        for (row, tile) in conv.tiling.tiles(tiles).enumerate() {
            for (column, finish) in finishes[..blocks.len()].iter().enumerate() {
                let from = m.add(row * m_row + column * LANES);
                if finish.plain() {
                    conv.tiling.transform_output::<S, true>(&tile, from, m_plane, finish);
                } else {
                    conv.tiling.transform_output::<S, false>(&tile, from, m_plane, finish);
                }
            }
        }
    }
}

simd_fn! {
    /// Transformed weights of columns `column .. column + width` and rows `rows`: 36 matrices `[rows, width]`
    /// at `to + point * u_plane`.
    ///
    /// # Safety
    /// `to` must be valid for them.
    weights = weights_impl(
        conv: &Conv3x3,
        params: Base,
        column: usize,
        width: usize,
        rows: std::ops::Range<usize>,
        to: *mut f32,
        u_plane: usize,
    )
}

#[inline(always)]
unsafe fn weights_impl<S: Simd>(
    conv: &Conv3x3,
    params: Base,
    column: usize,
    width: usize,
    rows: std::ops::Range<usize>,
    to: *mut f32,
    u_plane: usize,
) {
    let place = conv.weights;
    let w = params.at(place.offset, place.len());
    // SAFETY: rows and columns lie inside the weights; `to` is the caller's promise.
    unsafe {
        if !conv.transposed {
            let tap = place.ins * place.width(column);
            for (r, row) in rows.enumerate() {
                for c in (0..width).step_by(LANES) {
                    let taps = w.add(place.at(0, row, column) + c);
                    transform_weights::<S>(taps, tap, to.add(r * width + c), u_plane);
                }
            }
            return;
        }
        // Rows are output channels of the weights now, columns input channels: blocks of 16 x 16 are turned.
        let mut turned = [[[0.0f32; LANES]; LANES]; 9];
        for (r, row) in rows.step_by(LANES).enumerate() {
            for c in (0..width).step_by(LANES) {
                for tap in 0..9 {
                    let from = w.add(place.at(8 - tap, column + c, row));
                    turn(from, place.width(row), &mut turned[tap]);
                }
                for o in 0..LANES {
                    let to = to.add((r * LANES + o) * width + c);
                    transform_weights::<S>(turned[0][o].as_ptr(), LANES * LANES, to, u_plane);
                }
            }
        }
    }
}

/// Sixteen rows of sixteen values, `stride` apart, as columns.
///
/// # Safety
/// The rows must be valid.
#[inline(always)]
unsafe fn turn(from: *const f32, stride: usize, to: &mut [[f32; LANES]; LANES]) {
    for i in 0..LANES {
        for o in 0..LANES {
            // SAFETY: the caller's promise.
            to[o][i] = unsafe { *from.add(i * stride + o) };
        }
    }
}
