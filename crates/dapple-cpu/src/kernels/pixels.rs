//! Kernels that go pixel by pixel: copies, sums, ReLU's gradient, padding and cropping, and the way in and out.

use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, padded, simd_fn};
use dapple_graph::Shape;
use std::ops::Range;

/// Pixels that a task works on, for maps of this many channel blocks.
fn chunk(blocks: usize) -> usize {
    (4096 / blocks.max(1)).max(64)
}

/// Runs `task` over the pixels in fixed chunks.
pub(super) fn over(pixels: usize, blocks: usize, task: impl Fn(Range<usize>) + Sync + Send) {
    let chunk = chunk(blocks);
    parallel::for_each(pixels.div_ceil(chunk), |i| task(i * chunk..pixels.min((i + 1) * chunk)));
}

/// Which pixel of the source each target pixel comes from: `None` for all of them one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub source: Shape,
    pub target: Shape,
    /// Added to a target row and column.
    pub offset: [isize; 2],
}

impl Shift {
    /// Centred padding or cropping from `source` to `target`: `floor(difference / 2)` pixels before.
    pub fn centred(source: Shape, target: Shape) -> Self {
        let before = |from: usize, to: usize| {
            if to >= from { -(((to - from) / 2) as isize) } else { ((from - to) / 2) as isize }
        };
        Self { source, target, offset: [before(source.h, target.h), before(source.w, target.w)] }
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        Self { source: self.target, target: self.source, offset: self.offset.map(|o| -o) }
    }

    #[inline]
    fn source_pixel(&self, pixel: usize) -> Option<usize> {
        let (rest, x) = (pixel / self.target.w, pixel % self.target.w);
        let (n, y) = (rest / self.target.h, rest % self.target.h);
        let (y, x) = ((y as isize + self.offset[0]) as usize, (x as isize + self.offset[1]) as usize);
        // Negative positions have become huge.
        (y < self.source.h && x < self.source.w).then(|| (n * self.source.h + y) * self.source.w + x)
    }
}

/// Writes the values of `from` to `to`, shifted if wanted (zero where nothing is).
pub(crate) fn copy(level: Level, arena: Base, from: &Operand, to: &Target, shift: Option<&Shift>) {
    assert_eq!(from.blocks.len(), to.blocks.len());
    over(to.shape.pixels(), to.blocks.len(), |pixels| {
        // SAFETY: pixels are inside both maps; tasks write disjoint pixels.
        unsafe { copy_part(level, arena, from, to, shift, pixels) }
    });
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    copy_part = copy_impl(arena: Base, from: &Operand, to: &Target, shift: Option<&Shift>, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn copy_impl<S: Simd>(
    arena: Base,
    from: &Operand,
    to: &Target,
    shift: Option<&Shift>,
    pixels: Range<usize>,
) {
    // SAFETY: `address` and `source` check the maps; pixels are below their number.
    unsafe {
        for (source, target) in from.blocks.iter().zip(&to.blocks) {
            let source = source.source::<S>(arena, from.shape.pixels());
            let p = target.address(arena, to.shape.pixels());
            for pixel in pixels.clone() {
                let v = match shift {
                    None => source.get(pixel),
                    Some(shift) => match shift.source_pixel(pixel) {
                        Some(pixel) => source.get(pixel),
                        None => S::splat(0.0),
                    },
                };
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}

/// Writes `a + b` to `to`.
pub(crate) fn add(level: Level, arena: Base, a: &Operand, b: &Operand, to: &Target) {
    assert!(a.blocks.len() == to.blocks.len() && b.blocks.len() == to.blocks.len());
    over(to.shape.pixels(), to.blocks.len(), |pixels| {
        // SAFETY: pixels are inside the maps; tasks write disjoint pixels.
        unsafe { add_part(level, arena, a, b, to, pixels) }
    });
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    add_part = add_impl(arena: Base, a: &Operand, b: &Operand, to: &Target, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn add_impl<S: Simd>(arena: Base, a: &Operand, b: &Operand, to: &Target, pixels: Range<usize>) {
    // SAFETY: as in `copy_impl`.
    unsafe {
        let all = to.shape.pixels();
        for ((a, b), target) in a.blocks.iter().zip(&b.blocks).zip(&to.blocks) {
            let (a, b) = (a.source::<S>(arena, all), b.source::<S>(arena, all));
            let p = target.address(arena, all);
            for pixel in pixels.clone() {
                S::store(p.add(pixel * target.stride), S::add(a.get(pixel), b.get(pixel)));
            }
        }
    }
}

/// ReLU's gradient: `gradient` where `value > 0`, else 0, to `to` (which may be the gradient's own place).
pub(crate) fn relu_gradient(level: Level, arena: Base, value: &Operand, gradient: &Operand, to: &Target) {
    over(to.shape.pixels(), to.blocks.len(), |pixels| {
        // SAFETY: pixels are inside the maps; tasks write disjoint pixels, each after it was read.
        unsafe { relu_gradient_part(level, arena, value, gradient, to, pixels) }
    });
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    relu_gradient_part = relu_gradient_impl(
        arena: Base,
        value: &Operand,
        gradient: &Operand,
        to: &Target,
        pixels: Range<usize>,
    )
}

#[inline(always)]
unsafe fn relu_gradient_impl<S: Simd>(
    arena: Base,
    value: &Operand,
    gradient: &Operand,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: as in `copy_impl`.
    unsafe {
        let all = to.shape.pixels();
        for ((v, g), target) in value.blocks.iter().zip(&gradient.blocks).zip(&to.blocks) {
            let (v, g) = (v.source::<S>(arena, all), g.source::<S>(arena, all));
            let p = target.address(arena, all);
            for pixel in pixels.clone() {
                let masked = S::where_greater(v.get(pixel), S::splat(0.0), g.get(pixel));
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), masked) } else { masked });
            }
        }
    }
}

/// Copies channels `0..shape.c` of a stored map into channels `at..` of another, both without batch norm or ReLU,
/// or (`back`) the other way round; for concatenations whose parts are not whole vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelCopy {
    pub pixels: usize,
    pub channels: usize,
    pub from: usize,
    pub from_stride: usize,
    pub to: usize,
    pub to_stride: usize,
    pub accumulate: bool,
}

/// Runs a [`ChannelCopy`].
pub(crate) fn copy_channels(arena: Base, c: &ChannelCopy) {
    over(c.pixels, c.channels.div_ceil(LANES), |pixels| {
        let from = arena.at(c.from, (c.pixels - 1) * c.from_stride + c.channels);
        let to = arena.at(c.to, (c.pixels - 1) * c.to_stride + c.channels);
        for pixel in pixels {
            for channel in 0..c.channels {
                // SAFETY: both ranges were checked; tasks write disjoint pixels.
                unsafe {
                    let v = *from.add(pixel * c.from_stride + channel);
                    let p = to.add(pixel * c.to_stride + channel);
                    *p = if c.accumulate { *p + v } else { v };
                }
            }
        }
    });
}

/// Fills a range of the arena with zeros.
pub(crate) fn zero(arena: Base, offset: usize, len: usize) {
    const CHUNK: usize = 64 << 10;
    parallel::for_each(len.div_ceil(CHUNK), |task| {
        let start = task * CHUNK;
        let count = CHUNK.min(len - start);
        // SAFETY: the range is checked by `at`; tasks write disjoint runs.
        unsafe { arena.at(offset + start, count).write_bytes(0, count) };
    });
}

/// Copies values from one buffer to another.
pub(crate) fn copy_values(from: Base, from_offset: usize, to: Base, to_offset: usize, len: usize) {
    // SAFETY: `at` checks both ranges, of different buffers; nothing else runs now.
    unsafe { std::ptr::copy_nonoverlapping(from.at(from_offset, len), to.at(to_offset, len), len) };
}

/// Copies a dense batch into a stored map, adding the padding channels.
pub(crate) fn read_in(arena: Base, dense: &[f32], shape: Shape, offset: usize) {
    assert_eq!(dense.len(), shape.len());
    let stride = padded(shape.c);
    over(shape.pixels(), stride / LANES, |pixels| {
        let to = arena.at(offset, shape.pixels() * stride);
        for pixel in pixels {
            let from = &dense[pixel * shape.c..(pixel + 1) * shape.c];
            // SAFETY: the pixel's `stride` values were checked; tasks write disjoint pixels.
            let to = unsafe { std::slice::from_raw_parts_mut(to.add(pixel * stride), stride) };
            to[..shape.c].copy_from_slice(from);
            to[shape.c..].fill(0.0);
        }
    });
}

/// Copies a map into a dense batch.
pub(crate) fn read_out(arena: Base, offset: usize, shape: Shape, dense: &mut [f32]) {
    assert_eq!(dense.len(), shape.len());
    let stride = padded(shape.c);
    let from = arena.at(offset, shape.pixels() * stride);
    for (pixel, to) in dense.chunks_exact_mut(shape.c).enumerate() {
        // SAFETY: the map was checked; nothing writes it now.
        to.copy_from_slice(unsafe { std::slice::from_raw_parts(from.add(pixel * stride), shape.c) });
    }
}

/// Copies (or adds) a dense gradient into its target.
pub(crate) fn read_in_gradient(arena: Base, dense: &[f32], to: &Target) {
    let (channels, pixels) = (to.shape.c, to.shape.pixels());
    assert_eq!(dense.len(), to.shape.len());
    for (b, block) in to.blocks.iter().enumerate() {
        let address = block.address(arena, pixels);
        for pixel in 0..pixels {
            for lane in 0..LANES {
                let channel = b * LANES + lane;
                let v = if channel < channels { dense[pixel * channels + channel] } else { 0.0 };
                // SAFETY: `address` checked the map; nothing else runs now.
                unsafe {
                    let p = address.add(pixel * block.stride + lane);
                    *p = if block.accumulate { *p + v } else { v };
                }
            }
        }
    }
}
