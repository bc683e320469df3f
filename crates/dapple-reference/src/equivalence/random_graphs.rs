//! Random operations and networks: outputs in all modes, gradients of parameters and input, running statistics.

use super::{Row, TOLERANCE, free_input, hard_to_normalize, may_tie, worst_gradient};
use crate::random::{self, RandomNetwork};
use crate::{State64, Tensor64, Trace, backward, forward, forward_with, relative_distance};
use dapple_graph::{DropoutState, Engine, Inference, Mode, Network, NodeId, Optimizer, Tensor};
use std::sync::Arc;

/// Rectifying or pooling values that tie within this may go either way.
const MARGIN: f64 = 1e-4;

/// Every kind of operation `cases` times, a row a kind. Kinds of values: `outputs`, `gradients`, `statistics`.
///
/// # Panics
/// If the engine refuses what it is given.
pub fn operations(engine: &dyn Engine, cases: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for seed in 0..cases * random::OPERATIONS {
        let (graph, description) = random::operation(seed);
        let kind = graph.node(graph.outputs()[0].1).op.kind();
        let found = compare(engine, &RandomNetwork { graph, description }, seed, kind);
        match rows.iter_mut().find(|row| row.family == kind) {
            Some(row) => row.merge(&found),
            None => rows.push(found),
        }
    }
    rows.sort_by(|a, b| a.family.cmp(&b.family));
    rows
}

/// Random networks. Kinds of values as in [`operations`].
///
/// # Panics
/// If the engine refuses what it is given.
pub fn networks(engine: &dyn Engine, cases: u64) -> Row {
    let mut row = Row::new("random networks");
    for seed in 0..cases {
        row.merge(&compare(engine, &random::network(seed), seed, &row.family));
    }
    row
}

/// Compares an engine with the reference on one network, with the input as a parameter.
fn compare(engine: &dyn Engine, network: &RandomNetwork, seed: u64, family: &str) -> Row {
    let mut row = Row::new(family);
    let input = random::tensor(network.graph.shape(network.graph.input()), seed);
    let (network, state, input) = free_input(network, &input, seed);
    let (graph, case) = (&network.graph, network.description.as_str());
    let (wide, wide_input) = (State64::from(&state), Tensor64::from(&input));
    let training = forward(graph, &wide, &wide_input, Mode::Train);
    if training.margin() < MARGIN || hard_to_normalize(graph, &training) || may_tie(graph, &training) {
        row.left_out = 1;
        return row;
    }
    row.compared = 1;
    let fits = "the engine takes what the graph takes";
    let shared: Arc<dyn Network> = Arc::new(network.clone());
    let mut executor = engine.load_trainer(shared, &state, Optimizer::sgd(0.0, 0.0)).expect(fits);

    let dropout = DropoutState { seed, passes: 3 };
    let inference = forward(graph, &wide, &wide_input, Mode::Eval);
    let sample = forward_with(graph, &wide, &wide_input, Mode::Sample, dropout);
    for mode in [Inference::Eval, Inference::Predict, Inference::Sample] {
        executor.set_dropout_state(dropout);
        let outputs = executor.infer(&input, mode).expect(fits);
        let trace = if mode == Inference::Sample { &sample } else { &inference };
        if trace.margin() >= MARGIN && !may_tie(graph, trace) {
            note_outputs(&mut row, trace, &outputs, case);
        }
    }

    executor.set_dropout_state(DropoutState::default());
    let outputs = executor.forward(&input).expect(fits);
    assert_eq!(outputs.len(), graph.outputs().len(), "{case}");
    note_outputs(&mut row, &training, &outputs, case);
    let statistics = relative_distance(&training.statistics, &executor.state().statistics);
    row.note("statistics", statistics, case);

    let upstream =
        |(i, (_, id)): (usize, &(String, NodeId))| random::tensor(graph.shape(*id), seed ^ (i as u64 + 77));
    let upstream: Vec<Tensor> = graph.outputs().iter().enumerate().map(upstream).collect();
    let wide_upstream: Vec<Tensor64> = upstream.iter().map(Tensor64::from).collect();
    let wanted = backward(graph, &wide, &training, &wide_upstream).values;
    executor.backward(&upstream).expect(fits);
    let found: Vec<f64> = executor.gradients().into_iter().map(f64::from).collect();
    let (error, name) = worst_gradient(graph, &wanted, &found);
    row.note("gradients", error * TOLERANCE, &format!("{name} of {case}"));
    row
}

fn note_outputs(row: &mut Row, trace: &Trace, outputs: &[Tensor], case: &str) {
    for (wanted, found) in trace.outputs().iter().zip(outputs) {
        assert_eq!(wanted.shape, found.shape, "{case}");
        row.note("outputs", relative_distance(&wanted.data, &found.data), case);
    }
}
