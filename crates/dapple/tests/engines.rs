//! The optional engines against the processor's: operations, losses, optimisers, every network, training steps, checkpoints
//! that change hands.
//!
//! Runs on the devices that `DAPPLE_ENGINES` names (separated by commas), or on all of the optional engines that are there;
//! without any it says so and passes. `bench/engines` runs all of it, the long parts too, and writes the table.

#![cfg(any(feature = "torch", feature = "gpu"))]

use dapple::cpu::CpuEngine;
use dapple::device::{self, EngineOptions};
use dapple::graph::{Engine, Network, Shape};
use dapple::nets::NetConfig;
use dapple::nets::registry::{Entry, networks};
use dapple_reference::equivalence::{
    self, Pair, Row, Smooth, Subject, TOLERANCE, behaviour, hand_over, markdown, pair, together,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Largest relative difference of a loss in ten steps of a network with its kinks, whose gradients may rightly differ where
/// a ReLU reads zero within rounding.
const KINKED: f64 = 1e-2;

/// The devices to compare.
fn devices() -> Vec<String> {
    if let Ok(names) = std::env::var("DAPPLE_ENGINES") {
        return names.split(',').map(str::to_owned).collect();
    }
    let optional = device::devices().into_iter().filter(|device| device.feature.is_some() && device.present);
    let names: Vec<String> = optional.map(|device| device.name).collect();
    if names.is_empty() {
        println!("skipped: no device of an optional engine is here (`dapple devices`)");
    }
    names
}

fn engine(device: &str) -> Box<dyn Engine> {
    device::engine(device, &EngineOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn processor() -> CpuEngine {
    CpuEngine::new(None).expect("threads can be started")
}

/// A network of the registry, narrow and small.
fn subject(entry: &Entry, smooth: bool) -> Subject {
    let width = match entry.smallest {
        // What wants large images is narrower still.
        129.. => entry.width_step,
        _ => 8usize.next_multiple_of(entry.width_step),
    };
    let config = NetConfig::new(&entry.name, 3, 3).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    let network: Arc<dyn Network> = Arc::new(NetConfig { width, ..config });
    let network = if smooth { Arc::new(Smooth(network)) } else { network };
    let side = entry.smallest.max(64);
    Subject::new(&entry.name, network, Shape::new(2, side, side, 3), 3)
}

/// The first network of each family, and one on each encoder.
fn chosen() -> Vec<&'static Entry> {
    let mut families = Vec::new();
    let mut encoders = Vec::new();
    let new = |entry: &&Entry| {
        let family = !families.contains(&entry.family);
        families.push(entry.family);
        let name = entry.encoder.map(|encoder| encoder.name);
        let encoder = name.is_some() && !encoders.contains(&name);
        encoders.push(name);
        family || encoder
    };
    networks().iter().filter(new).collect()
}

fn check(device: &str, rows: &[Row], limit: f64) {
    for row in rows {
        Row { family: format!("{device}, {}", row.family), ..row.clone() }.check(limit);
    }
}

#[test]
fn operations_losses_and_optimizers_agree_with_the_reference() {
    for device in devices() {
        let engine = engine(&device);
        check(&device, &equivalence::operations(engine.as_ref(), 6), TOLERANCE);
        check(&device, &[equivalence::networks(engine.as_ref(), 30)], TOLERANCE);
        check(&device, &equivalence::losses(engine.as_ref(), 20), TOLERANCE);
        check(&device, &equivalence::optimizers(engine.as_ref(), 6), TOLERANCE);
    }
}

#[test]
fn promises_are_kept() {
    devices().iter().for_each(|device| behaviour::all(engine(device).as_ref()));
}

#[test]
fn networks_agree_with_the_processors() {
    for device in devices() {
        let (first, second) = (processor(), engine(&device));
        let engines = Pair { first: &first, second: second.as_ref() };
        for entry in chosen() {
            check(&device, &[smooth(engines, entry)], TOLERANCE);
        }
    }
}

#[test]
fn trainings_stay_together_and_change_hands() {
    for device in devices() {
        let (first, second) = (processor(), engine(&device));
        let engines = Pair { first: &first, second: second.as_ref() };
        for name in ["unet", "segnet", "u2net-lite", "segformer-b0"] {
            let entry = networks().iter().find(|entry| entry.name == name).expect("it is in the registry");
            check(&device, &[together(engines, &subject(entry, true), 10)], 10.0 * TOLERANCE);
            let kinked = subject(entry, false);
            check(&device, &[together(engines, &kinked, 10), hand_over(engines, &kinked)], KINKED);
        }
    }
}

/// A network without kinks: outputs, losses, gradients, running statistics.
fn smooth(engines: Pair<'_>, entry: &Entry) -> Row {
    pair(engines, &subject(entry, true))
}

/// Everything, and the table; long.
#[test]
#[ignore = "takes minutes; `bench/engines` runs it"]
fn everything_with_a_table() {
    let mut text = String::new();
    for device in devices() {
        text += &report(&device);
    }
    match std::env::var("DAPPLE_ENGINES_TABLE") {
        Ok(file) => std::fs::write(&file, &text).unwrap_or_else(|e| panic!("{file}: {e}")),
        Err(_) => println!("{text}"),
    }
}

/// The tables of a device; panics where a limit is passed.
fn report(device: &str) -> String {
    let (first, second) = (processor(), engine(device));
    let engines = Pair { first: &first, second: second.as_ref() };
    behaviour::all(engines.second);

    let mut operations = equivalence::operations(engines.second, 30);
    operations.push(equivalence::networks(engines.second, 150));
    let losses = equivalence::losses(engines.second, 60);
    let optimizers = equivalence::optimizers(engines.second, 20);
    [&operations, &losses, &optimizers].into_iter().for_each(|rows| check(device, rows, TOLERANCE));

    let mut groups: BTreeMap<&str, Row> = BTreeMap::new();
    for entry in networks() {
        let row = smooth(engines, entry);
        check(device, std::slice::from_ref(&row), TOLERANCE);
        groups.entry(entry.family).or_insert_with(|| Row::new(entry.family)).merge(&row);
        println!("{device}, {}: {:?}", entry.name, row.differences);
    }
    let mut trainings = Vec::new();
    for entry in chosen() {
        let [smooth, kinked] = [true, false].map(|smooth| subject(entry, smooth));
        let mut row = Row::new(&entry.name);
        row.compared = 1;
        let steps = together(engines, &smooth, 10);
        check(device, std::slice::from_ref(&steps), 10.0 * TOLERANCE);
        row.note("ten steps, smooth", steps.largest("losses"), &entry.name);
        row.note("way, smooth", steps.largest("way"), &entry.name);
        let others = [together(engines, &kinked, 10), hand_over(engines, &kinked)];
        row.note("ten steps", others[0].largest("losses"), &entry.name);
        row.note("handed over", others[1].largest("losses"), &entry.name);
        check(device, &others[1..], KINKED);
        trainings.push(row);
    }

    let mut text = format!("### {device}\n\n");
    let mut table = |title: &str, rows: &[Row], kinds: &[&str]| {
        writeln!(text, "{title}\n\n{}", markdown(rows, kinds)).expect("a string takes everything");
    };
    table(
        "Operations and random networks, against the `f64` reference:",
        &operations,
        &["outputs", "gradients", "statistics"],
    );
    table("Losses:", &losses, &["losses", "gradients"]);
    table("Optimisers, three steps:", &optimizers, &["norms", "parameters", "memory"]);
    let groups: Vec<Row> = groups.into_values().collect();
    table(
        "Every network without its kinks, a row a family, against the processor's engine:",
        &groups,
        &["outputs", "training outputs", "losses", "gradients", "statistics"],
    );
    table(
        "Training steps with the processor's engine beside them, and checkpoints that change hands; losses:",
        &trainings,
        &["ten steps, smooth", "way, smooth", "ten steps", "handed over"],
    );
    text
}
