//! The behaviour of an executor between steps, tested as for all engines.

use dapple_cpu::CpuEngine;
use dapple_reference::equivalence::behaviour;

macro_rules! promises {
    ($($promise:ident)*) => {
        $(#[test] fn $promise() {
            behaviour::$promise(&CpuEngine::new(Some(2)).expect("threads can be started"));
        })*
    };
}

promises! {
    states_come_back_as_they_went_in
    gradients_come_back_as_they_went_in
    the_average_is_that_of_its_definition
    frozen_parameters_neither_move_nor_count
    the_first_layer_that_is_not_finite_is_found
    a_gradient_that_is_not_finite_changes_nothing
    samples_differ_and_their_mean_is_the_prediction
    wrong_input_is_an_error
}
