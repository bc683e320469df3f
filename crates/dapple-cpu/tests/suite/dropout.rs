//! Dropout in training, to the bit. Sampling is tested in `learning.rs`, its masks are compared
//! with the reference's in `reference.rs`.

use dapple_cpu::CpuEngine;
use dapple_reference::equivalence::behaviour::steps_with_dropout;

/// With state, optimizer state and dropout's position a training is resumed with the same bits, whatever was run in
/// between and on any number of threads.
#[test]
fn a_training_with_dropout_goes_on_as_if_it_had_not_been_interrupted() {
    let engine = |threads| CpuEngine::new(Some(threads)).expect("threads can be started");
    let [whole, resumed] = steps_with_dropout(&engine(2), &engine(1));
    assert_eq!(resumed, whole);
}
