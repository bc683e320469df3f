//! Work that goes pixel by pixel, and the way into the arena and out of it.

use super::operand::Target;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, padded};
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
