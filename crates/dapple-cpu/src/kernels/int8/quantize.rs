//! From a map of numbers to one of bytes.

use super::bytes::{ByteMap, Sink};
use crate::kernels::kernel::{Kernel, Memory, Visit};
use crate::kernels::operand::Operand;
use crate::kernels::pixels::over;
use crate::memory::Base;
use crate::simd::{Level, Simd, simd_fn};
use std::ops::Range;

/// Rounds a map to the integers of a quantized convolution's input.
#[derive(Clone, Debug)]
pub(crate) struct Quantize {
    pub from: Operand,
    pub to: ByteMap,
}

/// Blocks whose values are read together, so that cache lines side by side are used side by side.
const BLOCKS: usize = 4;

impl Kernel for Quantize {
    fn name(&self) -> &'static str {
        "quantize"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { from, to }) = (memory.arena, self);
        over(from.shape.pixels(), from.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels.
            unsafe { quantize_part(level, arena, from, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.from.visit(f);
        f(&mut self.to.offset);
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    quantize_part = quantize_impl(arena: Base, from: &Operand, to: &ByteMap, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn quantize_impl<S: Simd>(arena: Base, from: &Operand, to: &ByteMap, pixels: Range<usize>) {
    let all = from.shape.pixels();
    // SAFETY: `source` and `Sink` check the maps; pixels are below their number.
    unsafe {
        for (group, blocks) in from.blocks.chunks(BLOCKS).enumerate() {
            let mut sources = [blocks[0].source::<S>(arena, all); BLOCKS];
            let mut sinks = [Sink::<S>::new(to, group * BLOCKS, arena); BLOCKS];
            for (i, block) in blocks.iter().enumerate() {
                sources[i] = block.source::<S>(arena, all);
                sinks[i] = Sink::new(to, group * BLOCKS + i, arena);
            }
            for pixel in pixels.clone() {
                for i in 0..blocks.len() {
                    sinks[i].put(pixel, sources[i].get(pixel));
                }
            }
        }
    }
}
