//! The inputs and outputs of kernels: feature maps in the arena, sixteen channels at a time.
//!
//! Every map is stored channels-last with its channels padded to a multiple of 16; the lanes of the padding are
//! always zero. A kernel's input need not be stored as such: batch norm and ReLU are applied while reading, and
//! a concatenation is read from its parts.

use crate::memory::Base;
use crate::simd::{LANES, Simd};
use dapple_graph::Shape;

/// Sixteen channels of an input: the value of pixel `p` is `max(low, scale * stored + shift)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block {
    /// Arena offset of pixel 0.
    pub offset: usize,
    /// Distance between pixels.
    pub stride: usize,
    /// Arena offsets of sixteen scales and shifts, or `None` for the stored value itself.
    pub affine: Option<(usize, usize)>,
    /// ReLU: the result is not below zero.
    pub relu: bool,
}

/// An input of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    /// Logical shape.
    pub shape: Shape,
    /// One entry for each 16 channels.
    pub blocks: Vec<Block>,
}

/// Sixteen channels of an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OutBlock {
    /// Arena offset of pixel 0.
    pub offset: usize,
    /// Distance between pixels.
    pub stride: usize,
    /// Add to what stands there instead of overwriting it.
    pub accumulate: bool,
}

/// An output of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// Logical shape.
    pub shape: Shape,
    /// One entry for each 16 channels.
    pub blocks: Vec<OutBlock>,
}

/// A [`Block`] with addresses.
#[derive(Clone, Copy)]
pub(crate) struct Source<S: Simd> {
    ptr: *const f32,
    stride: usize,
    scale: S::V,
    shift: S::V,
    low: S::V,
    plain: bool,
}

impl Block {
    /// Resolves the addresses for a map of `pixels` pixels.
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn source<S: Simd>(&self, base: Base, pixels: usize) -> Source<S> {
        // SAFETY: `at` checks the ranges.
        unsafe {
            let (scale, shift) = match self.affine {
                Some((scale, shift)) => (S::load(base.at(scale, LANES)), S::load(base.at(shift, LANES))),
                None => (S::splat(1.0), S::splat(0.0)),
            };
            Source {
                ptr: base.at(self.offset, (pixels - 1) * self.stride + LANES),
                stride: self.stride,
                scale,
                shift,
                low: S::splat(if self.relu { 0.0 } else { f32::NEG_INFINITY }),
                plain: self.affine.is_none() && !self.relu,
            }
        }
    }
}

impl<S: Simd> Source<S> {
    /// Whether stored values are the values.
    #[inline(always)]
    pub fn plain(&self) -> bool {
        self.plain
    }

    /// The value of a pixel.
    ///
    /// # Safety
    /// `pixel` must be below the number given to [`Block::source`].
    #[inline(always)]
    pub unsafe fn get(&self, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { self.apply(self.raw(pixel)) }
    }

    /// The stored value of a pixel.
    ///
    /// # Safety
    /// As [`Source::get`].
    #[inline(always)]
    pub unsafe fn raw(&self, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(self.ptr.add(pixel * self.stride)) }
    }

    /// The value that a stored one stands for.
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn apply(&self, stored: S::V) -> S::V {
        // SAFETY: arithmetic only. The stored value comes second in `max`, so that NaN is kept.
        unsafe { S::max(self.low, S::fma(stored, self.scale, self.shift)) }
    }
}

impl OutBlock {
    /// The address of pixel 0 of a map of `pixels` pixels.
    #[inline(always)]
    pub fn address(&self, base: Base, pixels: usize) -> *mut f32 {
        base.at(self.offset, (pixels - 1) * self.stride + LANES)
    }
}

/// The last steps of sixteen channels of a convolution's output, and its place: `max(low, y + bias) + residual`.
#[derive(Clone, Copy)]
pub(crate) struct Finish<S: Simd> {
    bias: S::V,
    low: S::V,
    residual: Option<Source<S>>,
    out: *mut f32,
    stride: usize,
    accumulate: bool,
}

impl<S: Simd> Finish<S> {
    /// For block `b` of `target`; `bias` is the place of all biases in the parameter buffer.
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn new(
        target: &Target,
        b: usize,
        residual: Option<&Operand>,
        bias: Option<usize>,
        relu: bool,
        arena: Base,
        params: Base,
    ) -> Self {
        let (block, pixels) = (&target.blocks[b], target.shape.pixels());
        // SAFETY: `at` checks the bias.
        unsafe {
            Self {
                bias: bias.map_or(S::splat(0.0), |at| S::load(params.at(at + b * LANES, LANES))),
                low: S::splat(if relu { 0.0 } else { f32::NEG_INFINITY }),
                residual: residual.map(|r| r.blocks[b].source(arena, pixels)),
                out: block.address(arena, pixels),
                stride: block.stride,
                accumulate: block.accumulate,
            }
        }
    }

    /// Whether values are stored without a look at others.
    #[inline(always)]
    pub fn plain(&self) -> bool {
        self.residual.is_none() && !self.accumulate
    }

    /// Finishes a pixel's values and stores them; `PLAIN` if [`Finish::plain`], which the loops around it know.
    ///
    /// # Safety
    /// `pixel` must be inside the target's map, which no other task may write there.
    #[inline(always)]
    pub unsafe fn put<const PLAIN: bool>(&self, pixel: usize, y: S::V) {
        // SAFETY: passed on.
        unsafe { self.keep::<PLAIN>(pixel, self.biased(y)) }
    }

    /// `max(low, y + bias)`: the first half of [`Finish::put`].
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn biased(&self, y: S::V) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { S::max(self.low, S::add(y, self.bias)) }
    }

    /// Adds the residual and stores: the second half of [`Finish::put`].
    ///
    /// # Safety
    /// As [`Finish::put`].
    #[inline(always)]
    pub unsafe fn keep<const PLAIN: bool>(&self, pixel: usize, y: S::V) {
        // SAFETY: the caller's promise; the addresses were checked for all pixels.
        unsafe {
            let p = self.out.add(pixel * self.stride);
            let y = match &self.residual {
                _ if PLAIN => y,
                // Residuals are of inference, which accumulates nothing.
                Some(residual) => S::add(y, residual.get(pixel)),
                None => S::add(S::load(p), y),
            };
            S::store(p, y);
        }
    }
}

impl Target {
    /// Shows every place to `f`, which may change it.
    pub fn visit(&mut self, f: &mut dyn FnMut(&mut usize)) {
        self.blocks.iter_mut().for_each(|b| f(&mut b.offset));
    }

    /// `count` channels from `first` on: all of them, or whole vectors.
    pub fn run(&self, first: usize, count: usize) -> Self {
        let blocks = self.blocks[first / LANES..(first + count).div_ceil(LANES)].to_vec();
        Self { shape: self.shape.with_channels(count), blocks }
    }

    /// Overwrites a stored map of this shape at `offset`.
    pub fn stored(shape: Shape, offset: usize) -> Self {
        let stride = crate::simd::padded(shape.c);
        let blocks = (0..stride / LANES)
            .map(|b| OutBlock { offset: offset + b * LANES, stride, accumulate: false })
            .collect();
        Self { shape, blocks }
    }

    /// Where the map begins that is written in rows of whole pixels, one behind the other, and in one way.
    pub fn run_of_memory(&self) -> Option<usize> {
        let OutBlock { offset, accumulate, .. } = self.blocks[0];
        let stride = self.blocks.len() * LANES;
        let next = |(b, block): (usize, &OutBlock)| {
            *block == OutBlock { offset: offset + b * LANES, stride, accumulate }
        };
        self.blocks.iter().enumerate().all(next).then_some(offset)
    }

    /// Whether every value of the map is finite.
    pub fn is_finite(&self, arena: Base) -> bool {
        let pixels = self.shape.pixels();
        self.blocks.iter().all(|block| {
            let from = block.address(arena, pixels);
            (0..pixels).all(|pixel| {
                // SAFETY: `address` checked the map, whose pixels are `stride` apart; nothing writes while it is read.
                let values =
                    unsafe { std::slice::from_raw_parts(from.wrapping_add(pixel * block.stride), LANES) };
                values.iter().all(|v| v.is_finite())
            })
        })
    }
}

impl Operand {
    /// Shows every place to `f`, which may change it.
    pub fn visit(&mut self, f: &mut dyn FnMut(&mut usize)) {
        for block in &mut self.blocks {
            f(&mut block.offset);
            if let Some((scale, shift)) = &mut block.affine {
                f(scale);
                f(shift);
            }
        }
    }

    /// As [`Target::run`].
    pub fn run(&self, first: usize, count: usize) -> Self {
        let blocks = self.blocks[first / LANES..(first + count).div_ceil(LANES)].to_vec();
        Self { shape: self.shape.with_channels(count), blocks }
    }

    /// Where the values stand in rows of whole pixels as they are read: the place of pixel 0 and the distance between
    /// pixels.
    pub fn rows(&self) -> Option<(usize, usize)> {
        let Block { offset, stride, .. } = self.blocks[0];
        let row = |(b, block): (usize, &Block)| {
            *block == Block { offset: offset + b * LANES, stride, affine: None, relu: false }
        };
        self.blocks.iter().enumerate().all(row).then_some((offset, stride))
    }

    /// A stored map of this shape at `offset`.
    pub fn stored(shape: Shape, offset: usize) -> Self {
        let stride = crate::simd::padded(shape.c);
        let blocks = (0..stride / LANES)
            .map(|b| Block { offset: offset + b * LANES, stride, affine: None, relu: false })
            .collect();
        Self { shape, blocks }
    }
}
