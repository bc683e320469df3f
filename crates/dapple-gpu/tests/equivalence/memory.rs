//! Batches that do not fit the card.

use crate::engine;
use dapple_graph::{
    Conv2d, Engine, Graph, GraphError, Inference, Loss, LossKind, Optimizer, Shape, State, Tensor, Trainer,
};
use std::sync::Arc;

/// Channels of the widest map.
const WIDE: usize = 64;

fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.conv2d("wide", g.input(), &Conv2d::new(WIDE, 1))?;
    let x = g.conv2d("head", x, &Conv2d::new(2, 1))?;
    g.output("logits", x)?;
    Ok(g)
}

#[test]
fn a_batch_that_is_too_large_is_told_one_that_fits() {
    let Some((engine, _turn)) = engine() else { return };
    let sample = Shape::new(1, 64, 64, 3);
    let per_image = (sample.pixels() * WIDE * 4) as u64;
    let fits = engine.adapter().largest_buffer / per_image;
    // Cards with large buffers would need as large a machine.
    if fits > 10_000 {
        return println!("skipped: this adapter's buffers hold batches of {fits}");
    }
    let state = State::init(&build(sample).expect("it fits"), 1);
    let mut executor =
        engine.load_trainer(Arc::new((sample, build)), &state, Optimizer::adam()).expect("it fits");
    let learn = |executor: &mut dyn Trainer, n: usize| {
        let input = Tensor::zeros(Shape { n, ..sample });
        let labels = vec![1; input.shape.pixels()];
        executor.accumulate(&input, &labels, &Loss::single(LossKind::CrossEntropy), 1.0)
    };
    learn(executor.as_mut(), 1).expect("one image fits");
    let error = learn(executor.as_mut(), fits as usize + 1).expect_err("one more than fit").to_string();
    println!("{error}");
    assert!(error.contains(&format!("use a batch of {fits} at most")), "{error}");
    let error = executor
        .infer(&Tensor::zeros(Shape::new(1, 4096, 4096, 3)), Inference::Predict)
        .expect_err("too large");
    assert!(error.to_string().contains("use smaller images"), "{error}");
    // The training continues.
    learn(executor.as_mut(), 1).expect("one image fits");
    assert!(executor.step(0.01, None).expect("it has an optimizer").is_finite());
}

#[test]
fn sums_that_a_program_would_cut_short_are_refused() {
    let Some((engine, _turn)) = engine() else { return };
    if !engine.adapter().software {
        return println!("skipped: this adapter is a card");
    }
    let shape = Shape::new(17, 64, 64, 3);
    let state = State::init(&build(shape).expect("it fits"), 1);
    let mut executor =
        engine.load_trainer(Arc::new((shape, build)), &state, Optimizer::adam()).expect("it fits");
    let labels = vec![1; shape.pixels()];
    let error = executor
        .accumulate(&Tensor::zeros(shape), &labels, &Loss::single(LossKind::CrossEntropy), 1.0)
        .expect_err("it has more pixels than a loop has turns");
    assert!(error.to_string().contains("use a batch of 15 at most"), "{error}");
    executor.infer(&Tensor::zeros(shape), Inference::Predict).expect("without training it fits");
}
