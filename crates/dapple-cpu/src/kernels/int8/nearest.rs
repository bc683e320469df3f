//! Sampling of maps of bytes at the nearest pixels, and copies of them.

use super::bytes::ByteMap;
use crate::kernels::kernel::{Kernel, Memory, Visit};
use crate::parallel;
use crate::simd::{Level, padded};

/// Writes the pixel `floor(i * in / out)` of each axis ([`dapple_graph::Interpolation::Nearest`]); maps of one size are copied.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    pub from: ByteMap,
    pub to: ByteMap,
}

impl Kernel for Nearest {
    fn name(&self) -> &'static str {
        "int8 nearest"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        let (arena, Self { from, to }) = (memory.arena, self);
        let (source, target) = (from.shape, to.shape);
        let len = padded(target.c);
        parallel::for_each(target.n * target.h, |row| {
            let (image, y) = (row / target.h, row % target.h);
            let line = (image * source.h + y * source.h / target.h) * source.w;
            let (read, written) = (from.address(arena), to.address(arena));
            for x in 0..target.w {
                let pixel = line + x * source.w / target.w;
                // SAFETY: `address` checked both maps, which are apart; pixels are below their numbers, and each task writes
                // its own row.
                unsafe {
                    let to = written.add((row * target.w + x) * to.stride);
                    std::ptr::copy_nonoverlapping(read.add(pixel * from.stride), to, len);
                }
            }
        });
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.from.offset);
        f(&mut self.to.offset);
    }
}
