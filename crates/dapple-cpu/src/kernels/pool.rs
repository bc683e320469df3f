//! A max pooling as its kernels see it: which windows stand where, and the positions of the maxima in them.

use crate::memory::Base;
use crate::simd::{LANES, Simd};
use dapple_graph::{MaxPool, Shape};
use std::ops::Range;

/// A pooling between a large map and its small one, with the bytes `[small pixels, channels]` of positions.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub settings: MaxPool,
    pub large: Shape,
    pub small: Shape,
    /// Arena offset of the positions (four to a value), if anything reads them.
    pub positions: Option<usize>,
}

impl Pool {
    /// Arena values that the positions take.
    pub fn positions_len(small: Shape) -> usize {
        small.pixels() * crate::simd::padded(small.c) / 4
    }

    /// Rows of the large map that small row `y` covers, with their number in the window.
    #[inline]
    pub(super) fn window(&self, axis: usize, at: usize, size: usize) -> Range<usize> {
        // Positions in the window whose place is inside the map.
        let start = (at * self.settings.stride[axis]) as isize - self.settings.padding[axis] as isize;
        let first = (-start).max(0) as usize;
        let end = (size as isize - start).clamp(0, self.settings.kernel[axis] as isize) as usize;
        first.min(end)..end
    }

    #[inline]
    pub(super) fn place(&self, axis: usize, at: usize, k: usize) -> usize {
        at * self.settings.stride[axis] + k - self.settings.padding[axis]
    }

    /// Small rows whose windows hold large row `at`.
    #[inline]
    pub(super) fn covering(&self, axis: usize, at: usize, small: usize) -> Range<usize> {
        let (kernel, stride) = (self.settings.kernel[axis], self.settings.stride[axis]);
        let reach = at + self.settings.padding[axis];
        let first = (reach + 1).saturating_sub(kernel).div_ceil(stride);
        first..(reach / stride + 1).min(small)
    }

    /// The positions; null where nothing reads them, and so never where they are read.
    pub(super) fn bytes(&self, arena: Base) -> *mut u8 {
        let address = |at| arena.at(at, Self::positions_len(self.small)).cast();
        self.positions.map_or(std::ptr::null_mut(), address)
    }

    /// Whether windows of 2 x 2 stand side by side, none of them cut by the border.
    pub(super) fn halves(&self) -> bool {
        let (large, small) = (self.large, self.small);
        self.settings.kernel == [2, 2]
            && self.settings.stride == [2, 2]
            && self.settings.padding == [0, 0]
            && 2 * small.h <= large.h
            && 2 * small.w <= large.w
    }
}

/// Sixteen positions as numbers.
#[inline(always)]
pub(super) unsafe fn load_positions<S: Simd>(p: *const u8) -> S::V {
    // SAFETY: the caller's promise that sixteen bytes are there.
    unsafe {
        let bytes = p.cast::<[u8; LANES]>().read_unaligned();
        let mut numbers = [0.0f32; LANES];
        for i in 0..LANES {
            numbers[i] = f32::from(bytes[i]);
        }
        S::load(numbers.as_ptr())
    }
}
