//! A network with its parameters on this machine's processor.

mod average;
mod fault;
mod interface;
mod learn;

use crate::compile::compile;
use crate::engine::{CpuEngine, Settings, TrainingMemory};
use crate::kernels::kernel::Memory;
use crate::kernels::loss::LossInput;
use crate::kernels::optim::{self, Segment};
use crate::kernels::pixels;
use crate::layout::Layout;
use crate::memory::{self, Buffer};
use crate::plan::{Budget, Plan, Purpose};
use crate::pool::Pool;
use crate::simd::Level;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{
    DropoutState, EngineError, Executor, Graph, Loss, Mode, Network, Optimizer, Shape, State, Tensor,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Plans that are kept; more shapes than that start anew.
const MAX_PLANS: usize = 32;

/// The parameters of a network with its batch norms folded.
struct Folded {
    layout: Layout,
    params: Buffer,
    statistics: Buffer,
}

/// Memory that all plans share.
struct Scratch {
    arena: Buffer,
    shared: Buffer,
    local: Buffer,
}

/// Time of one step of a plan.
#[derive(Clone, Debug)]
pub struct StepTime {
    /// Name of the graph's node.
    pub node: String,
    /// Kind of kernel.
    pub kernel: &'static str,
    /// Whether the step belongs to the backward pass.
    pub backward: bool,
    /// Wall-clock time.
    pub seconds: f64,
}

pub(crate) struct CpuExecutor {
    pool: Pool,
    threads: usize,
    level: Level,
    settings: Settings,
    network: Arc<dyn Network>,
    optimizer: Option<Optimizer>,
    /// Factor of the learning rate of each parameter.
    rate_factors: Vec<f32>,
    layout: Layout,
    params: Buffer,
    statistics: Buffer,
    /// Averages of the two.
    average: Option<[Buffer; 2]>,
    gradients: Option<Buffer>,
    /// Nothing has been added to the gradients since the last step.
    fresh: bool,
    slots: Vec<Buffer>,
    steps: u64,
    tasks: Vec<Segment>,
    plans: HashMap<(Shape, Mode), Arc<Plan>>,
    scratch: Scratch,
    /// Made when inference first wants it, dropped when parameters change.
    folded: Option<Folded>,
    /// The training plan whose forward pass stands in the arena.
    pending: Option<Arc<Plan>>,
    /// Training also computes the gradient of the input.
    input_gradient: bool,
    /// Of the next pass that drops.
    dropout: DropoutState,
    /// Of the last one, for its backward pass.
    drawn: DropoutState,
}

impl CpuExecutor {
    pub fn new(
        engine: &CpuEngine,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
        input_gradient: bool,
        sample: Shape,
    ) -> Result<Self, EngineError> {
        let graph = network.build(sample)?;
        let layout = Layout::new(&graph);
        let slots = optimizer.map_or(0, |o| o.slots());
        let mut executor = Self {
            pool: engine.pool.clone(),
            threads: engine.threads(),
            level: engine.level,
            settings: engine.settings,
            network,
            optimizer,
            rate_factors: vec![1.0; layout.specs.len()],
            params: Buffer::zeroed(layout.trainable),
            statistics: Buffer::zeroed(layout.statistics),
            average: None,
            gradients: None,
            fresh: true,
            slots: (0..slots).map(|_| Buffer::zeroed(layout.trainable)).collect(),
            steps: 0,
            tasks: optim::tasks(&layout.segments(&vec![1.0; layout.specs.len()])),
            layout,
            plans: HashMap::new(),
            scratch: Scratch {
                arena: Buffer::zeroed(0),
                shared: Buffer::zeroed(0),
                local: Buffer::zeroed(0),
            },
            folded: None,
            pending: None,
            input_gradient,
            dropout: DropoutState::default(),
            drawn: DropoutState::default(),
        };
        executor.set_state(state)?;
        Ok(executor)
    }

    fn graph(&self, shape: Shape) -> Result<Graph, EngineError> {
        if shape.is_empty() {
            return Err(EngineError::Input(format!("an input of shape {shape} has no pixels")));
        }
        Ok(self.network.build(shape)?)
    }

    /// The plan for a shape and mode, made if need be; all memory is there when it returns.
    fn plan(&mut self, shape: Shape, mode: Mode) -> Result<Arc<Plan>, EngineError> {
        if mode != Mode::Train && self.folded.is_none() {
            self.fold(shape)?;
        }
        if let Some(plan) = self.plans.get(&(shape, mode)) {
            return Ok(plan.clone());
        }
        let graph = self.graph(shape)?;
        let plan = match mode {
            Mode::Train => {
                let purpose = Purpose::Train { input_gradient: self.input_gradient };
                compile(&graph, &self.layout, purpose, self.settings.convolution, self.budget())
            }
            Mode::Eval | Mode::Predict | Mode::Sample => {
                let (graph, _) = fold_batch_norm(&graph, &self.state())?;
                let folded = self.folded.as_ref().expect("folded above");
                let purpose =
                    Purpose::Infer { first_only: mode == Mode::Predict, sample: mode == Mode::Sample };
                compile(&graph, &folded.layout, purpose, self.settings.convolution, self.budget())
            }
        };
        let local_len = plan.local_len * self.threads;
        let bytes = (plan.values(self.threads) + self.kept_values()).saturating_mul(size_of::<f32>());
        let refused = |more: &str| EngineError::Device {
            device: "cpu".into(),
            why: format!(
                "an input of shape {shape} needs {:.2} GB of memory{more}; use a smaller size or batch",
                bytes as f64 / 1e9
            ),
        };
        if let Some(limit) = self.settings.memory_limit.filter(|limit| bytes > *limit) {
            let more = format!(" at least, more than the limit of {:.2} GB", limit as f64 / 1e9);
            return Err(refused(&more));
        }
        if memory::machine_bytes().is_some_and(|all| bytes > all) {
            return Err(refused(""));
        }
        let grow = |buffer: &mut Buffer, len: usize| {
            if buffer.len() < len {
                // Free the old memory first.
                *buffer = Buffer::zeroed(0);
                *buffer = Buffer::try_zeroed(len).ok_or_else(|| refused(""))?;
            }
            Ok::<(), EngineError>(())
        };
        if self.plans.len() >= MAX_PLANS {
            self.plans.clear();
        }
        grow(&mut self.scratch.arena, plan.arena_len)?;
        grow(&mut self.scratch.shared, plan.shared_len)?;
        grow(&mut self.scratch.local, local_len)?;
        let plan = Arc::new(plan);
        self.plans.insert((shape, mode), plan.clone());
        Ok(plan)
    }

    /// Values that are kept between passes: parameters, statistics, gradients and the optimiser's memory.
    fn kept_values(&self) -> usize {
        let trained = if self.optimizer.is_some() || self.gradients.is_some() { 2 } else { 1 };
        let averages = usize::from(self.average.is_some());
        (1 + averages) * self.layout.statistics
            + (trained + averages + self.slots.len()) * self.layout.trainable
    }

    /// What plans may take of the limit.
    fn budget(&self) -> Budget {
        let values = self.settings.memory_limit.map_or(usize::MAX, |limit| limit / size_of::<f32>());
        Budget { values: values.saturating_sub(self.kept_values()), threads: self.threads }
    }

    /// What a training of batches of this shape takes.
    pub fn training_memory(&self, shape: Shape) -> Result<TrainingMemory, EngineError> {
        let graph = self.graph(shape)?;
        let purpose = Purpose::Train { input_gradient: self.input_gradient };
        let bytes = |budget| {
            let plan = compile(&graph, &self.layout, purpose, self.settings.convolution, budget);
            (plan.values(self.threads) + self.kept_values()) * size_of::<f32>()
        };
        let smallest = bytes(Budget { values: 0, threads: self.threads });
        Ok(TrainingMemory { planned: bytes(self.budget()), smallest })
    }

    /// Values of the network in PyTorch's order.
    fn exported(&self, params: &Buffer, statistics: &Buffer) -> State {
        State {
            specs: self.layout.specs.clone(),
            values: self.layout.export(true, params),
            statistics: self.layout.export(false, statistics),
        }
    }

    fn fitting(&self, state: &State) -> Result<(), EngineError> {
        match self.layout.fits(state) {
            true => Ok(()),
            false => Err(EngineError::Input("the state's parameters are not those of the network".into())),
        }
    }

    fn fold(&mut self, shape: Shape) -> Result<(), EngineError> {
        let (graph, state) = fold_batch_norm(&self.graph(shape)?, &self.state())?;
        let layout = Layout::new(&graph);
        let (mut params, mut statistics) =
            (Buffer::zeroed(layout.trainable), Buffer::zeroed(layout.statistics));
        layout.import(true, &state.values, &mut params);
        layout.import(false, &state.statistics, &mut statistics);
        self.folded = Some(Folded { layout, params, statistics });
        Ok(())
    }

    /// Runs a range of a plan's steps.
    fn run(&mut self, plan: &Plan, steps: std::ops::Range<usize>, mode: Mode) {
        let Scratch { arena, shared, local } = &mut self.scratch;
        let (params, statistics) = match (&mut self.folded, mode) {
            (Some(folded), Mode::Eval | Mode::Predict | Mode::Sample) => {
                (&mut folded.params, &mut folded.statistics)
            }
            _ => (&mut self.params, &mut self.statistics),
        };
        let mut memory = Memory {
            arena: arena.base(),
            params: params.base(),
            statistics: statistics.base(),
            shared: shared.base(),
            local: local.base(),
            gradients: self.gradients.as_mut(),
            accumulate: !self.fresh,
            dropout: self.drawn,
        };
        let level = self.level;
        self.pool.install(|| {
            for step in &plan.steps[steps] {
                step.kernel.run(level, &mut memory);
            }
        });
    }

    /// Runs a forward pass (and, in training, a backward one with zero gradients) and returns the seconds of each
    /// step.
    pub fn profile(&mut self, input: &Tensor, mode: Mode) -> Result<Vec<StepTime>, EngineError> {
        let plan = self.run_forward(input, mode)?;
        let graph = self.graph(input.shape)?;
        let names = match mode {
            Mode::Train => graph,
            Mode::Eval | Mode::Predict | Mode::Sample => fold_batch_norm(&graph, &self.state())?.0,
        };
        if mode == Mode::Train {
            let arena = self.scratch.arena.base();
            for (target, (shape, _)) in plan.output_gradients.iter().zip(&plan.outputs) {
                pixels::read_in_gradient(arena, &vec![0.0; shape.len()], target);
            }
            self.run_backward(&plan);
        }
        // The arena holds a finished pass; steps may be repeated over it in order.
        let mut times = Vec::with_capacity(plan.steps.len());
        for (i, step) in plan.steps.iter().enumerate() {
            let start = std::time::Instant::now();
            self.run(&plan, i..i + 1, mode);
            times.push(StepTime {
                node: names.nodes()[step.node].name.clone(),
                kernel: step.kernel.name(),
                backward: i >= plan.forward,
                seconds: start.elapsed().as_secs_f64(),
            });
        }
        Ok(times)
    }

    /// Everything of a forward pass but its steps.
    fn begin_forward(&mut self, input: &Tensor, mode: Mode) -> Result<Arc<Plan>, EngineError> {
        self.pending = None;
        if input.data.len() != input.shape.len() {
            let (values, shape) = (input.data.len(), input.shape);
            return Err(EngineError::Input(format!("{values} values for an input of shape {shape}")));
        }
        let plan = self.plan(input.shape, mode)?;
        if matches!(mode, Mode::Train | Mode::Sample) {
            self.drawn = self.dropout;
            self.dropout.passes += 1;
        }
        let arena = self.scratch.arena.base();
        self.pool.install(|| pixels::read_in(arena, &input.data, input.shape, plan.input_offset));
        Ok(plan)
    }

    fn run_forward(&mut self, input: &Tensor, mode: Mode) -> Result<Arc<Plan>, EngineError> {
        let plan = self.begin_forward(input, mode)?;
        self.run(&plan, 0..plan.forward, mode);
        if mode == Mode::Train {
            self.folded = None;
        }
        Ok(plan)
    }

    fn output(&mut self, plan: &Plan, index: usize) -> Tensor {
        let (shape, offset) = plan.outputs[index];
        let mut tensor = Tensor::zeros(shape);
        pixels::read_out(self.scratch.arena.base(), offset, shape, &mut tensor.data);
        tensor
    }

    /// The loss of the outputs in the arena; with a gradient, times `scale`, where the plan wants it.
    fn loss(
        &mut self,
        plan: &Plan,
        labels: &[u8],
        loss: &Loss,
        scale: Option<f32>,
    ) -> Result<f64, EngineError> {
        for (shape, _) in &plan.outputs {
            loss.check(labels, *shape).map_err(EngineError::Input)?;
        }
        let arena = self.scratch.arena.base();
        let mut total = 0.0;
        for (i, &(shape, logits)) in plan.outputs.iter().enumerate() {
            let weight = f64::from(loss.output_weight(i));
            let input = LossInput { logits, shape, labels, loss };
            let target = scale.map(|s| (weight * f64::from(s), &plan.output_gradients[i]));
            total += weight
                * self.pool.install(|| match target {
                    Some((factor, target)) => input.run(arena, factor, Some(target)),
                    None => input.run(arena, 0.0, None),
                });
        }
        Ok(total)
    }

    /// Makes room for gradients; clears what a plan's steps will not write.
    fn begin_backward(&mut self, plan: &Plan) {
        let layout = &self.layout;
        let gradients = self.gradients.get_or_insert_with(|| Buffer::zeroed(layout.trainable));
        if self.fresh {
            // Parameters that this plan's outputs do not depend on.
            let written: std::collections::HashSet<usize> =
                plan.steps.iter().flat_map(|s| s.kernel.writes_gradients()).collect();
            let base = gradients.base();
            for task in
                self.layout.segments(&self.rate_factors).iter().filter(|s| !written.contains(&s.start))
            {
                pixels::zero(base, task.start, task.len);
            }
        }
    }

    fn run_backward(&mut self, plan: &Plan) {
        self.begin_backward(plan);
        self.run(plan, plan.forward..plan.steps.len(), Mode::Train);
        self.fresh = false;
    }

    /// After a backward pass with `input_gradient`: the gradient of the input.
    pub fn input_gradient(&mut self, shape: Shape) -> Option<Tensor> {
        let offset = self.plans.get(&(shape, Mode::Train))?.input_gradient?;
        let mut tensor = Tensor::zeros(shape);
        pixels::read_out(self.scratch.arena.base(), offset, shape, &mut tensor.data);
        Some(tensor)
    }
}
