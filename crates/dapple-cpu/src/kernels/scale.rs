//! A factor for each channel (layer scale). Forward it is how the next kernel reads, like a batch norm.

use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::pixels;
use super::products::ProductSums;
use crate::simd::Level;

/// The factors as a scale for readers, and a shift of zero.
#[derive(Clone, Debug)]
pub(crate) struct Factors {
    /// In the parameter buffer.
    pub from: usize,
    pub len: usize,
    /// In the arena.
    pub scale: usize,
    pub shift: usize,
}

impl Kernel for Factors {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        pixels::copy_values(memory.params, self.from, memory.arena, self.scale, self.len);
        pixels::zero(memory.arena, self.shift, self.len);
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.scale);
        f(&mut self.shift);
    }
}

/// The gradient of the factors: sums over all pixels of value times gradient.
#[derive(Clone, Debug)]
pub(crate) struct FactorGradient {
    pub sums: ProductSums,
    /// In the gradient buffer.
    pub to: usize,
}

impl Kernel for FactorGradient {
    fn name(&self) -> &'static str {
        "scale gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, shared, accumulate, .. } = *memory;
        self.sums.of_all(level, arena, shared, gradients, self.to, accumulate);
    }

    fn scratch(&self) -> Scratch {
        self.sums.scratch()
    }

    fn visit(&mut self, f: Visit) {
        self.sums.visit(f);
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.to]
    }
}
