//! Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2) in blocks of queries: the weights of a
//! block stay in the cache, and no map of all weights is ever made.
//!
//! All products are those of [`super::gemm`]. Keys and values of each head are packed once as its right matrices;
//! channels of a head and keys are padded to whole vectors there.

use super::elementary::exp;
use super::gemm::{Batch, PANEL, Product, product};
use super::kernel::{Scratch, Visit};
use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::simd::{LANES, Level, Simd, padded, simd_fn};
use dapple_graph::Shape;

/// A planned attention. All maps are plain and stored.
#[derive(Clone, Debug)]
pub(crate) struct Attention {
    pub heads: usize,
    pub q: Operand,
    pub k: Operand,
    pub v: Operand,
}

/// Weights of a block of queries.
const WEIGHTS: usize = 64 << 10;

/// One head of one image.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub image: usize,
    /// First channel.
    pub channel: usize,
}

impl Attention {
    /// Shows every place in the arena to `f`.
    pub(super) fn visit(&mut self, f: Visit) {
        self.q.visit(f);
        self.k.visit(f);
        self.v.visit(f);
    }

    /// Channels of a head.
    pub(super) fn width(&self) -> usize {
        self.q.shape.c / self.heads
    }

    pub(super) fn queries(&self) -> usize {
        self.q.shape.h * self.q.shape.w
    }

    pub(super) fn keys(&self) -> usize {
        self.k.shape.h * self.k.shape.w
    }

    /// Heads of all images.
    pub(super) fn all_heads(&self) -> usize {
        self.heads * self.q.shape.n
    }

    pub(super) fn head(&self, index: usize) -> Head {
        Head { image: index / self.heads, channel: index % self.heads * self.width() }
    }

    /// Distance of the rows of a block's weights. Not a power of two, of which all rows would share a cache set.
    pub(super) fn pitch(&self) -> usize {
        padded(self.keys()) + LANES
    }

    /// Queries of a block.
    pub(super) fn block(&self) -> usize {
        (WEIGHTS / padded(self.keys())).clamp(14, 112).min(self.queries())
    }

    /// Blocks of a head.
    pub(super) fn blocks(&self) -> usize {
        self.queries().div_ceil(self.block())
    }

    /// Values of a head's transposed keys (or values) and of its keys (or values) as rows.
    pub(super) fn packed(&self) -> [usize; 2] {
        let keys = padded(self.keys());
        [self.width() * keys, keys * padded(self.width())]
    }

    /// Scratch memory: packed keys and values of all heads; for each thread weights and results of a block, and a value
    /// for each row.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            shared: self.all_heads() * self.packed().iter().sum::<usize>(),
            local: self.block() * (self.pitch() + padded(self.width()) + 1),
        }
    }

    /// `1 / sqrt(d)`.
    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.width() as f32).sqrt()
    }

    /// The address of a head's channels of pixel `first` of its image in `map`.
    pub(super) fn address(&self, arena: Base, map: &Operand, head: Head, first: usize) -> *const f32 {
        let stride = padded(map.shape.c);
        let all = arena.at(map.blocks[0].offset, map.shape.pixels() * stride);
        let pixel = head.image * map.shape.h * map.shape.w + first;
        all.wrapping_add(pixel * stride + head.channel)
    }

    /// Products of `rows` rows of a left matrix at `a`, a head's channels at distance `a_row`, with a head's transposed
    /// keys (or values) at `turned`, to rows of whole vectors at `to`, [`Attention::pitch`] apart.
    ///
    /// # Safety
    /// All addresses must be valid for that.
    pub(super) unsafe fn scores(
        &self,
        level: Level,
        a: *const f32,
        a_row: usize,
        turned: *const f32,
        rows: usize,
        to: *mut f32,
    ) {
        let (keys, width) = (padded(self.keys()), self.width());
        for column in (0..keys).step_by(PANEL) {
            let panel = PANEL.min(keys - column);
            // SAFETY: the caller's promise; panels stand one behind the other.
            unsafe {
                let right = Right { at: turned.add(column * width), row: panel, columns: panel };
                times(level, Left::rows(a, a_row), right, to.add(column), self.pitch(), rows, width, false);
            }
        }
    }

    /// A head's channels of a map of the keys' size, transposed, in panels of [`PANEL`] keys, those behind the last
    /// zero: each `[d, panel]`.
    ///
    /// # Safety
    /// `to` must be valid for writing all of it.
    pub(super) unsafe fn pack_turned(&self, arena: Base, map: &Operand, head: Head, to: *mut f32) {
        let (keys, width, stride) = (padded(self.keys()), self.width(), padded(map.shape.c));
        let from = self.address(arena, map, head, 0);
        for column in (0..keys).step_by(PANEL) {
            let panel = PANEL.min(keys - column);
            for (i, j) in (0..width).flat_map(|i| (0..panel).map(move |j| (i, j))) {
                // SAFETY: keys below their number are in the map; the rest is the caller's promise.
                unsafe {
                    let inside = column + j < self.keys();
                    let v = if inside { *from.add((column + j) * stride + i) } else { 0.0 };
                    *to.add(column * width + i * panel + j) = v;
                }
            }
        }
    }

    /// A head's channels of `count` pixels of a map from `first` on, as rows of whole vectors; zero behind the
    /// channels and in the rows from `count` to `rows`.
    ///
    /// # Safety
    /// The pixels must be in the map, `to` valid for writing the rows.
    #[allow(clippy::too_many_arguments)]
    pub(super) unsafe fn pack_rows(
        &self,
        arena: Base,
        map: &Operand,
        head: Head,
        first: usize,
        count: usize,
        rows: usize,
        to: *mut f32,
    ) {
        let (width, row, stride) = (self.width(), padded(self.width()), padded(map.shape.c));
        let from = self.address(arena, map, head, first);
        // SAFETY: the caller's promise.
        unsafe {
            for r in 0..count {
                std::ptr::copy_nonoverlapping(from.add(r * stride), to.add(r * row), width);
                to.add(r * row + width).write_bytes(0, row - width);
            }
            to.add(count * row).write_bytes(0, (rows - count) * row);
        }
    }

    /// Writes (or adds) rows `[rows, padded d]` to a head's channels of the pixels from `first` on. The last head
    /// also clears the padding behind the channels.
    ///
    /// # Safety
    /// `from` must be valid for the rows; no other task may write these channels.
    pub(super) unsafe fn store(
        &self,
        arena: Base,
        to: &Target,
        head: Head,
        first: usize,
        rows: usize,
        from: *const f32,
    ) {
        let Shape { h, w, c, .. } = to.shape;
        let (stride, width) = (padded(c), self.width());
        let all = arena.at(to.blocks[0].offset, to.shape.pixels() * stride);
        for r in 0..rows {
            // SAFETY: the pixels are in the map that was checked; the rest is the caller's promise.
            unsafe {
                let pixel = all.add((head.image * h * w + first + r) * stride);
                let row = from.add(r * padded(width));
                for i in 0..width {
                    let place = pixel.add(head.channel + i);
                    *place = if to.blocks[0].accumulate { *place + *row.add(i) } else { *row.add(i) };
                }
                if head.channel + width == c {
                    pixel.add(c).write_bytes(0, stride - c);
                }
            }
        }
    }
}

/// A left matrix: element `[r][k]` stands at `at + r * row + k * depth`.
#[derive(Clone, Copy)]
pub(super) struct Left {
    at: *const f32,
    row: usize,
    depth: usize,
}

impl Left {
    /// Rows at a distance.
    pub(super) fn rows(at: *const f32, row: usize) -> Self {
        Self { at, row, depth: 1 }
    }

    /// The transpose of rows at a distance.
    pub(super) fn turned(at: *const f32, row: usize) -> Self {
        Self { at, row: 1, depth: row }
    }
}

/// A right matrix of `columns` columns (whole vectors), its rows at a distance.
#[derive(Clone, Copy)]
pub(super) struct Right {
    pub at: *const f32,
    pub row: usize,
    pub columns: usize,
}

/// `c (+)= a b` with `rows` rows and the depth `depth`.
///
/// # Safety
/// All addresses must be valid for that, `c` for writing and apart from the others.
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn times(
    level: Level,
    a: Left,
    b: Right,
    c: *mut f32,
    c_row: usize,
    rows: usize,
    depth: usize,
    accumulate: bool,
) {
    for column in (0..b.columns).step_by(PANEL) {
        // SAFETY: the caller's promise.
        unsafe {
            let p = Product {
                a: a.at,
                a_row: a.row,
                a_depth: a.depth,
                b: b.at.add(column),
                b_depth: b.row,
                c: c.add(column),
                c_row,
                rows,
                depth,
                vectors: PANEL.min(b.columns - column) / LANES,
                accumulate,
                batch: Batch::ONE,
            };
            product(level, &p);
        }
    }
}

simd_fn! {
    /// Rows of scores, `pitch` apart, become `exp(scale (score - largest))`, zero behind the keys up to whole vectors;
    /// `inverses` gets one over the sum of each row.
    ///
    /// # Safety
    /// `scores` and `inverses` must be valid for the rows.
    pub(super) softmax = softmax_impl(
        scores: *mut f32,
        rows: usize,
        keys: usize,
        pitch: usize,
        scale: f32,
        inverses: *mut f32,
    )
}

#[inline(always)]
unsafe fn softmax_impl<S: Simd>(
    scores: *mut f32,
    rows: usize,
    keys: usize,
    pitch: usize,
    scale: f32,
    inverses: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..rows {
            let row = scores.add(r * pitch);
            for behind in keys..padded(keys) {
                *row.add(behind) = f32::NEG_INFINITY;
            }
            let mut largest = S::splat(f32::NEG_INFINITY);
            for i in (0..keys).step_by(LANES) {
                largest = S::max(S::load(row.add(i)), largest);
            }
            let mut lanes = [0.0f32; LANES];
            S::store(lanes.as_mut_ptr(), largest);
            let largest = lanes.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            let (scale, shift) = (S::splat(scale), S::splat(-scale * largest));
            let mut sum = S::splat(0.0);
            for i in (0..keys).step_by(LANES) {
                let power = exp::<S>(S::fma(S::load(row.add(i)), scale, shift));
                S::store(row.add(i), power);
                sum = S::add(sum, power);
            }
            S::store(lanes.as_mut_ptr(), sum);
            *inverses.add(r) = 1.0 / lanes.iter().sum::<f32>();
        }
    }
}
