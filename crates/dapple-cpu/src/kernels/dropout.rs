//! Dropout (Srivastava et al. 2014) and stochastic depth (Huang et al. 2016), of values and of gradients.

use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pixels::over;
use crate::joint::Joined;
use crate::memory::Base;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::dropout::keeps;
use std::ops::Range;

/// The settings of a dropout or of stochastic depth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    /// Number of the layer.
    pub stream: u64,
    /// As [`dapple_graph::dropout::threshold`] has it.
    pub threshold: u32,
    /// Of the values that are kept.
    pub factor: f32,
    /// Whole images are kept or not (stochastic depth).
    pub images: bool,
}

/// Writes or adds the kept values (or gradients), with the mask of the pass; `to` may be the place of `from`.
#[derive(Clone, Debug)]
pub(crate) struct DropValues {
    pub dropout: Dropout,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for DropValues {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { dropout, from, to }) = (memory.arena, self);
        // Draws are those of the whole batch.
        let before = memory.joint.map_or(0, Joined::first) * to.shape.h * to.shape.w;
        let key = memory.dropout.key(dropout.stream);
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels, each after it was read.
            unsafe { drop_part(level, dropout, arena, (key, before), from, to, pixels) }
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

impl Backward for DropValues {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Self { dropout: self.dropout, from: gradient, to: to? }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    drop_part = drop_impl(
        dropout: &Dropout,
        arena: Base,
        draws: (u64, usize),
        from: &Operand,
        to: &Target,
        pixels: Range<usize>,
    )
}

#[inline(always)]
unsafe fn drop_impl<S: Simd>(
    dropout: &Dropout,
    arena: Base,
    (key, before): (u64, usize),
    from: &Operand,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: `address` and `source` check the maps; pixels are below their number.
    unsafe {
        let all = to.shape.pixels();
        for (b, (block, target)) in from.blocks.iter().zip(&to.blocks).enumerate() {
            let source = block.source::<S>(arena, all);
            let p = target.address(arena, all);
            for pixel in pixels.clone() {
                let factor = |index: usize| match keeps(key, index as u64, dropout.threshold) {
                    true => dropout.factor,
                    false => 0.0,
                };
                // Padding channels draw numbers too, of other values; their product is zero all the same.
                let drawn = before + pixel;
                let first = drawn * to.shape.c + b * LANES;
                let factors: [f32; LANES] = match dropout.images {
                    true => [factor(drawn / (to.shape.h * to.shape.w)); LANES],
                    false => std::array::from_fn(|lane| factor(first + lane)),
                };
                let v = S::mul(source.get(pixel), S::load(factors.as_ptr()));
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}
