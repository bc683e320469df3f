//! Random settings from a seed.

use dapple_graph::{Conv2d, Graph, GraphError, NodeId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::RangeInclusive;

/// Draws from a seed.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// `purpose` keeps draws of the same seed for different things apart.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(purpose);
        Self(rng)
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        let count = (range.end() - range.start() + 1) as u64;
        // The remainder's bias is far below anything a test could see.
        range.start() + (self.0.next_u64() % count) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.within(1..=count) == 1
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.within(0..=from.len() - 1)]
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// 1 to 40 channels, often a multiple of 16, now and then 64 or 96.
    pub(crate) fn channels(&mut self) -> usize {
        match self.within(0..=9) {
            0 => self.pick(&[64, 96]),
            1 | 2 => self.pick(&[16, 32]),
            3 | 4 => self.within(1..=4),
            _ => self.within(1..=40),
        }
    }
}

/// A node of another size for an operation that takes a size.
pub(crate) fn other_size(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let mut conv = Conv2d::new(1, 1);
    for axis in 0..2 {
        conv.kernel[axis] = draw.within(1..=7);
        conv.stride[axis] = draw.within(1..=3);
        conv.padding[axis] = draw.within(0..=20);
    }
    g.conv2d("size", x, &conv)
}
