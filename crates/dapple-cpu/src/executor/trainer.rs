//! A network in training: an executor with gradients, an optimizer and a moving average.

use super::inference::CpuExecutor;
use super::pass::Pass;
use super::plans::kept_by_training;
use crate::joint::Joined;
use crate::kernels::optim::{self, Segment};
use crate::kernels::pixels;
use crate::memory::Buffer;
use crate::plan::Plan;
use crate::settings::Resources;
use dapple_base::Ranks;
use dapple_graph::engine::{
    OptimizerState, check_flat_gradient, check_gradients, check_optimizer_state, check_rate_factors,
    check_state,
};
use dapple_graph::{
    DropoutState, EngineError, Executor, Fault, Inference, InputError, Joint, Loss, Mode, Network, Optimizer,
    Shape, State, Tensor, Trainer,
};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Trains a network.
pub(crate) struct CpuTrainer {
    pub(super) executor: CpuExecutor,
    pub(super) optimizer: Optimizer,
    /// Factor of the learning rate of each parameter.
    pub(super) rate_factors: Vec<f32>,
    /// The optimizer's work, cut for the threads.
    pub(super) tasks: Vec<Segment>,
    /// Moving averages of parameters and running statistics.
    pub(super) average: Option<[Buffer; 2]>,
    pub(super) gradients: Option<Buffer>,
    /// Nothing has been added to the gradients since the last step.
    pub(super) fresh: bool,
    pub(super) slots: Vec<Buffer>,
    pub(super) steps: u64,
    /// The plan whose forward pass stands in the arena.
    pending: Option<Arc<Plan>>,
    /// Dropout's position in the last forward pass, for its backward pass.
    drawn: DropoutState,
    /// Compute the gradient of the input too.
    input_gradient: bool,
}

impl CpuTrainer {
    pub fn new(
        resources: &Resources,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Self, EngineError> {
        let shape = network.example_input();
        Ok(Self::around(CpuExecutor::for_input(resources, network, state, shape)?, optimizer))
    }

    /// A trainer of an executor's network.
    pub fn around(executor: CpuExecutor, optimizer: Optimizer) -> Self {
        let rate_factors = vec![1.0; executor.layout.specs.len()];
        let mut trainer = Self {
            optimizer,
            tasks: optim::tasks(&executor.layout.segments(&rate_factors)),
            rate_factors,
            average: None,
            gradients: None,
            fresh: true,
            slots: (0..optimizer.slots()).map(|_| Buffer::zeroed(executor.layout.trainable)).collect(),
            steps: 0,
            pending: None,
            drawn: DropoutState::default(),
            input_gradient: false,
            executor,
        };
        trainer.count_kept_values();
        trainer
    }

    /// Computes the gradient of the input too.
    pub fn with_input_gradient(mut self) -> Self {
        self.input_gradient = true;
        self
    }

    /// Tells the executor, which keeps to the limit of memory, of the gradients, the optimizer's memory and the average.
    pub(super) fn count_kept_values(&mut self) {
        let layout = &self.executor.layout;
        let average = if self.average.is_some() { layout.trainable + layout.statistics } else { 0 };
        self.executor.kept_by_training = kept_by_training(layout, self.slots.len()) + average;
    }

    /// Everything of a forward pass but its steps.
    pub(super) fn begin_forward(&mut self, input: &Tensor) -> Result<Arc<Plan>, EngineError> {
        self.pending = None;
        let (plan, drawn) = self.executor.begin_forward(input, Mode::Train, self.input_gradient)?;
        self.drawn = drawn;
        Ok(plan)
    }

    pub(super) fn run_forward(&mut self, input: &Tensor) -> Result<Arc<Plan>, EngineError> {
        let plan = self.begin_forward(input)?;
        self.run(&plan, 0..plan.forward);
        // Running statistics have moved.
        self.executor.folded = None;
        Ok(plan)
    }

    /// Runs a range of a training plan's steps.
    pub(super) fn run(&mut self, plan: &Plan, steps: Range<usize>) {
        let pass = Pass {
            mode: Mode::Train,
            dropout: self.drawn,
            gradients: self.gradients.as_mut(),
            accumulate: !self.fresh,
        };
        self.executor.run(plan, steps, pass);
    }

    /// Allocates the gradients; clears those that the plan's steps do not write.
    pub(super) fn begin_backward(&mut self, plan: &Plan) {
        let layout = &self.executor.layout;
        let gradients = self.gradients.get_or_insert_with(|| Buffer::zeroed(layout.trainable));
        if self.fresh {
            // Parameters that this plan's outputs do not depend on.
            let written: HashSet<usize> =
                plan.steps.iter().flat_map(|s| s.kernel.writes_gradients()).collect();
            let base = gradients.base();
            for task in layout.segments(&self.rate_factors).iter().filter(|s| !written.contains(&s.start)) {
                pixels::zero(base, task.start, task.len);
            }
        }
    }

    pub(super) fn run_backward(&mut self, plan: &Plan) {
        self.begin_backward(plan);
        self.run(plan, plan.forward..plan.steps.len());
        self.fresh = false;
    }

    /// After a backward pass of a trainer with the input's gradient: that gradient.
    pub fn input_gradient(&mut self, shape: Shape) -> Option<Tensor> {
        let offset = self.executor.plans.get(&(shape, Mode::Train))?.input_gradient?;
        let mut tensor = Tensor::zeros(shape);
        pixels::read_out(self.executor.scratch.arena.base(), offset, shape, &mut tensor.data);
        Some(tensor)
    }
}

impl Executor for CpuTrainer {
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError> {
        self.pending = None;
        self.executor.infer(input, mode)
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        self.pending = None;
        self.executor.evaluate(input, labels, loss)
    }

    fn state(&self) -> State {
        self.executor.state()
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.executor.set_state(state)
    }

    fn dropout_state(&self) -> DropoutState {
        self.executor.dropout_state()
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.executor.set_dropout_state(state);
    }
}

impl Trainer for CpuTrainer {
    fn forward(&mut self, input: &Tensor) -> Result<Vec<Tensor>, EngineError> {
        let plan = self.run_forward(input)?;
        let outputs = self.executor.outputs(&plan);
        self.pending = Some(plan);
        Ok(outputs)
    }

    fn backward(&mut self, output_gradients: &[Tensor]) -> Result<(), EngineError> {
        let plan = self.pending.take().ok_or(InputError::NoForwardPass)?;
        let shapes: Vec<Shape> = plan.outputs.iter().map(|output| output.0).collect();
        check_gradients(output_gradients, &shapes)?;
        let arena = self.executor.scratch.arena.base();
        for (gradient, target) in output_gradients.iter().zip(&plan.output_gradients) {
            pixels::read_in_gradient(arena, &gradient.data, target);
        }
        self.run_backward(&plan);
        Ok(())
    }

    fn accumulate(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        let plan = self.run_forward(input)?;
        let value = self.executor.loss(&plan, labels, loss, Some(scale))?;
        self.run_backward(&plan);
        self.executor.joint.as_ref().map_or(Ok(()), Joined::check)?;
        Ok(value)
    }

    fn gradients(&self) -> Vec<f32> {
        let layout = &self.executor.layout;
        match &self.gradients {
            Some(gradients) if !self.fresh => layout.export(true, gradients),
            _ => vec![0.0; layout.outer_len(true)],
        }
    }

    fn set_gradients(&mut self, gradients: &[f32]) -> Result<(), EngineError> {
        let layout = &self.executor.layout;
        check_flat_gradient(layout.outer_len(true), gradients)?;
        let buffer = self.gradients.get_or_insert_with(|| Buffer::zeroed(layout.trainable));
        layout.import(true, gradients, buffer);
        self.fresh = false;
        Ok(())
    }

    fn sum_gradients(&mut self, ranks: &dyn Ranks) -> Result<(), EngineError> {
        let layout = &self.executor.layout;
        let gradients = self.gradients.get_or_insert_with(|| Buffer::zeroed(layout.trainable));
        // The order of places is that of all ranks; padding adds up to zero.
        ranks.sum_f32(gradients.as_mut_slice())?;
        self.fresh = false;
        Ok(())
    }

    fn join(&mut self, joint: Option<Joint>) -> bool {
        self.executor.joint = joint.map(Joined::new);
        true
    }

    fn step(&mut self, learning_rate: f32, clip: Option<f32>) -> Result<f32, EngineError> {
        self.learn(learning_rate, clip)
    }

    fn set_rate_factors(&mut self, factors: &[f32]) -> Result<(), EngineError> {
        let layout = &self.executor.layout;
        check_rate_factors(factors, layout.specs.len())?;
        self.rate_factors = factors.to_vec();
        self.tasks = optim::tasks(&layout.segments(&self.rate_factors));
        Ok(())
    }

    fn optimizer_state(&self) -> OptimizerState {
        let slots = self.slots.iter().map(|slot| self.executor.layout.export(true, slot)).collect();
        OptimizerState { steps: self.steps, slots }
    }

    fn set_optimizer_state(&mut self, state: &OptimizerState) -> Result<(), EngineError> {
        let layout = &self.executor.layout;
        check_optimizer_state(self.optimizer, layout.outer_len(true), state)?;
        for (slot, values) in self.slots.iter_mut().zip(&state.slots) {
            layout.import(true, values, slot);
        }
        self.steps = state.steps;
        Ok(())
    }

    fn update_average(&mut self, decay: f32) {
        self.move_average(decay);
    }

    fn average(&self) -> Option<State> {
        let [params, statistics] = self.average.as_ref()?;
        Some(self.executor.exported(params, statistics))
    }

    fn set_average(&mut self, state: &State) -> Result<(), EngineError> {
        let layout = &self.executor.layout;
        check_state(&layout.specs, state)?;
        let mut average = [Buffer::zeroed(layout.trainable), Buffer::zeroed(layout.statistics)];
        layout.import(true, &state.values, &mut average[0]);
        layout.import(false, &state.statistics, &mut average[1]);
        self.average = Some(average);
        self.count_kept_values();
        Ok(())
    }

    fn swap_ema(&mut self) {
        if let Some([params, statistics]) = &mut self.average {
            std::mem::swap(params, &mut self.executor.params);
            std::mem::swap(statistics, &mut self.executor.statistics);
            self.executor.folded = None;
        }
    }

    fn find_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        self.first_fault(input, labels, loss)
    }
}
