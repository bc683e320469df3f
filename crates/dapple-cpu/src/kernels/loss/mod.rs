//! Losses between logits in the arena and label maps, with their gradients. Definitions:
//! [`LossKind`](dapple_graph::LossKind).
//!
//! Passes over the pixels: the first takes the sums of most losses ([`sums`]), another the losses that need an order or the
//! distances of a whole batch ([`whole`]), the last, if wanted, the gradient ([`gradient`]). Sums are f64 over fixed chunks,
//! added in order.

mod gradient;
mod input;
mod sums;
mod terms;
mod whole;

pub(crate) use input::LossInput;

use super::operand::Target;
use crate::memory::Base;
use terms::Terms;
use whole::Whole;

impl LossInput<'_> {
    /// The loss; with `gradient`, that of the logits times `factor` goes there. The input must have passed
    /// [`Loss::check`].
    pub fn run(&self, arena: Base, factor: f64, gradient: Option<&Target>) -> f64 {
        let terms = Terms::new(self.loss, self.shape.c);
        let sums = self.sums(arena, &terms);
        let whole = Whole::new(self, arena, &terms);
        if let Some(target) = gradient {
            self.gradient(arena, &terms, &sums, &whole, factor, target);
        }
        sums.value(&terms, self.shape.c) + whole.value
    }
}
