//! Convolutions of stride 1 to a single channel, such as the side outputs of U²-Net: one product gives the share of each
//! tap of each pixel, `[pixels, taps]`, and an output is the sum of its taps' shares at their distances. As a convolution
//! to sixteen channels, which a vector has, it would take sixteen times the work.

use super::gemm::{Batch, Product, product_impl};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::{Finish, Operand, Target};
use super::weights::Weights;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::Conv2d;
use std::ops::Range;

/// A planned convolution to one channel.
#[derive(Clone, Debug)]
pub(crate) struct ConvThin {
    pub input: Operand,
    pub output: Target,
    pub conv: Conv2d,
    pub weights: Weights,
    /// Where the bias stands in the parameter buffer.
    pub bias: Option<usize>,
    pub relu: bool,
}

/// Values of shares that a task makes at a time, which stay in its second-level cache.
const SHARES: usize = 96 << 10;

impl Kernel for ConvThin {
    fn name(&self) -> &'static str {
        "conv to one channel"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, params, shared, local, .. } = *memory;
        let weights = params.at(self.weights.offset, self.weights.len());
        let turned = shared.at(0, self.shared_scratch());
        for c in 0..self.depth() {
            for tap in 0..LANES {
                let given = tap < self.weights.taps && c < self.weights.ins;
                // SAFETY: both places are inside their buffers; nothing else runs now.
                unsafe {
                    *turned.add(c * LANES + tap) =
                        if given { *weights.add(self.weights.at(tap, c, 0)) } else { 0.0 };
                }
            }
        }
        let height = self.output.shape.h;
        let bands = height.div_ceil(self.band());
        let need = self.thread_scratch();
        parallel::for_each(self.output.shape.n * bands, |task| {
            let (image, band) = (task / bands, task % bands);
            let rows = band * self.band()..height.min((band + 1) * self.band());
            let scratch = local.at(parallel::thread() * need, need);
            // SAFETY: the scratch is this thread's; each task writes its own rows of the output.
            unsafe { band_of(level, self, arena, params, shared, image, rows, scratch) };
        });
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
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
}

impl ConvThin {
    /// Whether a convolution is of this kind.
    pub fn fits(conv: &Conv2d) -> bool {
        let taps = conv.kernel[0] * conv.kernel[1];
        conv.out_channels == 1 && conv.groups == 1 && conv.stride == [1, 1] && (2..=LANES).contains(&taps)
    }

    fn depth(&self) -> usize {
        self.input.blocks.len() * LANES
    }

    /// Rows between the first and the last tap of an output.
    fn reach(&self) -> usize {
        (self.conv.kernel[0] - 1) * self.conv.dilation[0]
    }

    /// Output rows of a task.
    fn band(&self) -> usize {
        let rows = SHARES / (self.input.shape.w * LANES);
        rows.saturating_sub(self.reach()).clamp(4, 32)
    }

    /// Values of shared scratch memory: the weights, `[channels, taps]`.
    fn shared_scratch(&self) -> usize {
        self.depth() * LANES
    }

    /// Values of scratch memory for each thread: shares, and a row of the input.
    fn thread_scratch(&self) -> usize {
        let width = self.input.shape.w;
        (self.band() + self.reach()) * width * LANES + width * self.depth()
    }
}

simd_fn! {
    /// Output rows `rows` of an image.
    ///
    /// # Safety
    /// `scratch` must be the thread's; no other task may write these rows.
    band_of = band_impl(
        conv: &ConvThin,
        arena: Base,
        params: Base,
        shared: Base,
        image: usize,
        rows: Range<usize>,
        scratch: *mut f32,
    )
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn band_impl<S: Simd>(
    conv: &ConvThin,
    arena: Base,
    params: Base,
    shared: Base,
    image: usize,
    rows: Range<usize>,
    scratch: *mut f32,
) {
    let (from, to) = (conv.input.shape, conv.output.shape);
    let Conv2d { kernel, padding, dilation, .. } = conv.conv;
    let depth = conv.depth();
    // The input rows that the taps reach.
    let above = |y: usize| y.saturating_sub(padding[0]).min(from.h);
    let sources = above(rows.start)..above(rows.end + conv.reach());
    // SAFETY: rows and columns are tested to be inside the map; the rest is the caller's promise.
    unsafe {
        let buffer = scratch.add((conv.band() + conv.reach()) * from.w * LANES);
        for (i, y) in sources.clone().enumerate() {
            let start = (image * from.h + y) * from.w;
            let (a, a_row) = match conv.input.rows() {
                Some((offset, stride)) => {
                    (arena.at(offset + start * stride, (from.w - 1) * stride + depth), stride)
                }
                None => {
                    for (b, block) in conv.input.blocks.iter().enumerate() {
                        let source = block.source::<S>(arena, from.pixels());
                        for x in 0..from.w {
                            S::store(buffer.add(x * depth + b * LANES), source.get(start + x));
                        }
                    }
                    (buffer, depth)
                }
            };
            let shares = Product {
                a,
                a_row,
                a_depth: 1,
                b: shared.at(0, conv.shared_scratch()),
                b_depth: LANES,
                c: scratch.add(i * from.w * LANES),
                c_row: LANES,
                rows: from.w,
                depth,
                vectors: 1,
                accumulate: false,
                batch: Batch::ONE,
            };
            product_impl::<S>(&shares);
        }
        let finish = Finish::<S>::new(&conv.output, 0, None, conv.bias, conv.relu, arena, params);
        for y in rows {
            for x in 0..to.w {
                let mut lanes = [0.0f32; LANES];
                for ky in 0..kernel[0] {
                    // Rows before the map wrap to huge numbers and so are out of range like those behind it.
                    let row = (y + ky * dilation[0]).wrapping_sub(padding[0]);
                    if row >= from.h {
                        continue;
                    }
                    let line = scratch.add((row - sources.start) * from.w * LANES);
                    for kx in 0..kernel[1] {
                        let column = (x + kx * dilation[1]).wrapping_sub(padding[1]);
                        if column < from.w {
                            lanes[0] += *line.add(column * LANES + ky * kernel[1] + kx);
                        }
                    }
                }
                let pixel = (image * to.h + y) * to.w + x;
                let sums = S::load(lanes.as_ptr());
                if finish.plain() {
                    finish.put::<true>(pixel, sums);
                } else {
                    finish.put::<false>(pixel, sums);
                }
            }
        }
    }
}
