//! Dense convolutions in integers of any kernel, stride, dilation and padding, as matrix products over gathered rows.

use super::bytes::ByteMap;
use super::ending::{Ending, Finish};
use super::weights::{Packed, words_of};
use crate::kernels::gemm::PANEL;
use crate::kernels::kernel::{Kernel, Memory, Scratch, Visit};
use crate::kernels::lattice::Lattice;
use crate::kernels::operand::Target;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{Dots, LANES, Level, Simd, dot_fn};
use std::ops::Range;
use std::sync::Arc;

/// A planned convolution in integers.
#[derive(Clone, Debug)]
pub(crate) struct IntegerConv {
    pub input: ByteMap,
    pub lattice: Lattice,
    pub weights: Arc<Packed>,
    pub ending: Ending,
}

/// Words of gathered rows that a task works on at a time: 128 KiB.
const GATHERED: usize = 32 << 10;
/// Columns of the product that are kept at a time.
const CHUNK: usize = 64;
/// Integers that are copied together; as many may be overwritten behind those that are wanted.
const COPIED: usize = 16;
/// As many, where channels fill cache lines.
const LONG: usize = 64;

impl Kernel for IntegerConv {
    fn name(&self) -> &'static str {
        "int8 conv"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        let Memory { arena, local, .. } = *memory;
        let (points, group, need) = (self.lattice.points(), self.group(), self.thread_scratch());
        parallel::for_each(points.div_ceil(group), |task| {
            let now = task * group..points.min((task + 1) * group);
            let scratch = local.at(parallel::thread() * need, need);
            // SAFETY: the weights were packed for a level of this machine; the scratch is this thread's; each task writes the
            // pixels of its own points.
            unsafe { points_of(self.weights.level, self, arena, now, scratch.cast()) };
        });
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: 0, local: self.thread_scratch() }
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

impl IntegerConv {
    /// Words of the channels of a pixel.
    fn channel_words(&self) -> usize {
        words_of(self.input.shape.c, self.weights.level)
    }

    /// Words of a gathered row.
    fn depth(&self) -> usize {
        self.lattice.taps.len() * self.channel_words()
    }

    /// Points of a task: whole micro-tiles of every level.
    fn group(&self) -> usize {
        (GATHERED / self.depth().max(1) / 14 * 14).clamp(14, 112)
    }

    /// Words of scratch memory for each thread: the gathered rows, room for what is copied behind them, and the sums.
    fn thread_scratch(&self) -> usize {
        self.group() * (self.depth() + CHUNK) + COPIED
    }
}

dot_fn! {
    /// Computes and finishes the sums of some points.
    ///
    /// # Safety
    /// `scratch` must hold [`IntegerConv::thread_scratch`] words; no other task may write these points' pixels.
    points_of = points_impl(conv: &IntegerConv, arena: Base, points: Range<usize>, scratch: *mut i32)
}

#[inline(always)]
unsafe fn points_impl<D: Dots>(conv: &IntegerConv, arena: Base, points: Range<usize>, scratch: *mut i32) {
    let (depth, rows, columns) = (conv.depth(), points.len(), conv.weights.outs());
    assert!(conv.weights.len() >= depth * columns, "the weights are those of the convolution");
    let map = conv.input.address(arena).cast_const();
    // SAFETY: the address was checked for the whole map, and points are inside of it where they are read in place; the rest is
    // the caller's promise.
    unsafe {
        let gathered = scratch.add(conv.group() * CHUNK);
        // Rows of whole words may stand in the arena already.
        let (left, left_row) = if D::PRODUCTS == 4 && conv.lattice.in_place() {
            let first = map.add(points.start * conv.input.stride);
            (first.cast::<i32>(), conv.input.stride / size_of::<i32>())
        } else {
            if (conv.channel_words() * D::PRODUCTS).is_multiple_of(LONG) {
                gather::<D, LONG>(conv, map, points.clone(), gathered);
            } else {
                gather::<D, COPIED>(conv, map, points.clone(), gathered);
            }
            (gathered.cast_const(), depth)
        };
        let (values, initial) = (conv.weights.values().cast::<i32>(), conv.weights.initial().cast::<i32>());
        for chunk in (0..columns).step_by(CHUNK) {
            let end = columns.min(chunk + CHUNK);
            for column in (chunk..end).step_by(PANEL) {
                let width = PANEL.min(columns - column);
                let product = Product {
                    left,
                    left_row,
                    right: values.add(column * depth),
                    right_row: width,
                    initial: initial.add(column),
                    sums: scratch.add(column - chunk),
                    depth,
                };
                multiply::<D>(&product, rows, width / LANES);
            }
            let (points, blocks) = (points.clone(), chunk / LANES..end / LANES);
            if conv.ending.is_short() {
                finish::<D, true>(conv, arena, points, blocks, scratch);
            } else {
                finish::<D, false>(conv, arena, points, blocks, scratch);
            }
        }
    }
}

/// Writes a row `[taps, channels]` of words for each point, the input's zero where a tap is outside the map.
///
/// # Safety
/// `map` must be the convolution's input; `to` must be valid for the rows and [`COPIED`] words more. `N` integers are copied
/// at a time, all that there are or [`COPIED`].
#[inline(always)]
unsafe fn gather<D: Dots, const N: usize>(
    conv: &IntegerConv,
    map: *const u8,
    points: Range<usize>,
    to: *mut i32,
) {
    let (words, depth, stride) = (conv.channel_words(), conv.depth(), conv.input.stride);
    let integers = words * D::PRODUCTS;
    let outside = [conv.input.affine.zero; N];
    // SAFETY: `source_pixel` is inside the map, whose pixels have whole sixteens of bytes. What is copied behind the wanted
    // integers is written afterwards, or is the room behind the rows.
    unsafe {
        for (r, position) in conv.lattice.positions(points).enumerate() {
            for (t, tap) in conv.lattice.taps.iter().enumerate() {
                let to = to.add(r * depth + t * words);
                let from = conv.lattice.source_pixel(position, tap).map(|pixel| map.add(pixel * stride));
                for first in (0..integers).step_by(N) {
                    let bytes = match from {
                        Some(from) => from.add(first).cast::<[u8; N]>().read_unaligned(),
                        None => outside,
                    };
                    let to = to.add(first / D::PRODUCTS);
                    if D::PRODUCTS == 4 {
                        to.cast::<[u8; N]>().write_unaligned(bytes);
                    } else {
                        to.cast::<[u16; N]>().write_unaligned(bytes.map(u16::from));
                    }
                }
            }
        }
    }
}

/// `sums[r][j] = initial[j] + sum over k of left[r][k] right[k][j]` for the columns of one panel, in words.
#[derive(Clone, Copy)]
struct Product {
    left: *const i32,
    left_row: usize,
    right: *const i32,
    right_row: usize,
    initial: *const i32,
    /// Rows of [`CHUNK`].
    sums: *mut i32,
    depth: usize,
}

/// A product of that many rows and vectors of columns.
///
/// # Safety
/// All addresses that [`Product`] names must be valid, the sums for writing and apart from the others.
#[inline(always)]
unsafe fn multiply<D: Dots>(p: &Product, rows: usize, vectors: usize) {
    let groups = rows.div_ceil(D::ROWS);
    let mut row = 0;
    for group in 0..groups {
        // Even groups, as those of `gemm`.
        let count = (rows - row).div_ceil(groups - group);
        let mut column = 0;
        while column < vectors {
            let width = D::COLUMNS.min(vectors - column);
            // SAFETY: the addresses are the caller's promise; rows and columns are split without overlap.
            unsafe {
                let part = Product {
                    left: p.left.add(row * p.left_row),
                    right: p.right.add(column * LANES),
                    initial: p.initial.add(column * LANES),
                    sums: p.sums.add(row * CHUNK + column * LANES),
                    ..*p
                };
                micro::<D>(&part, count, width);
            }
            column += width;
        }
        row += count;
    }
}

#[inline(always)]
unsafe fn micro<D: Dots>(p: &Product, rows: usize, vectors: usize) {
    macro_rules! pick {
        ($($r:literal)*) => {
            match (rows, vectors) {
                $(($r, 1) => tile::<D, $r, 1>(p), ($r, 2) => tile::<D, $r, 2>(p),)*
                _ => unreachable!("micro-tiles have 1 to 14 rows of 1 or 2 vectors"),
            }
        };
    }
    // SAFETY: passed on.
    unsafe { pick!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) }
}

#[inline(always)]
unsafe fn tile<D: Dots, const R: usize, const N: usize>(p: &Product) {
    if R > D::ROWS || N > D::COLUMNS {
        return; // Never called so; keeps tiles that a level cannot hold out of its code.
    }
    // SAFETY: reads rows 0..R on the left, rows on the right and initial sums as the caller promised.
    unsafe {
        let mut sums = [[D::splat(0); N]; R];
        for n in 0..N {
            let initial = D::load(p.initial.add(n * LANES));
            for r in 0..R {
                sums[r][n] = initial;
            }
        }
        let (mut left, mut right) = (p.left, p.right);
        for _ in 0..p.depth {
            let mut row = [D::splat(0); N];
            for n in 0..N {
                row[n] = D::load(right.add(n * LANES));
            }
            for r in 0..R {
                let word = D::splat(*left.add(r * p.left_row));
                for n in 0..N {
                    sums[r][n] = D::dot(sums[r][n], word, row[n]);
                }
            }
            left = left.add(1);
            right = right.add(p.right_row);
        }
        for r in 0..R {
            for n in 0..N {
                D::store(p.sums.add(r * CHUNK + n * LANES), sums[r][n]);
            }
        }
    }
}

/// Finishes the sums of points in rows of [`CHUNK`], of these blocks of channels; `SHORT` if the ending is.
///
/// # Safety
/// `sums` must hold the rows; no other task may write these pixels.
#[inline(always)]
unsafe fn finish<D: Dots, const SHORT: bool>(
    conv: &IntegerConv,
    arena: Base,
    points: Range<usize>,
    blocks: Range<usize>,
    sums: *const i32,
) {
    let pixels = conv.lattice.images * conv.lattice.target[0] * conv.lattice.target[1];
    // SAFETY: target pixels are inside the output's map; the rest is the caller's promise.
    unsafe {
        let mut finishes =
            [Finish::<D::Floats>::new(&conv.ending, &conv.weights, blocks.start, pixels, arena);
                CHUNK / LANES];
        for (i, b) in blocks.clone().enumerate() {
            finishes[i] = Finish::new(&conv.ending, &conv.weights, b, pixels, arena);
        }
        for (row, pixel) in conv.lattice.target_pixels(points).enumerate() {
            for (i, finish) in finishes[..blocks.len()].iter().enumerate() {
                finish.put::<SHORT>(pixel, D::Floats::of_integers(sums.add(row * CHUNK + i * LANES)));
            }
        }
    }
}
