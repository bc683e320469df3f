//! The sum of two maps.

use super::kernel::{Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pixels::over;
use super::values::{Function, apply};
use crate::memory::Base;
use crate::simd::{Level, Simd, simd_fn};
use std::ops::Range;

/// Writes `a + b` to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub a: Operand,
    pub b: Operand,
    pub to: Target,
}

impl Kernel for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { a, b, to }) = (memory.arena, self);
        assert!(a.blocks.len() == to.blocks.len() && b.blocks.len() == to.blocks.len());
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels.
            unsafe { add_part(level, arena, a, b, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.a.visit(f);
        self.b.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    add_part = add_impl(arena: Base, a: &Operand, b: &Operand, to: &Target, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn add_impl<S: Simd>(arena: Base, a: &Operand, b: &Operand, to: &Target, pixels: Range<usize>) {
    // SAFETY: passed on.
    unsafe { apply::<S, 2>(&Sum, arena, [a, b], to, pixels) }
}

struct Sum;

impl<S: Simd> Function<S, 2> for Sum {
    #[inline(always)]
    unsafe fn of(&self, [a, b]: [S::V; 2]) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { S::add(a, b) }
    }
}
