//! ReLU's gradient. Forward, ReLU is how the next kernel reads ([`super::operand`]).

use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pixels::over;
use super::values::{Function, apply};
use crate::memory::Base;
use crate::simd::{Level, Simd, simd_fn};
use std::ops::Range;

/// The way back through a ReLU: its input.
#[derive(Clone, Debug)]
pub(crate) struct Relu(pub Operand);

impl Backward for Relu {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(ReluGradient { value: self.0.clone(), gradient, to: to? }))
    }
}

/// `gradient` where `value > 0`, else 0, to `to`, which may be the gradient's own place.
#[derive(Clone, Debug)]
pub(crate) struct ReluGradient {
    value: Operand,
    gradient: Operand,
    to: Target,
}

impl Kernel for ReluGradient {
    fn name(&self) -> &'static str {
        "relu gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { value, gradient, to }) = (memory.arena, self);
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels, each after it was read.
            unsafe { relu_gradient_part(level, arena, value, gradient, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.value.visit(f);
        self.gradient.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
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
    // SAFETY: passed on.
    unsafe { apply::<S, 2>(&WherePositive, arena, [value, gradient], to, pixels) }
}

struct WherePositive;

impl<S: Simd> Function<S, 2> for WherePositive {
    #[inline(always)]
    unsafe fn of(&self, [value, gradient]: [S::V; 2]) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { S::where_greater(value, S::splat(0.0), gradient) }
    }
}
