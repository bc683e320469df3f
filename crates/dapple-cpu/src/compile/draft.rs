//! A plan whose buffers have no places yet: from the steps that touch it follows each buffer's life, and from the
//! lives follow the places.

use super::arena::{self, Life};
use crate::kernels::kernel::Scratch;
use crate::kernels::operand::Target;
use crate::plan::Step;
use dapple_graph::Shape;

/// All steps, on places as [`arena::place`] makes them.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub steps: Vec<Step>,
    /// Steps before this one are the forward pass.
    pub forward: usize,
    /// Lengths of the buffers.
    pub buffers: Vec<usize>,
    pub input: usize,
    /// Shapes and places of the outputs.
    pub outputs: Vec<(Shape, usize)>,
    pub output_gradients: Vec<Target>,
    pub input_gradient: Option<usize>,
}

impl Draft {
    /// The life of each buffer.
    pub fn lives(&mut self) -> Vec<Life> {
        let mut lives: Vec<Life> = self.buffers.iter().map(|&len| Life { len, steps: None }).collect();
        let mut touch = |place: usize, step: usize| {
            let life = &mut lives[arena::buffer(place)].steps;
            let (first, last) = life.unwrap_or((step, step));
            *life = Some((first.min(step), last.max(step)));
        };
        // The loss stands between forward and backward and has a time of its own.
        touch(self.input, 0);
        for (i, step) in self.steps.iter_mut().enumerate() {
            let time = if i < self.forward { i + 1 } else { i + 2 };
            step.visit(&mut |place| touch(*place, time));
        }
        self.outputs.iter().for_each(|(_, place)| touch(*place, self.forward + 1));
        for target in &mut self.output_gradients {
            target.visit(&mut |place| touch(*place, self.forward + 1));
        }
        if let Some(place) = self.input_gradient {
            touch(place, self.steps.len() + 2);
        }
        lives
    }

    /// For each step, the values of the buffers that it touches.
    pub fn touched(&mut self) -> Vec<usize> {
        let Self { steps, buffers, .. } = self;
        let values = steps.iter_mut().map(|step| {
            let mut touched = Vec::new();
            step.kernel.visit(&mut |place| touched.push(arena::buffer(*place)));
            touched.sort_unstable();
            touched.dedup();
            touched.into_iter().map(|buffer| buffers[buffer]).sum::<usize>()
        });
        values.collect()
    }

    /// Values that all buffers take together.
    pub fn arena_len(&mut self) -> usize {
        arena::assign(&self.lives()).1
    }

    /// Scratch memory that the steps need outside of the arena.
    pub fn scratch(&self) -> Scratch {
        let outside = self.steps.iter().filter(|step| step.scratch.is_none());
        let each = outside.map(|step| step.kernel.scratch());
        each.fold(Scratch::default(), |most, now| Scratch {
            shared: most.shared.max(now.shared),
            local: most.local.max(now.local),
        })
    }
}
