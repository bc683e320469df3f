//! The suite that every engine passes, on this one, with fewer cases than `reference.rs` has.

use dapple_cpu::{Convolution, CpuEngine};
use dapple_graph::Shape;
use dapple_reference::equivalence::{
    self, Pair, Row, Smooth, Subject, TOLERANCE, hand_over, pair, small, together,
};
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

#[test]
fn two_engines_train_alike() {
    let shape = Shape::new(2, 16, 20, 3);
    let (first, second) = (engine(), engine().with_convolution(Convolution::Plain));
    let engines = Pair { first: &first, second: &second };
    let smooth = Subject::new("smooth", Arc::new(Smooth(Arc::new((shape, small)))), shape, 5);
    check(&[pair(engines, &smooth), together(engines, &smooth, 10), hand_over(engines, &smooth)]);
    let subject = Subject::new("whole", Arc::new((shape, small)), shape, 5);
    check(&[together(engines, &subject, 10), hand_over(engines, &subject)]);
}
