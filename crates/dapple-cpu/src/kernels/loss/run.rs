//! A loss from its passes over the pixels.

use super::input::LossInput;
use super::terms::Terms;
use super::whole::Whole;
use crate::kernels::operand::Target;
use crate::memory::Base;

impl LossInput<'_> {
    /// The loss; with `gradient`, that of the logits times `factor` goes there. The input must have passed
    /// [`Loss::check`].
    pub fn run(&self, arena: Base, factor: f64, gradient: Option<&Target>) -> f64 {
        let terms = Terms::new(self.loss, self.shape.c);
        let mut sums = self.sums(arena, &terms);
        if let Some(joint) = self.joint {
            sums.join(joint);
        }
        let whole = Whole::new(self, arena, &terms);
        if let Some(target) = gradient {
            self.gradient(arena, &terms, &sums, &whole, factor, target);
        }
        sums.value(&terms, self.shape.c) + whole.value
    }
}
