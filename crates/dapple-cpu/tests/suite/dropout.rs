//! Dropout in training, to the bit. Sampling is tested in `learning.rs`, its masks are compared
//! with the reference's in `reference.rs`.

use dapple_cpu::CpuEngine;
use dapple_graph::{
    Conv2d, DropoutState, Engine, Graph, Loss, LossKind, Network, Optimizer, Shape, State, Trainer,
};
use dapple_reference::random;
use std::sync::Arc;

/// With state, optimizer state and dropout's position a training is resumed with the same bits, whatever was run in
/// between.
#[test]
fn a_training_with_dropout_goes_on_as_if_it_had_not_been_interrupted() {
    let shape = Shape::new(2, 6, 5, 4);
    let build = move |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.conv2d("conv", g.input(), &Conv2d::new(20, 3).padding(1))?;
        let y = g.dropout(y, 0.5)?;
        let y = g.conv2d("out", y, &Conv2d::new(3, 1))?;
        g.output("logits", y)?;
        Ok(g)
    };
    let network = Arc::new((shape, build));
    let state = State::init(&network.build(shape).expect("it fits"), 1);
    let (input, labels) = (random::tensor(shape, 2), random::labels(shape.pixels(), 3, None, 2));
    let loss = Loss::single(LossKind::CrossEntropy);
    let load = |threads, state: &State| {
        let engine = CpuEngine::new(Some(threads)).expect("threads can be started");
        engine.load_trainer(network.clone(), state, Optimizer::adam()).expect("it fits")
    };
    let learn = |executor: &mut Box<dyn Trainer>| {
        // A batch in two parts: each pass drops other values.
        let losses = [0.5, 0.5].map(|s| executor.accumulate(&input, &labels, &loss, s).expect("it fits"));
        executor.step(0.01, None).expect("it has an optimizer");
        losses
    };
    let mut whole = load(2, &state);
    whole.set_dropout_state(DropoutState { seed: 5, passes: 0 });
    let first = learn(&mut whole);
    assert_ne!(first[0], first[1]);
    let (at, memory, dropout) = (whole.state(), whole.optimizer_state(), whole.dropout_state());
    assert_eq!(dropout, DropoutState { seed: 5, passes: 2 });
    whole.evaluate(&input, &labels, &loss).expect("it fits");
    let next = learn(&mut whole);

    let mut resumed = load(1, &at);
    resumed.set_optimizer_state(&memory).expect("it fits");
    resumed.set_dropout_state(dropout);
    assert_eq!(learn(&mut resumed), next);
    assert_eq!(resumed.state(), whole.state());
}
