//! Cards against the `f64` interpreter and the CPU engine: every operation, loss and optimizer, a network, with gradients,
//! and what an executor promises between passes.
//!
//! ```sh
//! cargo test -p dapple-gpu --features wgpu -- --nocapture
//! DAPPLE_CASES=10 cargo test -p dapple-gpu --features wgpu -- --nocapture
//! ```
//!
//! Without an adapter all tests pass with one line that says so; with `DAPPLE_REQUIRE_GPU=1` they fail. `DAPPLE_DEVICE` names
//! another adapter than the best one, `DAPPLE_CASES` how many random graphs of each kind are compared.
#![cfg(feature = "wgpu")]

mod memory;
mod networks;

use dapple_cpu::CpuEngine;
use dapple_gpu::GpuEngine;
use dapple_reference::equivalence::{self, Row, TOLERANCE, behaviour, markdown};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time has the card: a software renderer takes all processors anyway.
static CARD: Mutex<()> = Mutex::new(());

/// The engine to compare, if there is an adapter.
fn engine() -> Option<(GpuEngine, MutexGuard<'static, ()>)> {
    let turn = CARD.lock().unwrap_or_else(PoisonError::into_inner);
    let name = std::env::var("DAPPLE_DEVICE").unwrap_or_else(|_| "gpu".into());
    match GpuEngine::open(&name) {
        Ok(engine) => Some((engine, turn)),
        Err(error) if std::env::var_os("DAPPLE_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn cpu() -> CpuEngine {
    CpuEngine::new(Some(2)).expect("threads can be started")
}

/// How many random graphs of each kind are compared.
fn cases(usual: u64) -> u64 {
    std::env::var("DAPPLE_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

/// Shows what was found; fails where it is above the limit.
fn check(rows: &[Row], kinds: &[&str], limit: f64) {
    println!("{}", markdown(rows, kinds));
    rows.iter().for_each(|row| row.check(limit));
}

#[test]
fn operations_are_those_of_the_definitions() {
    let Some((engine, _turn)) = engine() else { return };
    check(&equivalence::operations(&engine, cases(4)), &["outputs", "gradients", "statistics"], TOLERANCE);
}

#[test]
fn random_networks_are_those_of_the_definitions() {
    let Some((engine, _turn)) = engine() else { return };
    let row = equivalence::networks(&engine, 2 * cases(4));
    // Twice: batch norms of mostly zeros magnify roundings.
    check(&[row], &["outputs", "gradients", "statistics"], 2.0 * TOLERANCE);
}

#[test]
fn losses_are_those_of_the_definitions() {
    let Some((engine, _turn)) = engine() else { return };
    check(&equivalence::losses(&engine, cases(4)), &["losses", "gradients"], 2.0 * TOLERANCE);
}

#[test]
fn optimizers_are_those_of_the_definitions() {
    let Some((engine, _turn)) = engine() else { return };
    check(&equivalence::optimizers(&engine, cases(2)), &["norms", "parameters", "memory"], TOLERANCE);
}

macro_rules! promises {
    ($($promise:ident)*) => {
        $(#[test] fn $promise() {
            let Some((engine, _turn)) = engine() else { return };
            behaviour::$promise(&engine);
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
    a_training_with_dropout_resumes_as_if_it_had_not_been_interrupted
    samples_differ_and_their_mean_is_the_prediction
    wrong_input_is_an_error
}

#[test]
fn adapters_that_are_not_there_are_refused() {
    for name in ["vulkan:99", "gpu:x", "abacus"] {
        assert!(GpuEngine::open(name).is_err(), "{name}");
    }
}
