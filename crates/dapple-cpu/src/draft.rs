//! A plan whose buffers have no places yet: from the steps that touch it follows each buffer's life, and from the
//! lives follow the places.

use crate::arena::{self, Life};
use crate::kernels::operand::Target;
use crate::plan::Plan;
use crate::step::{Step, visit_target};
use dapple_graph::Shape;

/// All steps, on places as [`arena::place`] makes them.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
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
    /// Where each buffer goes, and the length of all.
    pub fn places(&mut self) -> (Vec<usize>, usize) {
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
            step.kernel.visit(&mut |place| touch(*place, time));
        }
        self.outputs.iter().for_each(|(_, place)| touch(*place, self.forward + 1));
        for target in &mut self.output_gradients {
            visit_target(target, &mut |place| touch(*place, self.forward + 1));
        }
        if let Some(place) = self.input_gradient {
            touch(place, self.steps.len() + 2);
        }
        arena::assign(&lives)
    }

    /// Scratch memory that the steps need: shared, and for each thread.
    pub fn scratch(&self) -> (usize, usize) {
        let each = self.steps.iter().map(|step| step.kernel.scratch());
        each.fold((0, 0), |most, now| (most.0.max(now.0), most.1.max(now.1)))
    }

    /// The plan, every place resolved.
    pub fn settle(mut self) -> Plan {
        let (offsets, arena_len) = self.places();
        let (shared_len, local_len) = self.scratch();
        let mut resolve = |place: &mut usize| *place = arena::resolve(&offsets, *place);
        for step in &mut self.steps {
            step.kernel.visit(&mut resolve);
        }
        self.outputs.iter_mut().for_each(|(_, place)| resolve(place));
        self.output_gradients.iter_mut().for_each(|target| visit_target(target, &mut resolve));
        resolve(&mut self.input);
        self.input_gradient.iter_mut().for_each(resolve);
        let Self { steps, forward, input, outputs, output_gradients, input_gradient, .. } = self;
        Plan {
            steps,
            forward,
            input_offset: input,
            outputs,
            output_gradients,
            input_gradient,
            arena_len,
            shared_len,
            local_len,
        }
    }
}
