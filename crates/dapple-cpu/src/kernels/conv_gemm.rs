//! Convolutions of any kernel, stride, dilation and padding, and transposed ones, as matrix products over
//! gathered rows (im2col in blocks that stay in the cache).

use super::gemm::{Batch, PANEL, Product, product};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::lattice::{Dense, Lattice, gather_rows, gathered_channels};
use super::operand::{Finish, Operand, Target};
use super::pointwise::{Ends, end_with};
use super::values::Function;
use super::weights::Weights;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::Pointwise;
use std::ops::Range;

/// A planned convolution, forward or transposed.
#[derive(Clone, Debug)]
pub(crate) struct ConvGemm {
    pub input: Operand,
    pub output: Target,
    /// One forward, one a phase when transposed.
    pub lattices: Vec<Lattice>,
    pub weights: Weights,
    /// Sum over the weights' output channels and write their input channels.
    pub turned: bool,
    /// Where the bias stands in the parameter buffer.
    pub bias: Option<usize>,
    pub relu: bool,
    /// A function of each value behind the ReLU.
    pub function: Option<Pointwise>,
    /// A map of the output's shape that is added last.
    pub residual: Option<Operand>,
}

/// Values of gathered rows that a task works on at a time.
const GATHERED: usize = 48 << 10;
/// Columns of the product that are kept at a time.
const CHUNK: usize = 64;

impl Kernel for ConvGemm {
    fn name(&self) -> &'static str {
        if self.turned { "conv data gradient" } else { "conv" }
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, shared, local, .. } = *memory;
        let channels = gathered_channels(&self.input);
        let columns = self.columns();
        let (group, need) = (self.group(), self.thread_scratch());
        // SAFETY: the copy has its place behind the weights, and is made before anything reads it.
        let dense = (self.dense() > 0)
            .then(|| unsafe { Dense::copy(level, &self.input, arena, channels, shared, self.packed()) });
        for lattice in &self.lattices {
            let depth = lattice.taps.len() * channels;
            let packed = !self.as_they_stand(lattice);
            let packs = if packed { columns.div_ceil(PANEL) * lattice.taps.len() } else { 0 };
            parallel::for_each(packs, |task| {
                let (panel, tap) = (task / lattice.taps.len(), task % lattice.taps.len());
                let width = PANEL.min(columns - panel * PANEL);
                let to = shared.at(panel * PANEL * depth + tap * channels * width, channels * width);
                let weights = params.at(self.weights.offset, self.weights.len());
                // SAFETY: each task writes one tap's rows of one panel.
                unsafe {
                    pack(level, self, weights, lattice.taps[tap].index, channels, panel * PANEL, width, to);
                }
            });
            let points = lattice.points();
            // The left matrix may stand in the arena already.
            let rows = self.input.rows().filter(|_| lattice.in_place() && channels.is_multiple_of(LANES));
            parallel::for_each(points.div_ceil(group), |task| {
                let now = task * group..points.min((task + 1) * group);
                let scratch = local.at(parallel::thread() * need, need);
                // SAFETY: the scratch is this thread's; each task writes the pixels of its own points.
                unsafe {
                    let c = scratch.add(group * self.max_row() + LANES);
                    let (a, a_row) = match rows {
                        Some((offset, stride)) => {
                            let len = (now.len() - 1) * stride + depth;
                            (arena.at(offset + now.start * stride, len), stride)
                        }
                        None => {
                            gather_rows(
                                level,
                                lattice,
                                &self.input,
                                dense,
                                arena,
                                now.clone(),
                                channels,
                                scratch,
                            );
                            (scratch, depth)
                        }
                    };
                    for chunk in (0..columns).step_by(CHUNK) {
                        let end = columns.min(chunk + CHUNK);
                        for column in (chunk..end).step_by(PANEL) {
                            let width = PANEL.min(columns - column);
                            let panel = match lattice.taps.first() {
                                Some(tap) if !packed => {
                                    let first = self.weights.at(tap.index, 0, column);
                                    params.at(self.weights.offset + first, depth * width)
                                }
                                _ => shared.at(column * depth, depth * width),
                            };
                            let p = Product {
                                a,
                                a_row,
                                a_depth: 1,
                                b: panel,
                                b_depth: width,
                                c: c.add(column - chunk),
                                c_row: CHUNK,
                                rows: now.len(),
                                depth,
                                vectors: width / LANES,
                                accumulate: false,
                                batch: Batch::ONE,
                            };
                            product(level, &p);
                        }
                        store(
                            level,
                            self,
                            lattice,
                            arena,
                            params,
                            now.clone(),
                            chunk / LANES..end / LANES,
                            c,
                        );
                    }
                }
            });
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
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

    fn ending(&mut self) -> Option<(&Target, &mut Option<Pointwise>)> {
        self.residual.is_none().then_some((&self.output, &mut self.function))
    }
}

impl ConvGemm {
    fn columns(&self) -> usize {
        self.output.blocks.len() * LANES
    }

    fn max_row(&self) -> usize {
        self.lattices.iter().map(|l| l.taps.len()).max().unwrap_or(0) * gathered_channels(&self.input)
    }

    fn group(&self) -> usize {
        (GATHERED / self.max_row().max(1) / 14 * 14).clamp(14, 112)
    }

    /// Values of shared scratch memory: a lattice's weights, and the input without padding.
    fn shared_scratch(&self) -> usize {
        self.packed() + self.dense()
    }

    /// Those of the dense copy of the input.
    fn dense(&self) -> usize {
        Dense::len(&self.lattices, &self.input, gathered_channels(&self.input))
    }

    /// Those of a lattice's weights, where they cannot be used as they stand.
    fn packed(&self) -> usize {
        if self.lattices.iter().all(|l| self.as_they_stand(l)) { 0 } else { self.max_row() * self.columns() }
    }

    /// Whether the right matrix of a lattice stands in the parameter buffer already: taps one behind the other, whole
    /// vectors of channels.
    fn as_they_stand(&self, lattice: &Lattice) -> bool {
        !self.turned
            && gathered_channels(&self.input) == self.weights.ins
            && lattice.taps.windows(2).all(|pair| pair[1].index == pair[0].index + 1)
    }

    /// Values of scratch memory for each thread.
    fn thread_scratch(&self) -> usize {
        self.group() * self.max_row() + LANES + self.group() * CHUNK
    }
}

simd_fn! {
    /// Rows of one tap of a panel of the right matrix: `[channels, width]`.
    ///
    /// # Safety
    /// `weights` must be valid for all weights, `to` for the rows.
    pack = pack_impl(
        conv: &ConvGemm,
        weights: *const f32,
        tap: usize,
        channels: usize,
        column: usize,
        width: usize,
        to: *mut f32,
    )
}

#[inline(always)]
unsafe fn pack_impl<S: Simd>(
    conv: &ConvGemm,
    weights: *const f32,
    tap: usize,
    channels: usize,
    column: usize,
    width: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's promise; channels and columns are within the padded extents.
    unsafe {
        if conv.turned {
            for block in (0..channels).step_by(LANES) {
                let lanes = LANES.min(channels - block);
                for j in 0..width {
                    let from = weights.add(conv.weights.at(tap, column + j, block));
                    for k in 0..lanes {
                        *to.add((block + k) * width + j) = *from.add(k);
                    }
                }
            }
            return;
        }
        for k in 0..channels {
            let from = weights.add(conv.weights.at(tap, k, column));
            for j in (0..width).step_by(LANES) {
                S::store(to.add(k * width + j), S::load(from.add(j)));
            }
        }
    }
}

simd_fn! {
    /// Products of `points` in rows of [`CHUNK`] at `c`, plus bias, to their pixels.
    ///
    /// # Safety
    /// `c` must hold the rows; no other task may write these pixels.
    store = store_impl(
        conv: &ConvGemm,
        lattice: &Lattice,
        arena: Base,
        params: Base,
        points: Range<usize>,
        blocks: Range<usize>,
        c: *const f32,
    )
}

#[inline(always)]
unsafe fn store_impl<S: Simd>(
    conv: &ConvGemm,
    lattice: &Lattice,
    arena: Base,
    params: Base,
    points: Range<usize>,
    blocks: Range<usize>,
    c: *const f32,
) {
    // SAFETY: target pixels are inside the output's map; the rest is the caller's promise.
    unsafe {
        let first = blocks.start;
        let finish = |b| {
            let residual = conv.residual.as_ref();
            Finish::<S>::new(&conv.output, b, residual, conv.bias, conv.relu, arena, params)
        };
        let mut finishes = [finish(first); CHUNK / LANES];
        blocks.clone().for_each(|b| finishes[b - first] = finish(b));
        if let Some(function) = conv.function {
            return end_with::<S>(
                function,
                &Rows { lattice, points, c, finishes: &finishes[..blocks.len()] },
            );
        }
        for (row, pixel) in lattice.target_pixels(points).enumerate() {
            for (column, finish) in finishes[..blocks.len()].iter().enumerate() {
                let y = S::load(c.add(row * CHUNK + column * LANES));
                if finish.plain() {
                    finish.put::<true>(pixel, y);
                } else {
                    finish.put::<false>(pixel, y);
                }
            }
        }
    }
}

/// Products of points, as [`store`] takes them, of a convolution that ends with a function.
struct Rows<'a, S: Simd> {
    lattice: &'a Lattice,
    points: Range<usize>,
    c: *const f32,
    finishes: &'a [Finish<S>],
}

impl<S: Simd> Ends<S> for Rows<'_, S> {
    /// # Safety
    /// As [`store`].
    #[inline(always)]
    unsafe fn run(&self, function: &impl Function<S, 1>) {
        // SAFETY: as in `store`.
        unsafe {
            // One block of channels after the other: what the function needs stays in registers.
            for (column, finish) in self.finishes.iter().enumerate() {
                let (finish, c) = (*finish, self.c.add(column * LANES));
                for (row, pixel) in self.lattice.target_pixels(self.points.clone()).enumerate() {
                    let y = function.of([finish.biased(S::load(c.add(row * CHUNK)))]);
                    if finish.plain() {
                        finish.keep::<true>(pixel, y);
                    } else {
                        finish.keep::<false>(pixel, y);
                    }
                }
            }
        }
    }
}
