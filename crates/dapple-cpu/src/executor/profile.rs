//! Times of the single steps of a pass.

use super::inference::CpuExecutor;
use super::trainer::CpuTrainer;
use crate::busy;
use crate::executor::pass::Pass;
use crate::kernels::pixels;
use crate::plan::{Plan, Step};
use crate::pool::{self, Pool};
use dapple_graph::engine::build;
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::summary::node_multiply_adds;
use dapple_graph::{EngineError, Executor, Graph, Inference, Mode, Tensor};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Passes over a network step by step, with the times of each and those at which the threads worked.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The steps of each pass.
    pub passes: Vec<Vec<StepTime>>,
    /// Names of the engine's threads, with the times at which each worked.
    pub threads: Vec<(String, Vec<Busy>)>,
}

/// Time and work of one step of a plan.
#[derive(Clone, Debug)]
pub struct StepTime {
    /// Name of the graph's node.
    pub node: String,
    /// Kind of kernel.
    pub kernel: &'static str,
    /// Whether the step belongs to the backward pass.
    pub backward: bool,
    /// Seconds from the start of the profile to the start of the step.
    pub start: f64,
    /// Wall-clock time.
    pub seconds: f64,
    /// Multiply-adds of the plain definition, whatever algorithm computes it; 0 but for convolutions and attention.
    pub multiply_adds: u64,
    /// Bytes of the feature maps that it reads and writes, each once, as they are stored, and of the weights that it
    /// multiplies with.
    pub bytes: u64,
}

/// A time in which a thread worked without a pause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Busy {
    /// Seconds since the start of the profile.
    pub start: f64,
    /// Seconds.
    pub seconds: f64,
    /// The pass and its step.
    pub step: [usize; 2],
}

impl CpuExecutor {
    /// Runs forward passes step by step.
    pub fn profile(
        &mut self,
        input: &Tensor,
        mode: Inference,
        passes: usize,
    ) -> Result<Profile, EngineError> {
        let plan = self.run_inference(input, mode)?;
        let graph = build(self.network.as_ref(), input.shape)?;
        let (graph, _) = fold_batch_norm(&graph, &self.state())?;
        let (mode, dropout) = (Mode::from(mode), self.dropout);
        let pool = self.resources.pool.clone();
        let run = |step: usize| self.run(&plan, step..step + 1, Pass::forward(mode, dropout));
        Ok(timed(&plan, &graph, &pool, passes, run))
    }
}

impl CpuTrainer {
    /// Runs forward passes and backward ones with zero gradients step by step.
    pub fn profile(&mut self, input: &Tensor, passes: usize) -> Result<Profile, EngineError> {
        let plan = self.run_forward(input)?;
        let graph = build(self.executor.network.as_ref(), input.shape)?;
        let arena = self.executor.scratch.arena.base();
        for (target, (shape, _)) in plan.output_gradients.iter().zip(&plan.outputs) {
            pixels::read_in_gradient(arena, &vec![0.0; shape.len()], target);
        }
        self.run_backward(&plan);
        let pool = self.executor.resources.pool.clone();
        Ok(timed(&plan, &graph, &pool, passes, |step| self.run(&plan, step..step + 1)))
    }
}

/// Repeats the steps of a finished pass, which the arena holds, in order.
fn timed(plan: &Plan, graph: &Graph, pool: &Pool, passes: usize, mut run: impl FnMut(usize)) -> Profile {
    let work = work(plan, graph);
    pool.on_each(busy::begin);
    let origin = Instant::now();
    let mut time = |index: usize| {
        let start = Instant::now();
        run(index);
        let seconds = start.elapsed().as_secs_f64();
        let step = &plan.steps[index];
        let [multiply_adds, bytes] = work[index];
        StepTime {
            node: graph.nodes()[step.node].name.clone(),
            kernel: step.kernel.name(),
            backward: index >= plan.forward,
            start: (start - origin).as_secs_f64(),
            seconds,
            multiply_adds,
            bytes,
        }
    };
    let passes: Vec<Vec<StepTime>> =
        (0..passes).map(|_| (0..plan.steps.len()).map(&mut time).collect()).collect();
    let spans = pool.on_each(busy::end).into_iter().enumerate();
    let of = |(index, spans): (usize, Vec<busy::Span>)| {
        (pool::thread_name(index), busy_times(&spans, origin, &passes))
    };
    let threads = spans.map(of).collect();
    Profile { passes, threads }
}

/// A thread's spans with the steps in which they begin.
fn busy_times(spans: &[busy::Span], origin: Instant, passes: &[Vec<StepTime>]) -> Vec<Busy> {
    let starts: Vec<([usize; 2], f64)> = passes
        .iter()
        .enumerate()
        .flat_map(|(pass, steps)| {
            steps.iter().enumerate().map(move |(step, time)| ([pass, step], time.start))
        })
        .collect();
    let time = |[from, to]: &busy::Span| {
        let times = [from.saturating_duration_since(origin), to.saturating_duration_since(*from)];
        let [start, seconds] = times.map(|time: Duration| time.as_secs_f64());
        let begun = starts.partition_point(|(_, begun)| *begun <= start);
        // A span begins after the first step has begun.
        let (step, _) = starts.get(begun.checked_sub(1)?)?;
        Some(Busy { start, seconds, step: *step })
    };
    spans.iter().filter_map(time).collect()
}

/// Multiply-adds and bytes of each step.
fn work(plan: &Plan, graph: &Graph) -> Vec<[u64; 2]> {
    // The bundles of a grouped convolution share the work of its node.
    let kind = |index: usize, step: &Step| (step.node, step.kernel.name(), index >= plan.forward);
    let mut sharers: HashMap<_, u64> = HashMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        *sharers.entry(kind(index, step)).or_default() += 1;
    }
    let of = |(index, step): (usize, &Step)| {
        let (node, times) = (&graph.nodes()[step.node], step.kernel.multiplied());
        let sharers = sharers[&kind(index, step)];
        let weights: usize = node.op.params().into_iter().map(|param| graph.param(param).len()).sum();
        let weights = if times > 0 { weights as u64 / sharers } else { 0 };
        let bytes = (plan.touched[index] as u64 + weights) * size_of::<f32>() as u64;
        [times * node_multiply_adds(graph, node) / sharers, bytes]
    };
    plan.steps.iter().enumerate().map(of).collect()
}
