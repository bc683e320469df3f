//! Every operation and random networks against the slow f64 reference: values, gradients, running statistics.

use dapple_cpu::{CpuEngine, Level};
use dapple_graph::{Engine, Graph, Mode, Network, State, Tensor};
use dapple_reference::random::{self, RandomNetwork};
use dapple_reference::{State64, Tensor64, backward, forward, relative_distance};
use std::sync::Arc;

/// Largest distance of an fp32 result to the reference, as a share of the largest reference value.
const TOLERANCE: f64 = 1e-4;

fn levels() -> Vec<CpuEngine> {
    let engine = |level| CpuEngine::with_level(Some(2), level).expect("the level is available");
    Level::available().into_iter().map(engine).collect()
}

fn widen(t: &Tensor) -> Tensor64 {
    Tensor64::new(t.shape, t.data.iter().map(|&v| f64::from(v)).collect())
}

fn close(what: &str, description: &str, got: &[f32], wanted: &[f64]) {
    let distance = relative_distance(wanted, got);
    assert!(distance < TOLERANCE, "{what} differs by {distance:.2e}: {description}");
}

fn check(engine: &CpuEngine, network: &RandomNetwork, seed: u64) {
    let RandomNetwork { graph, description } = network;
    let description = format!("{:?}: {description}", engine.level());
    let state = random::state(graph, seed);
    let input = random::tensor(graph.shape(graph.input()), seed);
    let wide = State64::from(&state);
    let trace = forward(graph, &wide, &widen(&input), Mode::Train);
    // Rectifying or pooling values that nearly tie may go either way; and the gradient of a batch norm of a few
    // values is the small difference of large numbers.
    let few = |n: &dapple_graph::Node| matches!(n.op, dapple_graph::Op::BatchNorm { .. }) && n.shape.pixels() < 6;
    if trace.margin() < 1e-5 || graph.nodes().iter().any(few) {
        return;
    }
    let shared: Arc<dyn Network> = Arc::new(network.clone());
    let mut executor = engine.load(shared.clone(), &state, None).expect("the state fits");

    for mode in [Mode::Eval, Mode::Predict] {
        let outputs = executor.forward(&input, mode).expect("the graph fits");
        let wanted = forward(graph, &wide, &widen(&input), mode);
        if wanted.margin() > 1e-5 {
            for (got, wanted) in outputs.iter().zip(wanted.outputs()) {
                close("an output in inference", &description, &got.data, &wanted.data);
            }
        }
    }
    let outputs = executor.forward(&input, Mode::Train).expect("the graph fits");
    assert_eq!(outputs.len(), graph.outputs().len());
    for (got, wanted) in outputs.iter().zip(trace.outputs()) {
        close("an output in training", &description, &got.data, &wanted.data);
    }
    let after = executor.state();
    close("the running statistics", &description, &after.statistics, &trace.statistics);

    let upstream: Vec<Tensor> =
        outputs.iter().enumerate().map(|(i, t)| random::tensor(t.shape, seed ^ (i as u64 + 77))).collect();
    let wanted = backward(graph, &wide, &trace, &upstream.iter().map(widen).collect::<Vec<_>>());
    let (input_gradient, gradients) =
        engine.gradients(shared, &state, &input, &upstream).expect("the graph fits");
    close("the input's gradient", &description, &input_gradient.data, &wanted.input.data);
    let all = wanted.values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    for (index, spec) in graph.params().iter().enumerate().filter(|(_, s)| s.role.trainable()) {
        let range = spec.offset..spec.offset + spec.len();
        let wanted = &wanted.values[range.clone()];
        // Where much cancels (a scale before a batch norm), the error is that of the terms, not of their sum: it is
        // measured against a share of the largest gradient of all parameters.
        let largest = |values: &[f64]| values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        let scale = largest(wanted).max(0.05 * all);
        let error = wanted.iter().zip(&gradients[range]).fold(0.0f64, |a, (w, g)| a.max((w - f64::from(*g)).abs()));
        let name = &graph.params()[index].name;
        assert!(error <= TOLERANCE * scale, "the gradient of {name} is off by {error:.2e}: {description}");
    }
}

fn single(graph: Graph, description: String) -> RandomNetwork {
    RandomNetwork { graph, description }
}

#[test]
fn operations_agree_with_the_reference() {
    for engine in levels() {
        for seed in 0..40 * random::OPERATIONS {
            let (graph, description) = random::operation(seed);
            check(&engine, &single(graph, description), seed);
        }
    }
}

#[test]
fn networks_agree_with_the_reference() {
    for engine in levels() {
        for seed in 0..150 {
            check(&engine, &random::network(seed), seed);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for seed in 0..40 {
        let network = random::network(seed);
        let graph = &network.graph;
        let state = random::state(graph, seed);
        let input = random::tensor(graph.shape(graph.input()), seed);
        let outputs: Vec<Vec<Tensor>> = [1, 2, 5]
            .iter()
            .map(|&threads| {
                let engine = CpuEngine::new(Some(threads)).expect("threads can be started");
                let upstream: Vec<Tensor> =
                    graph.outputs().iter().map(|(_, id)| random::tensor(graph.shape(*id), 3)).collect();
                let network: Arc<dyn Network> = Arc::new(network.clone());
                let (x, p) = engine.gradients(network.clone(), &state, &input, &upstream).expect("it fits");
                let mut executor = engine.load(network, &state, None).expect("it fits");
                let mut all = executor.forward(&input, Mode::Eval).expect("it fits");
                all.push(x);
                let len = p.len();
                all.push(Tensor::new(dapple_graph::Shape::new(1, 1, 1, len), p));
                all
            })
            .collect();
        assert_eq!(outputs[0], outputs[1], "{}", network.description);
        assert_eq!(outputs[0], outputs[2], "{}", network.description);
    }
}

#[test]
fn states_come_back_as_they_went_in() {
    let engine = CpuEngine::new(Some(1)).expect("threads can be started");
    for seed in 0..40 {
        let network = random::network(seed);
        let state: State = random::state(&network.graph, seed);
        let executor = engine.load(Arc::new(network), &state, None).expect("it fits");
        assert_eq!(executor.state(), state);
    }
}
