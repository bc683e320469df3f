//! The suite that every engine passes, on this one, with fewer cases than `reference.rs` has.

use dapple_cpu::{Convolution, CpuEngine};
use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, MaxPool, Shape};
use dapple_reference::equivalence::{self, Pair, Row, Smooth, Subject, TOLERANCE, hand_over, pair, together};
use std::sync::Arc;

fn engine() -> CpuEngine {
    CpuEngine::new(Some(2)).expect("threads can be started")
}

/// Twice: what Winograd's algorithm rounds, batch norms of mostly zeros magnify.
fn check(rows: &[Row]) {
    rows.iter().for_each(|row| row.check(2.0 * TOLERANCE));
}

#[test]
fn operations_and_networks() {
    check(&equivalence::operations(&engine(), 4));
    check(&[equivalence::networks(&engine(), 30)]);
}

#[test]
fn losses_and_optimizers() {
    check(&equivalence::losses(&engine(), 20));
    check(&equivalence::optimizers(&engine(), 5));
}

/// A small encoder and decoder.
fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let conv = |channels| Conv2d::new(channels, 3).padding(1);
    let x = g.conv2d("down", g.input(), &conv(16))?;
    let x = g.batch_norm("norm", x)?;
    let skip = g.relu(x)?;
    let x = g.max_pool(skip, &MaxPool::new(2, 2))?;
    let x = g.conv2d("deep", x, &conv(24))?;
    let x = g.relu(x)?;
    let x = g.dropout(x, 0.2)?;
    let x = g.resize(x, skip, Interpolation::Bilinear { align_corners: false })?;
    let x = g.concat(&[x, skip])?;
    let x = g.conv2d("head", x, &conv(3))?;
    g.output("logits", x)?;
    Ok(g)
}

#[test]
fn two_engines_train_alike() {
    let shape = Shape::new(2, 16, 20, 3);
    let (first, second) = (engine(), engine().with_convolution(Convolution::Plain));
    let engines = Pair { first: &first, second: &second };
    let smooth = Subject::new("smooth", Arc::new(Smooth(Arc::new((shape, build)))), shape, 5);
    check(&[pair(engines, &smooth), together(engines, &smooth, 10), hand_over(engines, &smooth)]);
    let subject = Subject::new("whole", Arc::new((shape, build)), shape, 5);
    check(&[together(engines, &subject, 10), hand_over(engines, &subject)]);
}
