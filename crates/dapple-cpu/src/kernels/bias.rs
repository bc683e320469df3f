//! Gradients of biases.

use super::batch_norm::{moments, parts};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::Operand;
use super::pixels;
use crate::parallel;
use crate::simd::{LANES, Level};

/// The gradient of a bias: the sum of a map's gradient over all pixels.
#[derive(Clone, Debug)]
pub(crate) struct BiasGradient {
    pub gradient: Operand,
    /// In the gradient buffer.
    pub to: usize,
}

impl Kernel for BiasGradient {
    fn name(&self) -> &'static str {
        "bias gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, shared, accumulate, .. } = *memory;
        let Self { gradient, to } = self;
        let pixels = gradient.shape.pixels();
        let (parts, channels) = (parts(pixels), gradient.blocks.len() * LANES);
        parallel::for_each(parts, |part| {
            let sums = shared.at(part * 2 * channels, 2 * channels);
            // SAFETY: each task writes its own sums.
            unsafe { moments(level, gradient, arena, parallel::run(pixels, parts, part), sums) };
        });
        for c in 0..gradient.shape.c {
            // SAFETY: `at` checks each place; nothing else runs now.
            unsafe {
                let first = f64::from(*arena.at(gradient.blocks[c / LANES].offset + c % LANES, 1));
                let sum: f64 = (0..parts).map(|p| f64::from(*shared.at(2 * p * channels + c, 1))).sum();
                let new = sum + first * pixels as f64;
                let old = gradients.at(to + c, 1);
                *old = if accumulate { (f64::from(*old) + new) as f32 } else { new as f32 };
            }
        }
    }

    fn scratch(&self) -> Scratch {
        let parts = parts(self.gradient.shape.pixels());
        Scratch { shared: 2 * parts * self.gradient.blocks.len() * LANES, local: 0 }
    }

    fn visit(&mut self, f: Visit) {
        self.gradient.visit(f);
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.to]
    }
}

/// The gradient of a bias before a batch norm with the batch's own mean, which such a bias does not change: zero.
#[derive(Clone, Debug)]
pub(crate) struct ZeroBiasGradient {
    /// In the gradient buffer.
    pub to: usize,
    pub len: usize,
}

impl Kernel for ZeroBiasGradient {
    fn name(&self) -> &'static str {
        "zero"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        if !memory.accumulate {
            pixels::zero(memory.gradients(), self.to, self.len);
        }
    }

    fn visit(&mut self, _: Visit) {}

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.to]
    }
}
