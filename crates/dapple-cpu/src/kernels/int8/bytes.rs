//! Feature maps of bytes in the arena.

use crate::memory::Base;
use crate::simd::{LANES, Simd, padded};
use dapple_graph::{Affine, Shape};

/// A map of integers, channels-last with channels padded to a multiple of 16, or some of the channels of a larger one. The
/// padding may hold any integers: the weights that meet it are zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ByteMap {
    pub shape: Shape,
    /// Place in the arena, whose values have four bytes.
    pub offset: usize,
    /// Bytes between pixels.
    pub stride: usize,
    /// The numbers that the integers stand for.
    pub affine: Affine,
}

impl ByteMap {
    /// A map by itself at a place of the arena.
    pub fn new(shape: Shape, offset: usize, affine: Affine) -> Self {
        Self { shape, offset, stride: padded(shape.c), affine }
    }

    /// Values of the arena that a map by itself takes.
    pub fn values(shape: Shape) -> usize {
        shape.pixels() * padded(shape.c) / size_of::<f32>()
    }

    /// The channels of this map from `first` on, a multiple of 16, as a map of that shape.
    pub fn part(&self, first: usize, shape: Shape) -> Self {
        Self { shape, offset: self.offset + first / size_of::<f32>(), ..*self }
    }

    /// The address of the first pixel.
    pub fn address(&self, arena: Base) -> *mut u8 {
        let bytes = (self.shape.pixels() - 1) * self.stride + padded(self.shape.c);
        arena.at(self.offset, bytes / size_of::<f32>()).cast()
    }
}

/// Sixteen channels of a map that is written.
#[derive(Clone, Copy)]
pub(super) struct Sink<S: Simd> {
    to: *mut u8,
    stride: usize,
    /// One over the scale.
    steps: S::V,
    /// The ends of the range, counted from zero.
    lowest: S::V,
    highest: S::V,
    zero: S::V,
}

impl<S: Simd> Sink<S> {
    /// For block `b` of a map.
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn new(map: &ByteMap, b: usize, arena: Base) -> Self {
        let Affine { scale, zero } = map.affine;
        let zero = f32::from(zero);
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                to: map.address(arena).wrapping_add(b * LANES),
                stride: map.stride,
                steps: S::splat(1.0 / scale),
                lowest: S::splat(-zero),
                highest: S::splat(255.0 - zero),
                zero: S::splat(zero),
            }
        }
    }

    /// Rounds a pixel's numbers to integers, as [`Affine::integer`], and stores them.
    ///
    /// # Safety
    /// `pixel` must be inside the map, and no other task may write these channels of it.
    #[inline(always)]
    pub unsafe fn put(&self, pixel: usize, v: S::V) {
        // SAFETY: the caller's promise; `address` checked the map. Within the range's ends, magnitudes are below 2^22.
        unsafe {
            let v = S::max(S::mul(v, self.steps), self.lowest);
            let v = S::round(S::select_greater(v, self.highest, self.highest, v));
            S::store_bytes(self.to.add(pixel * self.stride), S::add(v, self.zero));
        }
    }
}
