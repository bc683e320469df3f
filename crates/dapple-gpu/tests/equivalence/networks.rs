//! A network of the registry beside the CPU engine: outputs in every mode, losses, gradients, running statistics, ten training
//! steps, checkpoints that change engines. All of the registry: `crates/dapple/tests/engines.rs`.

use crate::{check, cpu, engine};
use dapple_graph::{Network, Shape};
use dapple_nets::NetConfig;
use dapple_reference::equivalence::{Pair, Smooth, Subject, TOLERANCE, hand_over, pair, together};
use std::sync::Arc;

/// U-Net with its poolings, skips and transposed convolutions, narrow, on small images; its twin without kinks if wanted.
fn unet(smooth: bool) -> Subject {
    let config = NetConfig::new("unet", 3, 3).expect("it is in the registry");
    let network: Arc<dyn Network> = Arc::new(NetConfig { width: 8, ..config });
    let network = if smooth { Arc::new(Smooth(network)) } else { network };
    Subject::new("unet", network, Shape::new(2, 48, 48, 3), 5)
}

#[test]
fn a_network_is_that_of_the_cpu() {
    let Some((engine, _turn)) = engine() else { return };
    let first = cpu();
    let engines = Pair { first: &first, second: &engine };
    let kinds = ["outputs", "training outputs", "losses", "statistics", "gradients"];
    check(&[pair(engines, &unet(true))], &kinds, TOLERANCE);
}

#[test]
fn trainings_stay_together_and_change_engines() {
    let Some((engine, _turn)) = engine() else { return };
    let first = cpu();
    let engines = Pair { first: &first, second: &engine };
    check(&[together(engines, &unet(true), 10)], &["losses", "way"], 10.0 * TOLERANCE);
    check(&[hand_over(engines, &unet(false))], &["losses"], 1e-2);
}
