//! What an executor does besides passes: averages, faults, refusals.

use crate::engine;
use dapple_gpu::GpuEngine;
use dapple_graph::engine::OptimizerState;
use dapple_graph::{
    Conv2d, Engine, EngineError, Executor, FaultKind, Graph, GraphError, Loss, LossKind, Mode, Optimizer,
    Shape, State, Tensor,
};
use std::sync::Arc;

const SHAPE: Shape = Shape { n: 2, h: 6, w: 5, c: 3 };

fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.conv2d("encoder.conv", g.input(), &Conv2d::new(4, 3).padding(1))?;
    let x = g.batch_norm("encoder.norm", x)?;
    let x = g.relu(x)?;
    let x = g.conv2d("head", x, &Conv2d::new(2, 1))?;
    g.output("logits", x)?;
    Ok(g)
}

fn state() -> State {
    State::init(&build(SHAPE).expect("it fits"), 7)
}

fn load(engine: &GpuEngine, state: &State, optimizer: Option<Optimizer>) -> Box<dyn Executor> {
    engine.load(Arc::new((SHAPE, build)), state, optimizer).expect("it fits")
}

fn images() -> Tensor {
    Tensor::new(SHAPE, (0..SHAPE.len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect())
}

fn labels() -> Vec<u8> {
    (0..SHAPE.pixels()).map(|i| u8::from(i % 3 == 0)).collect()
}

fn learn(executor: &mut dyn Executor) {
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, 1.0).expect("it fits");
    executor.step(0.1, None).expect("it has an optimiser");
}

#[test]
fn averages_are_exchanged_and_set() {
    let Some((engine, _turn)) = engine() else { return };
    let mut executor = load(&engine, &state(), Some(Optimizer::sgd(0.9, 0.0)));
    assert!(executor.average().is_none());
    executor.exchange_average();
    assert_eq!(executor.state(), state(), "without an average, nothing is exchanged");
    learn(executor.as_mut());
    executor.update_average(0.5);
    assert_eq!(executor.average(), Some(executor.state()), "it begins with the values");
    let first = executor.state();
    learn(executor.as_mut());
    executor.update_average(0.75);
    let (raw, average) = (executor.state(), executor.average().expect("made"));
    let mixed = first.values.iter().zip(&raw.values).map(|(a, v)| 0.75 * a + 0.25 * v);
    assert!(mixed.zip(&average.values).all(|(wanted, found)| (wanted - found).abs() < 1e-6));
    // Inference sees what is exchanged.
    let before = executor.forward(&images(), Mode::Predict).expect("it fits");
    executor.exchange_average();
    assert_eq!((executor.state(), executor.average()), (average.clone(), Some(raw.clone())));
    assert_ne!(executor.forward(&images(), Mode::Predict).expect("it fits"), before);
    executor.exchange_average();
    assert_eq!(executor.state(), raw);
    assert_eq!(executor.forward(&images(), Mode::Predict).expect("it fits"), before);
    let mut other = load(&engine, &state(), None);
    other.set_average(&average).expect("of the same network");
    assert_eq!(other.average(), Some(average));
}

#[test]
fn the_first_layer_that_is_not_finite_is_found() {
    let Some((engine, _turn)) = engine() else { return };
    let loss = Loss::single(LossKind::CrossEntropy);
    let find = |state: &State, images: &Tensor| {
        let mut executor = load(&engine, state, Some(Optimizer::adam()));
        let fault = executor.find_fault(images, &labels(), &loss).expect("it fits");
        fault.map(|fault| (fault.place, fault.kind))
    };
    assert_eq!(find(&state(), &images()), None);
    let mut poisoned = images();
    poisoned.data[7] = f32::NAN;
    assert_eq!(find(&state(), &poisoned), Some(("input".into(), FaultKind::Output)));
    let mut bad = state();
    bad.set("head.weight", &[f32::INFINITY; 8]).expect("it has 8");
    assert_eq!(find(&bad, &images()), Some(("head.weight".into(), FaultKind::Parameter)));
    // Finite weights whose products are not.
    let mut large = state();
    large.set("head.weight", &[3e38; 8]).expect("it has 8");
    large.set("encoder.norm.bias", &[9.0; 4]).expect("it has 4");
    assert_eq!(find(&large, &images()), Some(("head".into(), FaultKind::Output)));
    // Finite values whose loss is not: logits far apart.
    let steep = Loss {
        class_weights: Some(vec![f32::MAX, f32::MAX]),
        ..Loss::sum(&[(LossKind::BinaryCrossEntropy, 1e30)])
    };
    let mut executor = load(&engine, &state(), None);
    let fault = executor.find_fault(&images(), &labels(), &steep).expect("it fits").expect("it overflows");
    assert_eq!(fault.kind, FaultKind::Loss);
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing() {
    let Some((engine, _turn)) = engine() else { return };
    let mut executor = load(&engine, &state(), Some(Optimizer::adam()));
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, f32::INFINITY).expect("it fits");
    assert!(!executor.step(0.1, Some(1.0)).expect("it has an optimiser").is_finite());
    assert_eq!(executor.state().values, state().values);
    assert_eq!(executor.optimizer_state().steps, 0);
    // Nor does it stay for the next step.
    learn(executor.as_mut());
    assert!(executor.state().values.iter().all(|v| v.is_finite()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some((engine, _turn)) = engine() else { return };
    let input =
        |result: Result<(), EngineError>| assert!(matches!(result, Err(EngineError::Input(_))), "{result:?}");
    let mut executor = load(&engine, &state(), None);
    input(executor.step(0.1, None).map(|_| ()));
    input(executor.backward(&[Tensor::zeros(SHAPE)]));
    input(executor.set_rate_factors(&[1.0]));
    input(executor.set_optimizer_state(&OptimizerState { steps: 1, slots: vec![vec![0.0]] }));
    input(executor.forward(&Tensor::zeros(Shape::new(0, 6, 5, 3)), Mode::Eval).map(|_| ()));
    executor.forward(&images(), Mode::Train).expect("it fits");
    input(executor.backward(&[Tensor::zeros(SHAPE)]));
    let mut other = state();
    other.values.pop();
    input(executor.set_state(&other));
    input(engine.load(Arc::new((SHAPE, build)), &other, None).map(|_| ()));
    for name in ["vulkan:99", "gpu:x", "abacus"] {
        assert!(GpuEngine::open(name).is_err(), "{name}");
    }
}

#[test]
fn gradients_of_parts_add_up() {
    let Some((engine, _turn)) = engine() else { return };
    let loss = Loss::single(LossKind::CrossEntropy);
    let mut executor = load(&engine, &state(), Some(Optimizer::adam()));
    assert!(executor.gradients().iter().all(|&g| g == 0.0));
    executor.accumulate(&images(), &labels(), &loss, 1.0).expect("it fits");
    let whole = executor.gradients();
    executor.accumulate(&images(), &labels(), &loss, 0.5).expect("it fits");
    let more = executor.gradients();
    assert!(whole.iter().zip(&more).all(|(a, b)| (1.5 * a - b).abs() < 1e-5));
    executor.step(0.0, None).expect("it has an optimiser");
    assert!(executor.gradients().iter().all(|&g| g == 0.0));
}
