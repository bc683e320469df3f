//! Cards against the `f64` reference and the CPU engine: every operation, loss, optimiser and network, with gradients;
//! checkpoints handed over both ways.
//!
//! ```sh
//! cargo test -p dapple-gpu --features wgpu -- --nocapture
//! DAPPLE_SEEDS=12 cargo test -p dapple-gpu --features wgpu -- --nocapture --include-ignored
//! ```
//!
//! Without an adapter all tests pass with one line that says so; with `DAPPLE_REQUIRE_GPU=1` they fail.
//! `DAPPLE_DEVICE` names another adapter than the best one, `DAPPLE_SEEDS` how many of each operation are compared.
#![cfg(feature = "wgpu")]

mod handover;
mod interface;
mod learning;
mod losses;
mod memory;
mod networks;
mod operations;

use dapple_cpu::CpuEngine;
use dapple_gpu::GpuEngine;
use dapple_graph::{Executor, Network, Optimizer, Shape, State, Tensor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Largest distance of an fp32 result, as a share of the largest expected value.
const TOLERANCE: f64 = 1e-4;

/// One test at a time has the card: software that stands for one takes all processors anyway.
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

/// How many of each kind are compared.
fn seeds(usual: u64) -> u64 {
    std::env::var("DAPPLE_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

/// A network on both engines.
fn both(
    engine: &GpuEngine,
    network: &Arc<dyn Network>,
    state: &State,
    optimizer: Option<Optimizer>,
) -> [Box<dyn Executor>; 2] {
    let load = |engine: &dyn dapple_graph::Engine| {
        engine.load(network.clone(), state, optimizer).expect("the state is the network's")
    };
    [load(&cpu()), load(engine)]
}

/// The largest difference as a share of the largest expected value.
fn distance(expected: &[f32], found: &[f32]) -> f64 {
    let expected: Vec<f64> = expected.iter().map(|&v| f64::from(v)).collect();
    dapple_reference::relative_distance(&expected, found)
}

/// The norm of the difference as a share of the expected norm.
fn norm_distance(expected: &[f32], found: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut expected.iter().zip(found).map(|(&e, &f)| f64::from(e) - f64::from(f)));
    let scale = norm(&mut expected.iter().map(|&v| f64::from(v)));
    if scale == 0.0 { difference } else { difference / scale }
}

/// Waves whose sign is the label.
fn batch(shape: Shape) -> (Tensor, Vec<u8>) {
    let mut input = Tensor::zeros(shape);
    let mut labels = Vec::with_capacity(shape.pixels());
    for (i, pixel) in input.data.chunks_exact_mut(shape.c).enumerate() {
        let (y, x) = (i / shape.w % shape.h, i % shape.w);
        let value = ((y * 3 + x * 5) as f32 / 16.0 + (i / (shape.h * shape.w)) as f32).sin();
        for (c, v) in pixel.iter_mut().enumerate() {
            *v = value + 0.2 * ((i * 7 + c * 13) % 11) as f32 / 11.0;
        }
        labels.push(u8::from(value > 0.0));
    }
    (input, labels)
}
