//! Gradients against central differences, which `f64` makes accurate to about eight digits.

use dapple_graph::{Graph, Loss, LossKind, LossTerm, Mode, Shape};
use dapple_reference::{State64, Tensor64, backward, forward, loss, random};
use proptest::prelude::*;

/// Half of a difference's distance. The values that [`random::tensor`] makes are much further apart.
const STEP: f64 = 1e-6;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn moved(values: &[f64], direction: &[f64], by: f64) -> Vec<f64> {
    values.iter().zip(direction).map(|(v, d)| v + by * d).collect()
}

/// Random weights of the values of all outputs: the scalar that is differentiated is their sum.
fn output_weights(graph: &Graph, seed: u64) -> Vec<Tensor64> {
    let each = |(i, shape)| Tensor64::from(&random::tensor(shape, seed ^ (i as u64 + 77)));
    graph.outputs().iter().map(|(_, id)| graph.shape(*id)).enumerate().map(each).collect()
}

/// Half along the gradient itself, where an error shows best, half in a random direction; of length 1.
fn direction(gradient: &[f64], seed: u64) -> Vec<f64> {
    let random = random::tensor(Shape::new(1, 1, 1, gradient.len()), seed).data;
    let random: Vec<f64> = random.into_iter().map(f64::from).collect();
    let (a, b) = (norm(gradient).max(1e-30), norm(&random).max(1e-30));
    let sum: Vec<f64> = gradient.iter().zip(&random).map(|(g, r)| g / a + r / b).collect();
    let length = norm(&sum).max(1e-30);
    sum.into_iter().map(|v| v / length).collect()
}

/// The largest error of the directional derivatives by parameters and input, relative to the gradient's norm.
fn gradient_error(graph: &Graph, seed: u64, mode: Mode, smallest_margin: f64) -> Option<f64> {
    let state = State64::from(&random::state(graph, seed));
    let input = Tensor64::from(&random::tensor(graph.shape(graph.input()), seed));
    let weights = output_weights(graph, seed);
    let value = |state: &State64, input: &Tensor64| -> f64 {
        let outputs = forward(graph, state, input, mode).outputs();
        outputs.iter().zip(&weights).map(|(y, w)| dot(&y.data, &w.data)).sum()
    };
    let trace = forward(graph, &state, &input, mode);
    if trace.margin() < smallest_margin {
        return None;
    }
    let gradients = backward(graph, &state, &trace, &weights);

    let along = direction(&gradients.values, seed);
    let at = |by| value(&State64 { values: moved(&state.values, &along, by), ..state.clone() }, &input);
    let by_values = (at(STEP) - at(-STEP)) / (2.0 * STEP) - dot(&gradients.values, &along);

    let along = direction(&gradients.input.data, seed);
    let at = |by| value(&state, &Tensor64::new(input.shape, moved(&input.data, &along, by)));
    let by_input = (at(STEP) - at(-STEP)) / (2.0 * STEP) - dot(&gradients.input.data, &along);

    let relative = |error: f64, gradient: &[f64]| error.abs() / norm(gradient).max(1.0);
    Some(relative(by_values, &gradients.values).max(relative(by_input, &gradients.input.data)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn operations_have_the_gradients_of_their_values(seed: u64, mode in 0usize..3) {
        let (graph, description) = random::operation(seed);
        let mode = [Mode::Train, Mode::Eval, Mode::Sample][mode];
        let error = gradient_error(&graph, seed, mode, 0.0).expect("no margin is asked for");
        prop_assert!(error < 1e-6, "{error:e} in {description}");
    }

    #[test]
    fn losses_have_the_gradients_of_their_values(
        seed: u64,
        (n, h, w, k) in (1usize..3, 1usize..6, 1usize..6, 1usize..6),
        ignored: bool,
        weighted: bool,
    ) {
        let shape = Shape::new(n, h, w, k);
        let mut logits: Vec<Tensor64> =
            (0..2).map(|i| Tensor64::from(&random::tensor(shape, seed ^ i))).collect();
        // Unequal, so that losses which sort have one order nearly everywhere.
        logits.iter_mut().for_each(|y| {
            y.data.iter_mut().enumerate().for_each(|(i, v)| *v = 4.0 * *v + 1.37e-4 * (i * i) as f64);
        });
        let ignore = ignored.then_some(255);
        let labels = random::labels(shape.pixels(), k.max(2), ignore, seed);
        for term in terms() {
            let kind = term.kind;
            if kind == LossKind::CrossEntropy && k == 1 {
                continue;
            }
            let settings = Loss {
                terms: vec![term, LossTerm::new(LossKind::Dice, 0.5)],
                ignore,
                class_weights: weighted.then(|| (0..k.max(2)).map(|i| 0.5 + i as f32).collect()),
                output_weights: vec![0.75],
                ..Loss::sum(&[])
            };
            let (_, gradients) = loss(&logits, &labels, &settings).unwrap();
            for output in 0..2 {
                for i in 0..shape.len() {
                    let at = |by| {
                        let mut moved = logits.clone();
                        moved[output].data[i] += by;
                        loss(&moved, &labels, &settings).unwrap().0
                    };
                    let (before, here, after) = (at(-STEP), at(0.0), at(STEP));
                    let difference = (after - before) / (2.0 * STEP);
                    // Where the order of the errors changes, these two have no derivative.
                    let kinked = matches!(kind, LossKind::Lovasz | LossKind::Ohem)
                        && (after - 2.0 * here + before).abs() > 1e-4 * STEP;
                    prop_assert!(kinked || (difference - gradients[output].data[i]).abs() < 1e-8, "{kind:?} {i}");
                }
            }
        }
    }
}

/// Every kind, with some settings of its own.
fn terms() -> Vec<LossTerm> {
    let term = |kind| LossTerm::new(kind, 1.25);
    vec![
        term(LossKind::CrossEntropy),
        LossTerm { smoothing: Some(0.1), ..term(LossKind::CrossEntropy) },
        term(LossKind::BinaryCrossEntropy),
        term(LossKind::Dice),
        term(LossKind::Focal),
        LossTerm { gamma: Some(1.5), ..term(LossKind::Focal) },
        LossTerm { gamma: Some(0.0), ..term(LossKind::Focal) },
        LossTerm { alpha: Some(0.9), beta: Some(0.2), ..term(LossKind::Tversky) },
        term(LossKind::Lovasz),
        term(LossKind::Boundary),
        LossTerm { keep: Some(0.4), ..term(LossKind::Ohem) },
    ]
}

proptest! {
    #[test]
    fn losses_are_what_they_contain(
        seed: u64,
        (n, h, w, k) in (1usize..3, 1usize..6, 1usize..6, 1usize..5),
    ) {
        let shape = Shape::new(n, h, w, k);
        let logits = [Tensor64::from(&random::tensor(shape, seed))];
        let labels = random::labels(shape.pixels(), k.max(2), None, seed);
        let value = |term: LossTerm| {
            loss(&logits, &labels, &Loss { terms: vec![term], ..Loss::sum(&[]) }).unwrap().0
        };
        let of = |kind| value(LossTerm::new(kind, 1.0));
        let log_loss = if k == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
        let focal = value(LossTerm { gamma: Some(0.0), ..LossTerm::new(LossKind::Focal, 1.0) });
        prop_assert!((focal - of(log_loss)).abs() < 1e-12);
        let ohem = |keep| value(LossTerm { keep: Some(keep), ..LossTerm::new(LossKind::Ohem, 1.0) });
        prop_assert!((ohem(1.0) - of(log_loss)).abs() < 1e-12);
        prop_assert!(ohem(0.5) >= ohem(1.0) - 1e-12);
        let half = LossTerm { alpha: Some(0.5), beta: Some(0.5), ..LossTerm::new(LossKind::Tversky, 1.0) };
        prop_assert!((value(half) - of(LossKind::Dice)).abs() < 1e-12);
        prop_assert!(of(LossKind::Lovasz) >= 0.0 && (k == 1 || of(LossKind::Lovasz) <= 1.0));
    }
}

#[test]
fn networks_have_the_gradients_of_their_values() {
    let mut checked = 0;
    for seed in 0..60 {
        let network = random::network(seed);
        if let Some(error) = gradient_error(&network.graph, seed, Mode::Train, 3e-5) {
            checked += 1;
            assert!(error < 1e-5, "{error:e} in {}", network.description);
        }
    }
    assert!(checked > 20, "only {checked} networks had the margin");
}
