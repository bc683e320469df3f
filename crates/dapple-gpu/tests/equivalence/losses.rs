//! Losses against the reference: values and gradients, with all settings.

use crate::{TOLERANCE, engine};
use dapple_graph::{Conv2d, Engine, Graph, Loss, LossKind, LossTerm, Mode, Shape, State};
use dapple_reference::random::{self, RandomNetwork};
use dapple_reference::{State64, Tensor64, backward, forward, loss as reference_loss, relative_distance};
use std::sync::Arc;

const KINDS: [LossKind; 8] = [
    LossKind::CrossEntropy,
    LossKind::BinaryCrossEntropy,
    LossKind::Dice,
    LossKind::Focal,
    LossKind::Tversky,
    LossKind::Lovasz,
    LossKind::Boundary,
    LossKind::Ohem,
];

/// Two outputs of that many channels.
fn network(channels: usize) -> RandomNetwork {
    let mut graph = Graph::new(Shape::new(2, 9, 7, 3));
    for (name, kernel) in [("first", 3), ("second", 1)] {
        let conv = Conv2d::new(channels, kernel).padding(kernel / 2);
        let y = graph.conv2d(name, graph.input(), &conv).expect("it fits");
        graph.output(name, y).expect("it is there");
    }
    RandomNetwork { graph, description: format!("{channels} channels") }
}

fn settings(kind: LossKind) -> Vec<LossTerm> {
    let term = LossTerm::new(kind, 0.7);
    match kind {
        LossKind::CrossEntropy => vec![term, LossTerm { smoothing: Some(0.1), ..term }],
        LossKind::Focal => [0.0, 1.0, 2.0, 2.5].map(|gamma| LossTerm { gamma: Some(gamma), ..term }).to_vec(),
        LossKind::Tversky => vec![term, LossTerm { alpha: Some(0.9), beta: Some(0.2), ..term }],
        LossKind::Ohem => vec![term, LossTerm { keep: Some(0.6), ..term }],
        _ => vec![term],
    }
}

#[test]
fn losses_agree_with_the_reference() {
    let Some((engine, _turn)) = engine() else { return };
    println!("{:22} {:>9} {:>9}", "loss", "value", "gradient");
    for kind in KINDS {
        let mut worst = [0.0f64; 2];
        for channels in [1, 2, 5].into_iter().filter(|&c| c > 1 || kind != LossKind::CrossEntropy) {
            for (i, term) in settings(kind).into_iter().enumerate() {
                for weighted in [false, true] {
                    let weights = || (0..channels.max(2)).map(|k| 0.5 + 0.4 * k as f32).collect();
                    let loss = Loss {
                        terms: vec![term],
                        ignore: weighted.then_some(255),
                        class_weights: weighted.then(weights),
                        output_weights: if weighted { vec![1.0, 0.4] } else { Vec::new() },
                    };
                    let found = check(&engine, &network(channels), &loss, channels, i as u64);
                    worst.iter_mut().zip(found).for_each(|(w, f)| *w = w.max(f));
                }
            }
        }
        println!("{:22} {:9.1e} {:9.1e}", format!("{kind:?}"), worst[0], worst[1]);
        assert!(worst.iter().all(|&d| d < TOLERANCE), "{kind:?}: {worst:.1e?}");
    }
}

fn check(engine: &dyn Engine, network: &RandomNetwork, loss: &Loss, channels: usize, seed: u64) -> [f64; 2] {
    let graph = &network.graph;
    let mut state = State::init(graph, seed);
    // Steeper logits, so that some pixels are sure.
    state.values.iter_mut().for_each(|v| *v *= 4.0);
    let input = random::tensor(graph.shape(graph.input()), seed);
    let labels = random::labels(input.shape.pixels(), channels.max(2), loss.ignore, seed);
    let wide = State64::from(&state);
    let trace = forward(graph, &wide, &Tensor64::from(&input), Mode::Train);
    let (value, of_outputs) = reference_loss(&trace.outputs(), &labels, loss).expect("they fit");
    let gradients = backward(graph, &wide, &trace, &of_outputs).values;

    let mut executor = engine.load(Arc::new(network.clone()), &state, None).expect("it fits");
    let scale = 0.5;
    let found = executor.accumulate(&input, &labels, loss, scale).expect("it fits");
    let halves: Vec<f64> = gradients.iter().map(|g| g * f64::from(scale)).collect();
    let of_gradient = relative_distance(&halves, &executor.gradients());
    let (evaluated, logits) = executor.evaluate(&input, &labels, loss).expect("it fits");
    let of_logits = relative_distance(&trace.outputs()[0].data, &logits.data);
    assert!(of_logits < TOLERANCE, "{of_logits:e}");
    let off = |v: f64| (v - value).abs() / value.abs().max(0.1);
    [off(found).max(off(evaluated)), of_gradient]
}

#[test]
fn a_batch_without_labels_has_no_loss() {
    let Some((engine, _turn)) = engine() else { return };
    let network = network(2);
    let state = State::init(&network.graph, 1);
    let input = random::tensor(network.graph.shape(network.graph.input()), 1);
    let labels = vec![255; input.shape.pixels()];
    let mut executor = engine.load(Arc::new(network), &state, None).expect("it fits");
    for kind in KINDS {
        let loss = Loss { ignore: Some(255), ..Loss::single(kind) };
        assert_eq!(executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits"), 0.0, "{kind:?}");
    }
    assert!(executor.gradients().iter().all(|&g| g == 0.0));
    let wrong = vec![7; input.shape.pixels()];
    let refused = executor.accumulate(&input, &wrong, &Loss::single(LossKind::Dice), 1.0);
    assert!(refused.is_err_and(|error| error.to_string().contains("label 7")));
}
