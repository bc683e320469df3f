//! Operations and random networks against the `f64` reference: outputs in every mode, running statistics, gradients.

use crate::{TOLERANCE, engine, seeds};
use dapple_gpu::GpuEngine;
use dapple_graph::{Conv2d, DropoutState, Engine, Graph, Mode, Network, NodeId, Op, Shape, Tensor};
use dapple_reference::random::{self, RandomNetwork};
use dapple_reference::{State64, Tensor64, Trace, backward, forward, forward_with, relative_distance};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest distances: outputs, running statistics, gradients.
type Distances = [f64; 3];

fn widen(t: &Tensor) -> Tensor64 {
    Tensor64::from(t)
}

/// How far gradients of the parameters are off. Where much cancels (a scale before a batch norm, a bias of many pixels),
/// the error is that of the terms, not of their sum: it is measured against a share of the largest gradient of all
/// parameters, and of the upstream gradients, which are about 1.
fn worst_gradient(graph: &Graph, wanted: &[f64], got: &[f32]) -> f64 {
    let largest = |values: &[f64]| values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    let trained = graph.params().iter().filter(|s| s.role.trainable());
    let errors = trained.map(|spec| {
        let range = spec.offset..spec.offset + spec.len();
        let scale = largest(&wanted[range.clone()]).max(0.2 * largest(wanted)).max(0.5);
        let pairs = wanted[range.clone()].iter().zip(&got[range]);
        pairs.fold(0.0f64, |a, (w, g)| match g.is_finite() {
            true => a.max((w - f64::from(*g)).abs() / scale),
            false => f64::INFINITY,
        })
    });
    errors.fold(0.0, f64::max)
}

/// Whether some batch norm's input has a nearly constant channel, which is all rounding errors once normalised, or a
/// few values, whose gradient is the small difference of large numbers.
fn hard_to_normalise(graph: &Graph, trace: &Trace) -> bool {
    graph.nodes().iter().filter(|n| matches!(n.op, Op::BatchNorm { .. })).any(|node| {
        let x = &trace.values[node.inputs[0].0];
        let count = x.shape.pixels() as f64;
        let constant = |c| {
            let values = || x.data.iter().skip(c).step_by(x.shape.c);
            let mean = values().sum::<f64>() / count;
            values().map(|v| (v - mean).powi(2)).sum::<f64>() / count < 1e-3 * mean * mean
        };
        count < 6.0 || (0..x.shape.c).any(constant)
    })
}

/// Compares a network with the reference; nothing where roundings may rightly take another branch.
fn check(engine: &GpuEngine, network: &RandomNetwork, seed: u64) -> Option<Distances> {
    let graph = &network.graph;
    let state = random::state(graph, seed);
    let input = random::tensor(graph.shape(graph.input()), seed);
    let (wide, wide_input) = (State64::from(&state), widen(&input));
    let training = forward(graph, &wide, &wide_input, Mode::Train);
    if training.margin() < 1e-4 || hard_to_normalise(graph, &training) {
        return None;
    }
    let upstream =
        |(i, (_, id)): (usize, &(String, NodeId))| random::tensor(graph.shape(*id), seed ^ (i as u64 + 77));
    let upstream: Vec<Tensor> = graph.outputs().iter().enumerate().map(upstream).collect();
    let gradients = backward(graph, &wide, &training, &upstream.iter().map(widen).collect::<Vec<_>>());
    let dropout = DropoutState { seed, passes: 3 };

    let shared: Arc<dyn Network> = Arc::new(network.clone());
    let mut executor = engine.load(shared.clone(), &state, None).expect("the state fits");
    let mut of_outputs = 0.0f64;
    for mode in [Mode::Eval, Mode::Predict, Mode::Sample] {
        executor.set_dropout_state(dropout);
        let trace = forward_with(graph, &wide, &wide_input, mode, dropout);
        let outputs =
            executor.forward(&input, mode).unwrap_or_else(|e| panic!("{e}: {}", network.description));
        assert_eq!(outputs.len(), if mode == Mode::Predict { 1 } else { graph.outputs().len() });
        if trace.margin() > 1e-4 {
            for (got, wanted) in outputs.iter().zip(trace.outputs()) {
                of_outputs = of_outputs.max(relative_distance(&wanted.data, &got.data));
            }
        }
    }
    executor.set_dropout_state(DropoutState::default());
    let outputs = executor.forward(&input, Mode::Train).expect("the graph fits");
    for (got, wanted) in outputs.iter().zip(training.outputs()) {
        of_outputs = of_outputs.max(relative_distance(&wanted.data, &got.data));
    }
    executor.backward(&upstream).expect("the shapes fit");
    let of_statistics = relative_distance(&training.statistics, &executor.state().statistics);
    let (of_input, _) = engine.gradients(shared, &state, &input, &upstream).expect("the graph fits");
    let of_input = relative_distance(&gradients.input.data, &of_input.data);
    let of_parameters = worst_gradient(graph, &gradients.values, &executor.gradients());
    Some([of_outputs, of_statistics, of_input.max(of_parameters)])
}

/// Compares many; shows the largest distances of each kind and fails where they are too large.
fn check_all(cases: impl Iterator<Item = (String, RandomNetwork, u64)>, gradients: f64, most: f64) {
    let Some((engine, _turn)) = engine() else { return };
    let mut table: BTreeMap<String, (u32, Distances)> = BTreeMap::new();
    let (mut all, mut compared, mut bad) = (0, 0, Vec::new());
    for (kind, network, seed) in cases {
        all += 1;
        let Some(found) = check(&engine, &network, seed) else { continue };
        compared += 1;
        let entry = table.entry(kind).or_default();
        entry.0 += 1;
        entry.1.iter_mut().zip(found).for_each(|(worst, new)| *worst = worst.max(new));
        if !(found[0] < TOLERANCE && found[1] < TOLERANCE && found[2] < gradients) {
            bad.push(format!("{found:.1e?}: {}", network.description));
        }
    }
    println!("{:18} {:>5} {:>9} {:>10} {:>9}", "on the card", "cases", "outputs", "statistics", "gradients");
    for (kind, (count, [outputs, statistics, gradients])) in &table {
        println!("{kind:18} {count:5} {outputs:9.1e} {statistics:10.1e} {gradients:9.1e}");
    }
    assert!(bad.is_empty(), "{} of {compared} differ:\n{}", bad.len(), bad.join("\n"));
    assert!(f64::from(compared) > most * f64::from(all), "only {compared} of {all} could be compared");
}

/// The operation that a random graph of one is about.
fn kind(graph: &Graph) -> String {
    let last = graph.outputs()[0].1;
    graph.node(last).op.kind().to_owned()
}

#[test]
fn operations_agree_with_the_reference() {
    let cases = (0..seeds(3) * random::OPERATIONS).map(|seed| {
        let (graph, description) = random::operation(seed);
        (kind(&graph), RandomNetwork { graph, description }, seed)
    });
    check_all(cases, TOLERANCE, 0.7);
}

#[test]
fn networks_agree_with_the_reference() {
    let cases = (0..3 * seeds(3)).map(|seed| ("random network".to_owned(), random::network(seed), seed));
    // Twice: batch norms of mostly zeros magnify roundings.
    check_all(cases, 2.0 * TOLERANCE, 0.5);
}

/// Convolutions large enough for the ways in which kernels split channels and tiles.
#[test]
fn large_convolutions_agree_with_the_reference() {
    let conv = |h: usize, w: usize, ins: usize, conv: Conv2d| {
        let mut graph = Graph::new(Shape::new(1, h, w, ins));
        let y = graph.conv2d("conv", graph.input(), &conv).expect("it fits");
        graph.output("y", y).expect("it is there");
        let description = format!("{h} x {w} x {ins}, {conv:?}");
        ("large conv2d".to_owned(), RandomNetwork { graph, description }, 5)
    };
    let cases = [
        conv(20, 21, 80, Conv2d::new(80, 3).padding(1)),
        conv(30, 31, 300, Conv2d::new(40, 1)),
        conv(45, 44, 40, Conv2d::new(40, 3).padding(1).stride(2)),
        conv(64, 64, 3, Conv2d::new(32, 7).padding(3).stride(2)),
        conv(41, 62, 72, Conv2d::new(72, 5).padding(2).stride(2).groups(72)),
        conv(33, 30, 32, Conv2d::new(32, 3).padding(12).dilation(12).groups(32)),
        conv(12, 13, 30, Conv2d::new(60, 3).padding(1).groups(3)),
        conv(70, 41, 48, Conv2d::new(1, 3).padding(1)),
    ];
    check_all(cases.into_iter(), TOLERANCE, 0.9);
}
