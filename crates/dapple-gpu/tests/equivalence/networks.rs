//! The networks of the registry, narrow and on small images, beside the CPU engine: outputs in every mode, losses,
//! gradients, running statistics; ten training steps; checkpoints that change engines.
//!
//! On a program that stands for a card, kernels of each size are compiled for seconds; all but one wait for
//! `--include-ignored`.

use crate::{check, cpu, engine};
use dapple_graph::{Network, Shape};
use dapple_nets::{NetConfig, registry};
use dapple_reference::equivalence::{Pair, Row, Smooth, Subject, hand_over, pair, together};
use std::collections::HashSet;
use std::sync::Arc;

/// A network of the registry, as narrow as it can be; its smooth twin, whose gradients have no kinks, if wanted.
fn subject(entry: &registry::Entry, smooth: bool) -> Subject {
    let mut config = NetConfig::new(&entry.name, 3, 2).expect("it is in the registry");
    let narrow = NetConfig { width: 8usize.next_multiple_of(entry.width_step), ..config.clone() };
    if narrow.check().is_ok() {
        config = narrow;
    }
    let side = entry.smallest.max(32);
    let network: Arc<dyn Network> = Arc::new(config);
    let network = if smooth { Arc::new(Smooth(network)) } else { network };
    Subject::new(&entry.name, network, Shape::new(2, side, side, 3), 5)
}

const KINDS: [&str; 5] = ["outputs", "training outputs", "losses", "statistics", "gradients"];

fn compare<'a>(entries: impl Iterator<Item = &'a registry::Entry>) {
    let Some((engine, _turn)) = engine() else { return };
    let first = cpu();
    let engines = Pair { first: &first, second: &engine };
    let rows: Vec<Row> = entries
        .map(|entry| {
            let row = pair(engines, &subject(entry, true));
            println!("{}: {:?}", entry.name, KINDS.map(|kind| row.largest(kind)));
            row
        })
        .collect();
    check(&rows, &KINDS, 1e-3);
}

#[test]
fn a_network_agrees_with_the_cpu() {
    compare(std::iter::once(registry::find("unet").expect("it is in the registry")));
}

#[test]
fn trainings_stay_together_and_change_engines() {
    let Some((engine, _turn)) = engine() else { return };
    let first = cpu();
    let engines = Pair { first: &first, second: &engine };
    let subject = subject(registry::find("unet").expect("it is in the registry"), true);
    check(&[together(engines, &subject, 10)], &["losses", "way"], 1e-3);
    check(&[hand_over(engines, &subject)], &["losses"], 1e-3);
}

/// Every decoder and every encoder at least once.
#[test]
#[ignore = "takes many minutes on software adapters"]
fn all_networks_agree_with_the_cpu() {
    let mut seen = HashSet::new();
    let new = |entry: &&registry::Entry| {
        let family = seen.insert(entry.family.to_owned());
        let encoder = entry.encoder.is_some_and(|encoder| seen.insert(format!("on {}", encoder.name)));
        family || encoder
    };
    compare(registry::networks().iter().filter(new));
}
