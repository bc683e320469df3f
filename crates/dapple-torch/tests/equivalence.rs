//! The suite that every engine passes, on libtorch's CPU; and what only this engine has.

use dapple_cpu::CpuEngine;
use dapple_graph::{
    Conv2d, Engine, Graph, GraphError, Inference, Interpolation, Loss, LossKind, Network, Optimizer,
    Precision, Shape, State, Tensor,
};
use dapple_reference::equivalence::{
    self, Pair, Row, Smooth, Subject, TOLERANCE, behaviour, hand_over, pair, small, together,
};
use dapple_reference::random;
use dapple_torch::TorchEngine;
use std::sync::Arc;

fn check(rows: &[Row], limit: f64) {
    rows.iter().for_each(|row| row.check(limit));
}

/// Twice the tolerance, as for the processor's engine: what single precision rounds, normalizations of nearly equal values
/// magnify.
const NORMED: f64 = 2.0 * TOLERANCE;

#[test]
fn operations_agree_with_the_reference() {
    check(&equivalence::operations(&TorchEngine::cpu(), 30), NORMED);
}

#[test]
fn networks_agree_with_the_reference() {
    let row = equivalence::networks(&TorchEngine::cpu(), 150);
    assert!(row.compared > 90, "only {} could be compared", row.compared);
    check(&[row], NORMED);
}

#[test]
fn losses_agree_with_the_reference() {
    check(&equivalence::losses(&TorchEngine::cpu(), 60), TOLERANCE);
}

#[test]
fn optimizers_agree_with_the_reference() {
    check(&equivalence::optimizers(&TorchEngine::cpu(), 20), TOLERANCE);
}

#[test]
fn promises_are_kept() {
    behaviour::all(&TorchEngine::cpu());
}

const SHAPE: Shape = Shape::new(2, 16, 20, 3);

fn network() -> Arc<dyn Network> {
    Arc::new((SHAPE, small))
}

#[test]
fn it_trains_as_the_cpu_engine_does() {
    let (first, second) = (CpuEngine::new(Some(2)).expect("threads can be started"), TorchEngine::cpu());
    let engines = Pair { first: &first, second: &second };
    let smooth = Subject::new("smooth", Arc::new(Smooth(network())), SHAPE, 5);
    let whole = Subject::new("whole", network(), SHAPE, 5);
    check(&[pair(engines, &smooth), together(engines, &smooth, 10), hand_over(engines, &smooth)], TOLERANCE);
    check(&[together(engines, &whole, 10), hand_over(engines, &whole)], TOLERANCE);
}

/// Losses of a few steps in a precision.
fn losses(precision: Precision) -> Vec<f64> {
    let engine = TorchEngine::cpu().with_precision(precision);
    let state = State::init(&small(SHAPE).expect("it fits"), 3);
    let mut executor = engine.load_trainer(network(), &state, Optimizer::adam()).expect("it fits");
    let (input, labels) = (random::tensor(SHAPE, 1), random::labels(SHAPE.pixels(), 3, None, 1));
    let loss = Loss::single(LossKind::CrossEntropy);
    let step = |_| {
        let value = executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
        assert!(executor.step(1e-2, None).expect("it has an optimizer").is_finite());
        value
    };
    (0..8).map(step).collect()
}

#[test]
fn lower_precisions_train_too() {
    let single = losses(Precision::Fp32);
    // The mantissa's bits, with room for what eight steps add up to.
    for (precision, limit) in [(Precision::Bf16, 0.03), (Precision::Fp16, 0.005)] {
        let low = losses(precision);
        assert_ne!(low, single, "{precision} is another precision");
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < limit * a;
        assert!(single.iter().zip(&low).all(close), "{precision}: {low:?} for {single:?}");
    }
}

/// Gradients too small for half precision arrive, since the loss is scaled; too large ones are computed again with a smaller
/// factor.
#[test]
fn half_precision_loses_no_gradient() {
    let gradients = |precision, scale: f32| {
        let engine = TorchEngine::cpu().with_precision(precision);
        let state = State::init(&small(SHAPE).expect("it fits"), 3);
        let mut executor = engine.load_trainer(network(), &state, Optimizer::adam()).expect("it fits");
        let (input, labels) = (random::tensor(SHAPE, 1), random::labels(SHAPE.pixels(), 3, None, 1));
        let loss = Loss::single(LossKind::CrossEntropy);
        executor.accumulate(&input, &labels, &loss, scale).expect("it fits");
        executor.gradients()
    };
    for scale in [1e-5, 1.0, 1e3] {
        let wanted: Vec<f64> = gradients(Precision::Fp32, scale).into_iter().map(f64::from).collect();
        let distance = dapple_reference::relative_distance(&wanted, &gradients(Precision::Fp16, scale));
        assert!(distance < 0.01, "a loss times {scale}: {distance:e}");
    }
}

#[test]
fn more_memory_than_there_is_is_an_error_that_can_be_gone_on_from() {
    let engine = TorchEngine::cpu();
    let state = State::init(&small(SHAPE).expect("it fits"), 3);
    let mut executor = engine.load(network(), &state).expect("it fits");
    let mut other = engine
        .load_trainer(Arc::new((SHAPE, huge)), &empty(), Optimizer::adam())
        .expect("there are no parameters");
    let input = random::tensor(SHAPE, 1);
    let error = other.forward(&input).expect_err("there is no such memory").to_string();
    assert!(error.starts_with("torch-cpu: a batch of 2 images") && error.contains("--batch 1"), "{error}");
    assert!(executor.infer(&input, Inference::Eval).is_ok());
}

fn empty() -> State {
    State { specs: Vec::new(), values: Vec::new(), statistics: Vec::new() }
}

/// Enlarges until no machine has the memory.
fn huge(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.upscale(g.input(), 1 << 18, Interpolation::Nearest)?;
    g.output("y", x)?;
    Ok(g)
}

#[test]
fn grey_and_single_pixels_keep_their_layout() {
    // Extents of one leave the memory format open.
    for shape in
        [Shape::new(1, 1, 1, 1), Shape::new(1, 1, 7, 3), Shape::new(3, 5, 1, 1), Shape::new(1, 6, 5, 1)]
    {
        let graph = move |shape: Shape| {
            let mut g = Graph::new(shape);
            let x = g.conv2d("conv", g.input(), &Conv2d::new(5, 3).padding(1))?;
            let x = g.layer_norm("norm", x, 1e-5)?;
            g.output("y", x)?;
            Ok(g)
        };
        let state = State::init(&graph(shape).expect("it fits"), 2);
        let input = random::tensor(shape, 4);
        let forward = |engine: &dyn Engine| -> Tensor {
            let mut executor = engine.load(Arc::new((shape, graph)), &state).expect("it fits");
            executor.infer(&input, Inference::Eval).expect("it fits").swap_remove(0)
        };
        let wanted = forward(&CpuEngine::new(Some(1)).expect("a thread can be started"));
        let found = forward(&TorchEngine::cpu());
        let close = wanted.data.iter().zip(&found.data).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close && wanted.shape == found.shape, "{shape}");
    }
}
