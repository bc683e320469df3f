//! The sum over the channels of each pixel, in every channel of the output. Its gradient is another one: each input channel is
//! in every output channel.

use super::kernel::{Backward, Kernel, Memory, Visit};
use super::layer_norm::total;
use super::operand::{Operand, Target};
use super::pixels::over;
use super::values::mask;
use crate::memory::Base;
use crate::simd::{Level, Simd, simd_fn};
use std::ops::Range;

/// Writes (or adds) the sums of a map's channels.
#[derive(Clone, Debug)]
pub(crate) struct ChannelSum {
    pub from: Operand,
    pub to: Target,
}

impl Kernel for ChannelSum {
    fn name(&self) -> &'static str {
        "channel sum"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { from, to }) = (memory.arena, self);
        over(to.shape.pixels(), from.blocks.len() + to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside both maps; tasks write disjoint pixels.
            unsafe { sum_part(level, arena, from, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.from.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

impl Backward for ChannelSum {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Self { from: gradient, to: to? }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    sum_part = sum_impl(arena: Base, from: &Operand, to: &Target, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn sum_impl<S: Simd>(arena: Base, from: &Operand, to: &Target, pixels: Range<usize>) {
    let all = to.shape.pixels();
    // SAFETY: `source` and `address` check the maps; pixels are below their number.
    unsafe {
        for pixel in pixels {
            let mut sum = S::splat(0.0);
            for block in &from.blocks {
                // The padding is zero.
                sum = S::add(sum, block.source::<S>(arena, all).get(pixel));
            }
            let sum = S::splat(total::<S>(sum));
            for (b, block) in to.blocks.iter().enumerate() {
                let v = S::where_greater(mask::<S>(to.shape, b), S::splat(0.0), sum);
                let p = block.address(arena, all).add(pixel * block.stride);
                S::store(p, if block.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}
