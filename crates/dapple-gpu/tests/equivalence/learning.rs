//! Optimisers: ten training steps beside the CPU engine, and beside the reference's definitions.

use crate::{batch, both, distance, engine};
use dapple_graph::{
    Conv2d, ConvTranspose2d, Decay, Executor, Graph, GraphError, Loss, LossKind, Network, Optimizer, Shape,
    State,
};
use std::sync::Arc;

const SHAPE: Shape = Shape { n: 2, h: 12, w: 10, c: 3 };

/// Everything that optimisers tell apart: convolutions wide and tall, depthwise and transposed ones, norms, biases.
fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.conv2d("stem", g.input(), &Conv2d::new(8, 3).padding(1).stride(2))?;
    let x = g.batch_norm("norm", x)?;
    let x = g.relu(x)?;
    let x = g.conv2d("depthwise", x, &Conv2d::new(8, 3).padding(1).groups(8).bias(false))?;
    let x = g.conv2d("tall", x, &Conv2d::new(24, 1))?;
    let x = g.group_norm("group", x, 4)?;
    let x = g.relu(x)?;
    let x = g.conv_transpose2d("up", x, &ConvTranspose2d::new(6, 2, 2))?;
    let x = g.conv2d("head", x, &Conv2d::new(2, 1))?;
    g.output("logits", x)?;
    Ok(g)
}

fn network() -> (Arc<dyn Network>, State) {
    let state = State::init(&build(SHAPE).expect("it fits"), 7);
    (Arc::new((SHAPE, build)), state)
}

fn optimizers() -> Vec<Optimizer> {
    let nesterov =
        Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01, decay: Decay::Weights };
    let rmsprop =
        Optimizer::RmsProp { alpha: 0.9, eps: 1e-3, momentum: 0.5, weight_decay: 0.02, decay: Decay::All };
    let adam =
        Optimizer::Adam { beta1: 0.8, beta2: 0.9, eps: 1e-3, weight_decay: 0.1, decay: Decay::Weights };
    let adamw = Optimizer::AdamW { beta1: 0.9, beta2: 0.99, eps: 1e-3, weight_decay: 0.1, decay: Decay::All };
    vec![
        Optimizer::sgd(0.9, 0.01),
        nesterov,
        rmsprop,
        adam,
        adamw,
        Optimizer::lion(0.1),
        Optimizer::muon(0.1),
    ]
}

fn step(executor: &mut dyn Executor, at: usize, clip: Option<f32>) -> (f64, f32) {
    let (input, labels) = batch(SHAPE);
    let loss = Loss::sum(&[(LossKind::CrossEntropy, 1.0), (LossKind::Dice, 0.5)]);
    let value = executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
    (value, executor.step(0.01 / (1.0 + at as f32), clip).expect("it has an optimiser"))
}

#[test]
fn ten_steps_stay_together() {
    let Some((engine, _turn)) = engine() else { return };
    let (network, state) = network();
    println!("{:10} {:>9} {:>9} {:>9}", "ten steps", "losses", "values", "memory");
    for optimizer in optimizers() {
        let mut executors = both(&engine, &network, &state, Some(optimizer));
        // One rate of three is halved, one parameter frozen.
        let factors: Vec<f32> = (0..state.specs.len()).map(|i| [1.0, 0.5, 1.0, 1.0][i % 4]).collect();
        let factors: Vec<f32> = factors
            .iter()
            .zip(&state.specs)
            .map(|(f, s)| if s.name == "tall.bias" { 0.0 } else { *f })
            .collect();
        executors.iter_mut().for_each(|e| e.set_rate_factors(&factors).expect("one each"));
        let mut losses = 0.0f64;
        for at in 0..10 {
            let clip = (at % 2 == 0).then_some(0.5);
            let [(a, n), (b, m)] = executors.each_mut().map(|e| step(e.as_mut(), at, clip));
            losses = losses.max((a - b).abs() / a.abs());
            assert!((n - m).abs() < 1e-3 * n, "{optimizer:?}: norms {n} and {m} at step {at}");
            executors.iter_mut().for_each(|e| e.update_average(0.8));
        }
        let [a, b] = executors.each_ref().map(|e| (e.state(), e.optimizer_state(), e.average()));
        let values = distance(&a.0.values, &b.0.values).max(distance(&a.0.statistics, &b.0.statistics));
        let memory = a.1.slots.iter().zip(&b.1.slots).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
        let [a_mean, b_mean] = [a.2, b.2].map(|average| average.expect("it was updated").values);
        println!("{:10} {losses:9.1e} {values:9.1e} {memory:9.1e}", name(optimizer));
        assert_eq!(a.1.steps, b.1.steps);
        let frozen = state.get("tall.bias");
        assert!(frozen.is_some() && b.0.get("tall.bias") == frozen, "{optimizer:?}: a frozen value moved");
        // Signs and orthogonal matrices of small gradients magnify roundings.
        let limit =
            if matches!(optimizer, Optimizer::Lion { .. } | Optimizer::Muon { .. }) { 2e-2 } else { 1e-4 };
        assert!(losses < limit && values < limit && distance(&a_mean, &b_mean) < limit, "{optimizer:?}");
        assert!(memory < 10.0 * limit, "{optimizer:?}: {memory:e}");
    }
}

fn name(optimizer: Optimizer) -> String {
    format!("{optimizer:?}").split(' ').next().unwrap_or_default().to_owned()
}

/// One step from the same memory and gradient is the reference's.
#[test]
fn single_steps_are_those_of_the_definitions() {
    let Some((engine, _turn)) = engine() else { return };
    let (network, state) = network();
    for optimizer in optimizers() {
        let [_, mut executor] = both(&engine, &network, &state, Some(optimizer));
        let mut stepper = dapple_reference::Stepper::new(optimizer, state.values.len());
        let mut wanted: Vec<f64> = state.values.iter().map(|&v| f64::from(v)).collect();
        for at in 0..3 {
            let (input, labels) = batch(SHAPE);
            let loss = Loss::single(LossKind::CrossEntropy);
            executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
            let gradients: Vec<f64> = executor.gradients().iter().map(|&g| f64::from(g)).collect();
            let norm = executor.step(0.01, Some(0.3)).expect("it has an optimiser");
            let exact = stepper.step(&state.specs, &mut wanted, &gradients, 0.01, Some(f64::from(0.3f32)));
            assert!((f64::from(norm) - exact).abs() < 1e-5 * exact, "{optimizer:?}");
            let found = executor.state().values;
            let off = dapple_reference::relative_distance(&wanted, &found);
            assert!(off < 1e-5, "{optimizer:?}, step {at}: {off:e}");
        }
        assert_eq!(executor.optimizer_state().steps, 3);
    }
}
