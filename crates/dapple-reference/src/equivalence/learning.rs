//! Losses with their gradients, and the optimizers' steps.

use super::{Row, may_tie};
use crate::random;
use crate::{State64, Stepper, Tensor64, backward, forward, loss, relative_distance};
use dapple_graph::{
    BOUNDARY_THRESHOLD, Decay, DropoutState, Engine, Loss, LossKind, LossTerm, Mode, Optimizer, Target,
};
use std::sync::Arc;

/// Kinds of losses, with the shortest name of each.
const KINDS: [(&str, LossKind); 8] = [
    ("cross-entropy", LossKind::CrossEntropy),
    ("binary cross-entropy", LossKind::BinaryCrossEntropy),
    ("Dice", LossKind::Dice),
    ("focal", LossKind::Focal),
    ("Tversky", LossKind::Tversky),
    ("Lovász", LossKind::Lovasz),
    ("boundary", LossKind::Boundary),
    ("OHEM", LossKind::Ohem),
];

/// A loss of every kind, alone or with others, for as many channels as the network has; some with settings, class weights,
/// an ignored label and weights of the outputs.
pub fn some_loss(channels: usize, seed: u64) -> Loss {
    use LossKind::{BinaryCrossEntropy, Boundary, CrossEntropy, Dice, Focal, Lovasz, Ohem, Tversky};
    let kinds: &[&[(LossKind, f32)]] = if channels == 1 {
        &[
            &[(BinaryCrossEntropy, 1.0)],
            &[(Dice, 0.7)],
            &[(BinaryCrossEntropy, 0.5), (Dice, 2.0)],
            &[(Focal, 1.0), (Tversky, 0.5)],
            &[(Lovasz, 1.0), (BinaryCrossEntropy, 0.5)],
            &[(Boundary, 0.1), (Dice, 1.0)],
            &[(Ohem, 2.0)],
        ]
    } else {
        &[
            &[(CrossEntropy, 1.0)],
            &[(CrossEntropy, 0.5), (Dice, 1.5)],
            &[(BinaryCrossEntropy, 1.0)],
            &[(Dice, 1.0)],
            &[(Focal, 1.0), (Lovasz, 1.0)],
            &[(Tversky, 1.0), (Ohem, 0.5)],
            &[(Boundary, 0.1), (CrossEntropy, 1.0)],
        ]
    };
    let mut loss = Loss::sum(kinds[seed as usize % kinds.len()]);
    if seed % 3 == 1 {
        loss.terms.iter_mut().for_each(set);
    }
    if seed % 2 == 1 {
        loss.class_weights = Some((0..channels.max(2)).map(|c| 0.5 + c as f32).collect());
        loss.ignore = Some(255);
        loss.output_weights = vec![1.0, 0.4];
    }
    loss
}

/// Settings other than the usual ones.
fn set(term: &mut LossTerm) {
    match term.kind {
        LossKind::CrossEntropy => term.smoothing = Some(0.1),
        LossKind::Focal => term.gamma = Some(1.5),
        LossKind::Tversky => (term.alpha, term.beta) = (Some(0.8), Some(0.1)),
        LossKind::Ohem => term.keep = Some(0.6),
        _ => {}
    }
}

/// Every kind of loss on the outputs of random networks, a row a kind, and one of sums. Kinds of values: `losses`,
/// `gradients` (of the parameters, for a batch in two parts).
///
/// # Panics
/// If the engine refuses what it is given.
pub fn losses(engine: &dyn Engine, cases: u64) -> Vec<Row> {
    let mut rows: Vec<Row> = KINDS.iter().map(|(name, _)| Row::new(name)).collect();
    rows.push(Row::new("sums of losses"));
    rows.push(Row::new("boundaries of the labels"));
    for seed in 0..cases {
        let network = random::labelled_network(seed);
        let graph = &network.graph;
        let channels = graph.shape(graph.outputs()[0].1).c;
        for ((_, kind), row) in KINDS.iter().zip(&mut rows) {
            if channels > 1 || *kind != LossKind::CrossEntropy {
                let mut loss = some_loss(channels, seed);
                loss.terms = vec![LossTerm::new(*kind, 0.8)];
                if seed % 3 == 1 {
                    loss.terms.iter_mut().for_each(set);
                }
                compare(engine, &network, &network.description, &loss, seed, row);
            }
        }
        compare(
            engine,
            &network,
            &network.description,
            &some_loss(channels, seed),
            seed,
            &mut rows[KINDS.len()],
        );
    }
    // Few networks have the outputs that boundaries need: two, of one channel.
    let row = &mut rows[KINDS.len() + 1];
    for seed in 0..40 * cases {
        if row.compared as u64 >= cases.div_ceil(5) {
            break;
        }
        let network = random::labelled_network(seed);
        let outputs = network.graph.outputs();
        if outputs.len() > 1 && network.graph.shape(outputs[0].1).c == 1 {
            compare(engine, &network, &network.description, &with_boundaries(seed), seed, row);
        }
    }
    rows
}

/// The second output learns the boundaries, and the first one more where the second sees them.
fn with_boundaries(seed: u64) -> Loss {
    Loss {
        ignore: (seed % 2 == 1).then_some(255),
        output_weights: vec![1.0, 3.0],
        output_targets: vec![Target::Labels, Target::Boundaries],
        boundary_aware: 0.5,
        ..Loss::single(LossKind::BinaryCrossEntropy)
    }
}

fn compare(
    engine: &dyn Engine,
    network: &random::RandomNetwork,
    case: &str,
    loss: &Loss,
    seed: u64,
    row: &mut Row,
) {
    let graph = &network.graph;
    let shape = graph.shape(graph.input());
    let channels = graph.shape(graph.outputs()[0].1).c;
    let state = random::state(graph, seed);
    let input = random::tensor(shape, seed);
    let mut labels = random::labels(shape.pixels(), channels.max(2), loss.ignore, seed);
    if loss.seen_output().is_some() {
        // Two halves: where labels change at every pixel, all are boundaries.
        let half = |pixel: usize| u8::from(pixel % shape.w < shape.w / 2);
        labels.iter_mut().enumerate().filter(|(_, l)| **l < 2).for_each(|(pixel, l)| *l = half(pixel));
    }
    let wide = State64::from(&state);
    let trace = forward(graph, &wide, &Tensor64::from(&input), Mode::Train);
    let seen = loss.seen_output().map(|index| trace.outputs()[index].clone());
    let least = f64::from(BOUNDARY_THRESHOLD / (1.0 - BOUNDARY_THRESHOLD)).ln();
    let in_doubt = seen.is_some_and(|seen| seen.data.iter().any(|z| (z - least).abs() < 1e-4));
    if trace.margin() < 1e-5 || may_tie(graph, &trace) || in_doubt {
        row.left_out += 1;
        return;
    }
    row.compared += 1;
    let (wanted, slopes) = self::loss(&trace.outputs(), &labels, loss).expect("it fits");
    let gradients = backward(graph, &wide, &trace, &slopes).values;
    let case = format!("{:?}, {case}", loss.terms);
    let fits = "the engine takes what the graph takes";
    let mut executor =
        engine.load_trainer(Arc::new(network.clone()), &state, Optimizer::sgd(0.0, 0.0)).expect(fits);
    // In two parts, which add up to the whole gradient; running statistics move twice.
    let first = executor.accumulate(&input, &labels, loss, 0.25).expect(fits);
    executor.set_dropout_state(DropoutState::default());
    let second = executor.accumulate(&input, &labels, loss, 0.75).expect(fits);
    for found in [first, second] {
        row.note("losses", (found - wanted).abs() / wanted.abs().max(1.0), &case);
    }
    row.note("gradients", relative_distance(&gradients, &executor.gradients()), &case);
}

/// Every optimizer with its settings, a row each: three steps, of which the first is clipped, from the engine's own
/// gradients, so that only the rules are compared. Kinds of values: `norms`, `parameters`, `memory`.
///
/// # Panics
/// If the engine refuses what it is given.
pub fn optimizers(engine: &dyn Engine, cases: u64) -> Vec<Row> {
    let rules = [
        ("SGD", Optimizer::sgd(0.9, 5e-4)),
        (
            "SGD, Nesterov",
            Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.1, decay: Decay::Weights },
        ),
        (
            "RMSprop",
            Optimizer::RmsProp { alpha: 0.9, eps: 1e-8, momentum: 0.9, weight_decay: 0.1, decay: Decay::All },
        ),
        (
            "Adam",
            Optimizer::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1, decay: Decay::Weights },
        ),
        ("AdamW", Optimizer::adamw(0.05)),
        ("Lion", Optimizer::lion(0.05)),
        ("Muon", Optimizer::muon(0.05)),
    ];
    let steps = |(name, rule): (&str, Optimizer)| {
        let mut row = Row::new(name);
        for seed in 0..cases {
            step(engine, rule, seed, &mut row);
        }
        row
    };
    rules.into_iter().map(steps).collect()
}

fn step(engine: &dyn Engine, rule: Optimizer, seed: u64, row: &mut Row) {
    let network = random::labelled_network(seed);
    let graph = &network.graph;
    let case = network.description.as_str();
    let shape = graph.shape(graph.input());
    let channels = graph.shape(graph.outputs()[0].1).c;
    let state = random::state(graph, seed);
    let input = random::tensor(shape, seed);
    let labels = random::labels(shape.pixels(), channels.max(2), None, seed);
    let loss = Loss::single(LossKind::BinaryCrossEntropy);
    let fits = "the engine takes what the graph takes";
    let mut executor = engine.load_trainer(Arc::new(network.clone()), &state, rule).expect(fits);
    let mut stepper = Stepper::new(rule, graph.trainable_len());
    let widen = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let mut values = widen(&state.values);
    for clip in [Some(0.1), None, None] {
        executor.accumulate(&input, &labels, &loss, 1.0).expect(fits);
        let gradients = widen(&executor.gradients());
        let wanted = stepper.step(graph.params(), &mut values, &gradients, 0.01, clip.map(f64::from));
        let norm = executor.step(0.01, clip).expect("it has an optimizer");
        row.note("norms", (f64::from(norm) - wanted).abs() / wanted.max(f64::MIN_POSITIVE), case);
        row.note("parameters", relative_distance(&values, &executor.state().values), case);
    }
    let memory = executor.optimizer_state();
    assert_eq!((memory.steps, memory.slots.len()), (3, rule.slots()), "{case}");
    for (wanted, found) in stepper.slots.iter().zip(&memory.slots) {
        row.note("memory", relative_distance(wanted, found), case);
    }
    row.compared += 1;
}
