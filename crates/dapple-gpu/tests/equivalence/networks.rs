//! The networks of the registry, narrow and on small images, beside the CPU engine: outputs, loss, gradients, running
//! statistics.
//!
//! On a program that stands for a card, kernels of each size are compiled for seconds; all but three wait for
//! `--include-ignored`.

use crate::{TOLERANCE, batch, both, distance, engine, norm_distance};
use dapple_gpu::GpuEngine;
use dapple_graph::{Loss, LossKind, Mode, Network, Shape, State};
use dapple_nets::{Activation, NetConfig, registry};
use std::collections::HashSet;
use std::sync::Arc;

/// Distances of outputs, loss, running statistics and gradients.
type Distances = [f64; 4];

fn compare(engine: &GpuEngine, entry: &registry::Entry) -> Distances {
    let narrow = NetConfig::new(&entry.name, 3, 2).expect("it is in the registry");
    let width = 8usize.next_multiple_of(entry.width_step);
    let mut config = NetConfig { width, activation: Activation::Softmax, ..narrow };
    if config.check().is_err() {
        config.width = entry.width;
    }
    let side = entry.smallest.max(32);
    let shape = Shape::new(2, side, side, 3);
    let graph = config.build(shape).expect("it fits");
    let state = State::init(&graph, 5);
    let network: Arc<dyn Network> = Arc::new(config);
    let (input, labels) = batch(shape);
    let loss = Loss::sum(&[(LossKind::CrossEntropy, 1.0), (LossKind::Dice, 1.0)]);
    let [a, b] = both(engine, &network, &state, None).map(|mut executor| {
        let outputs = executor.forward(&input, Mode::Eval).expect("it fits");
        let predicted = executor.forward(&input, Mode::Predict).expect("it fits");
        let value = executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
        let outputs: Vec<f32> = outputs.into_iter().chain(predicted).flat_map(|t| t.data).collect();
        (outputs, value, executor.state().statistics, executor.gradients())
    });
    [distance(&a.0, &b.0), (a.1 - b.1).abs() / a.1, distance(&a.2, &b.2), norm_distance(&a.3, &b.3)]
}

/// Gradients as norms: single ReLUs and maxima fall to the other side in single precision, and batch norms of few values
/// magnify it (`dapple-nets/tests/parity.rs` counts them); a wrong gradient is off by tenths.
fn check<'a>(entries: impl Iterator<Item = &'a registry::Entry>) {
    let Some((engine, _turn)) = engine() else { return };
    println!("{:28} {:>8} {:>8} {:>10} {:>9}", "network", "outputs", "loss", "statistics", "gradients");
    let mut bad = Vec::new();
    for entry in entries {
        let found @ [outputs, loss, statistics, gradients] = compare(&engine, entry);
        println!("{:28} {outputs:8.1e} {loss:8.1e} {statistics:10.1e} {gradients:9.1e}", entry.name);
        if !(outputs < TOLERANCE && loss < TOLERANCE && statistics < TOLERANCE && gradients < 5e-2) {
            bad.push(format!("{}: {found:.1e?}", entry.name));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn small_networks_agree_with_the_cpu() {
    let names = ["unet", "segnet", "u2net-lite"];
    check(names.into_iter().map(|name| registry::find(name).expect("it is in the registry")));
}

/// Every decoder and every encoder at least once.
#[test]
#[ignore = "takes many minutes on software adapters"]
fn all_networks_agree_with_the_cpu() {
    let mut seen = HashSet::new();
    let new = |entry: &&registry::Entry| {
        let encoder = entry.encoder.map(|encoder| encoder.name);
        let family = seen.insert(entry.family.to_owned());
        encoder.is_some_and(|name| seen.insert(format!("on {name}"))) || family
    };
    check(registry::networks().iter().filter(new));
}
