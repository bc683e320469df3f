//! What an executor does between steps: averages, rates, and looking for numbers that are none.

use dapple_cpu::CpuEngine;
use dapple_graph::{
    Conv2d, Engine, EngineError, Executor, FaultKind, Graph, GraphError, Loss, LossKind, Optimizer, Shape,
    State, Tensor,
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

fn load(state: &State, optimizer: Optimizer) -> Box<dyn Executor> {
    let engine = CpuEngine::new(Some(2)).expect("threads can be started");
    engine.load(Arc::new((SHAPE, build)), state, Some(optimizer)).expect("it fits")
}

fn images() -> Tensor {
    Tensor::new(SHAPE, (0..SHAPE.len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect())
}

fn labels() -> Vec<u8> {
    (0..SHAPE.pixels()).map(|i| u8::from(i % 3 == 0)).collect()
}

fn learn(executor: &mut dyn Executor, rate: f32) -> f32 {
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, 1.0).expect("it fits");
    executor.step(rate, None).expect("it has an optimiser")
}

#[test]
fn the_average_is_that_of_its_definition() {
    let mut executor = load(&state(), Optimizer::sgd(0.9, 0.0));
    assert!(executor.average().is_none());
    executor.exchange_average();
    assert_eq!(executor.state(), state(), "without an average, nothing is exchanged");
    let mut wanted: Option<State> = None;
    for step in 0..5 {
        learn(executor.as_mut(), 0.1);
        let decay = 0.5 + 0.1 * step as f32;
        executor.update_average(decay);
        let now = executor.state();
        let average = wanted.get_or_insert_with(|| now.clone());
        let mix = |a: &mut Vec<f32>, v: &Vec<f32>| {
            a.iter_mut().zip(v).for_each(|(a, v)| *a = decay * *a + (1.0 - decay) * v);
        };
        mix(&mut average.values, &now.values);
        mix(&mut average.statistics, &now.statistics);
    }
    let (wanted, found) = (wanted.expect("made"), executor.average().expect("made"));
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close(&found.values, &wanted.values) && close(&found.statistics, &wanted.statistics));

    let raw = executor.state();
    executor.exchange_average();
    assert_eq!((executor.state(), executor.average()), (found.clone(), Some(raw.clone())));
    executor.exchange_average();
    assert_eq!(executor.state(), raw);
    let mut other = load(&state(), Optimizer::sgd(0.9, 0.0));
    other.set_average(&found).expect("of the same network");
    assert_eq!(other.average(), Some(found));
}

#[test]
fn frozen_parameters_neither_move_nor_count() {
    for optimizer in
        [Optimizer::adamw(0.1), Optimizer::sgd(0.9, 0.1), Optimizer::lion(0.1), Optimizer::muon(0.1)]
    {
        let begin = state();
        let frozen = |name: &str| name.starts_with("encoder.");
        let mut executor = load(&begin, optimizer);
        let factors: Vec<f32> =
            begin.specs.iter().map(|spec| if frozen(&spec.name) { 0.0 } else { 1.0 }).collect();
        executor.set_rate_factors(&factors).expect("one each");
        let loss = Loss::single(LossKind::CrossEntropy);
        executor.accumulate(&images(), &labels(), &loss, 1.0).expect("it fits");
        let gradients = executor.gradients();
        let head =
            |(_, spec): &(usize, &dapple_graph::ParamSpec)| spec.role.trainable() && !frozen(&spec.name);
        let counted = begin.specs.iter().enumerate().filter(head);
        let squares = counted.flat_map(|(_, spec)| &gradients[spec.offset..spec.offset + spec.len()]);
        let wanted = squares.map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let norm = executor.step(0.1, None).expect("it has an optimiser");
        assert!((f64::from(norm) - wanted).abs() < 1e-5 * wanted, "{norm} for {wanted}");
        let after = executor.state();
        for (i, spec) in begin.specs.iter().enumerate().filter(|(_, spec)| spec.role.trainable()) {
            assert_eq!(after.slice(i) == begin.slice(i), frozen(&spec.name), "{} {optimizer:?}", spec.name);
        }
        let memory = executor.optimizer_state();
        let still = begin.specs.iter().filter(|spec| frozen(&spec.name) && spec.role.trainable());
        assert!(still.flat_map(|s| &memory.slots[0][s.offset..s.offset + s.len()]).all(|&v| v == 0.0));

        // Half the rate is half the way, where the way is the gradient's.
        if let Optimizer::Sgd { .. } = optimizer {
            let step = |factor: f32| {
                let mut executor = load(&begin, Optimizer::sgd(0.0, 0.0));
                executor.set_rate_factors(&vec![factor; begin.specs.len()]).expect("one each");
                learn(executor.as_mut(), 0.1);
                executor.state().values
            };
            let (whole, half) = (step(1.0), step(0.5));
            let ways = begin.values.iter().zip(whole.iter().zip(&half));
            assert!(ways.into_iter().all(|(p, (w, h))| (w - p - 2.0 * (h - p)).abs() < 1e-6));
        }
    }
    let refused = load(&state(), Optimizer::adam()).set_rate_factors(&[1.0]);
    assert!(matches!(refused, Err(EngineError::Input(_))));
}

#[test]
fn the_first_layer_that_is_not_finite_is_found() {
    let loss = Loss::single(LossKind::CrossEntropy);
    let find = |state: &State, images: &Tensor| {
        load(state, Optimizer::adam()).find_fault(images, &labels(), &loss).expect("it fits")
    };
    assert_eq!(find(&state(), &images()), None);

    let mut poisoned = images();
    poisoned.data[7] = f32::NAN;
    let fault = find(&state(), &poisoned).expect("an image is poisoned");
    assert_eq!((fault.place.as_str(), fault.kind), ("input", FaultKind::Output));

    let mut bad = state();
    bad.set("head.weight", &[f32::INFINITY; 8]).expect("it has 8");
    let fault = find(&bad, &images()).expect("a weight is infinite");
    assert_eq!((fault.place.as_str(), fault.kind), ("head.weight", FaultKind::Parameter));

    // Finite weights whose products are not.
    let mut large = state();
    large.set("head.weight", &[3e38; 8]).expect("it has 8");
    large.set("encoder.norm.bias", &[9.0; 4]).expect("it has 4");
    let fault = find(&large, &images()).expect("the head overflows");
    assert_eq!((fault.place.as_str(), fault.kind), ("head", FaultKind::Output));
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing() {
    let mut executor = load(&state(), Optimizer::adam());
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, f32::INFINITY).expect("it fits");
    assert!(!executor.step(0.1, Some(1.0)).expect("it has an optimiser").is_finite());
    assert_eq!(executor.state().values, state().values);
    assert_eq!(executor.optimizer_state().steps, 0);
}
