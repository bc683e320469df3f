//! The gradients of values while backward steps are appended.

use crate::compile::builder::{Builder, Value, ValueId};
use crate::kernels::kernel::Kernel;
use crate::kernels::operand::{Operand, OutBlock, Target};

/// Gradients of values: where they stand, and whether something stands there yet.
pub(super) struct Gradients<'a> {
    pub b: Builder<'a>,
    pub places: Vec<Option<usize>>,
    pub written: Vec<bool>,
    /// Sums to zero over the pixels of each channel, as a batch norm's gradient does.
    pub centred: Vec<bool>,
}

impl<'a> Gradients<'a> {
    pub fn new(b: Builder<'a>) -> Self {
        let count = b.values.len();
        Self { b, places: vec![None; count], written: vec![false; count], centred: vec![false; count] }
    }

    /// Where a kernel writes (or adds) a value's gradient.
    pub fn target(&mut self, value: ValueId) -> Target {
        let shape = self.b.shape(value);
        if let Value::Concat(parts) = self.b.values[value].1.clone() {
            let blocks: Vec<OutBlock> = parts.iter().flat_map(|&p| self.target(p).blocks).collect();
            return Target { shape, blocks };
        }
        let place = *self.places[value].get_or_insert_with(|| self.b.map(shape));
        let mut target = Target::stored(shape, place);
        target.blocks.iter_mut().for_each(|block| block.accumulate = self.written[value]);
        self.written[value] = true;
        target
    }

    /// Where the gradient of `x` goes when made from that of `y`: into its place if nobody else reads `x` (`own`).
    pub fn target_over(&mut self, x: ValueId, y: ValueId, own: bool) -> Target {
        if own && self.places[x].is_none() {
            self.places[x] = self.places[y];
        }
        self.target(x)
    }

    /// A value's whole gradient, if any reached it.
    pub fn of(&self, value: ValueId) -> Option<Operand> {
        let place = self.places[value].filter(|_| self.written[value])?;
        Some(Operand::stored(self.b.shape(value), place))
    }

    /// Appends the kernel that makes the gradient of `x` from that of `y`, if both are wanted; in the place of `y`'s if
    /// nobody else reads `x` (`own`).
    pub fn pass<K: Kernel + 'static>(
        &mut self,
        x: ValueId,
        y: ValueId,
        own: bool,
        kernel: impl FnOnce(Operand, Target) -> K,
    ) {
        if let Some(from) = self.of(y)
            && self.b.needs[x]
        {
            let to = self.target_over(x, y, own);
            self.b.push(kernel(from, to));
        }
    }
}
