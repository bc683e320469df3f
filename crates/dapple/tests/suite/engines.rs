//! The optional engines against the processor's: operations, losses, optimizers, every network, training steps, checkpoints
//! that change hands.
//!
//! Runs on the devices that `DAPPLE_ENGINES` names (separated by commas), or on all of the optional engines that are there but
//! programs that stand for a graphics card, which are too slow for it; without any it says so and passes. `DAPPLE_NETWORKS`
//! names networks to be content with, `DAPPLE_CASES` a number of random graphs of each kind. `bench/engines` runs all of it,
//! the long parts too, and writes the table.

use dapple::cpu::CpuEngine;
use dapple::device::{self, DeviceInfo, EngineOptions};
use dapple::graph::{Engine, Network, Shape};
use dapple::nets::NetConfig;
use dapple::nets::registry::{NetworkEntry, networks};
use dapple_reference::equivalence::{
    self, Pair, Row, Smooth, Subject, TOLERANCE, behaviour, hand_over, markdown, pair, together,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Twice the tolerance for operations and random networks, as for the processor's engine: what single precision rounds,
/// normalisations of nearly equal values magnify.
const NORMED: f64 = 2.0 * TOLERANCE;

/// Largest relative difference of a loss in ten steps of a network with its kinks, whose gradients may rightly differ where
/// a ReLU reads zero within rounding; DDRNet parts by 4e-2, DeconvNet by 2e-2, all others by less than 1e-2.
const KINKED: f64 = 0.1;

/// Largest difference of a network's gradients. Most agree to 1e-4; deep ones whose batch norms see few values magnify what
/// either engine rounds.
const GRADIENTS: f64 = 1e-3;

/// Networks whose gradients do so more, and how far they may be off: max pooling of nearly equal values in U²-Net and its lite
/// form, where the order of sums decides; batch norms that see as few as two values in DeepLabV3+ and behind UPerNet's pooled
/// maps (`dapple-nets/tests/suite/parity.rs` has such ones among the coarse too).
const COARSE: [(&str, f64); 6] = [
    ("u2net", 1e-2),
    ("u2net-lite", 1e-2),
    ("deeplabv3plus-resnet34", 5e-3),
    ("upernet-vgg19-bn", 5e-3),
    ("upernet-resnet34", 5e-3),
    ("upernet-resnet101", 1e-2),
];

/// Draws of images and initial values for a network before its differences count: now and then rounding decides which of the
/// values of a pooling's window is the largest, and unpooling and gradients then go elsewhere.
const DRAWS: u64 = 5;
/// The seed of the first of them.
const FIRST_DRAW: u64 = 3;

/// The words in an environment variable.
fn listed(variable: &str) -> Option<Vec<String>> {
    Some(std::env::var(variable).ok()?.split(',').map(str::to_owned).collect())
}

/// How many random graphs of each kind are compared: so many, or as many as `DAPPLE_CASES` says.
fn cases(usual: u64) -> u64 {
    let Ok(count) = std::env::var("DAPPLE_CASES") else { return usual };
    count.parse().unwrap_or_else(|e| panic!("DAPPLE_CASES={count}: {e}"))
}

/// The devices to compare.
fn devices() -> Vec<String> {
    if let Some(names) = listed("DAPPLE_ENGINES") {
        return names;
    }
    let serious = |device: &DeviceInfo| {
        // `auto` has no use for libtorch on the processor either, but it is quick.
        device.present
            && (device.feature == Some("torch") || device.feature.is_some() && device.rank.is_some())
    };
    let names: Vec<String> =
        device::devices().into_iter().filter(serious).map(|device| device.name).collect();
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
fn subject(entry: &NetworkEntry, smooth: bool, seed: u64) -> Subject {
    let width = match entry.smallest {
        // Networks that need large images are narrower still.
        129.. => entry.width_step,
        _ => 8usize.next_multiple_of(entry.width_step),
    };
    let config = NetConfig::new(&entry.name, 3, 3).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
    let network: Arc<dyn Network> = Arc::new(NetConfig { width, ..config });
    let network: Arc<dyn Network> = if smooth { Arc::new(Smooth(network)) } else { network };
    // Large enough that the deepest maps have more than a few values to normalize.
    let side = entry.smallest.max(128);
    let mut subject = Subject::new(&entry.name, network, Shape::new(2, side, side, 3), seed);
    subject.loss = entry.with_targets(subject.loss);
    subject
}

/// The networks that are asked for.
fn all() -> Vec<&'static NetworkEntry> {
    let Some(wanted) = listed("DAPPLE_NETWORKS") else { return networks().iter().collect() };
    for name in &wanted {
        assert!(
            networks().iter().any(|entry| entry.name == *name),
            "DAPPLE_NETWORKS: there is no network {name}"
        );
    }
    networks().iter().filter(|entry| wanted.contains(&entry.name)).collect()
}

/// Of those the first of each family, and one on each encoder.
fn chosen() -> Vec<&'static NetworkEntry> {
    let mut families = Vec::new();
    let mut encoders = Vec::new();
    let new = |entry: &&NetworkEntry| {
        let family = !families.contains(&entry.family);
        families.push(entry.family);
        let name = entry.encoder.map(|encoder| encoder.name);
        let encoder = name.is_some() && !encoders.contains(&name);
        encoders.push(name);
        family || encoder
    };
    all().into_iter().filter(new).collect()
}

/// A network without its kinks on two engines.
fn compare(device: &str, engines: Pair<'_>, entry: &NetworkEntry) -> Row {
    let mut row = pair(engines, &subject(entry, true, FIRST_DRAW));
    for seed in FIRST_DRAW + 1..FIRST_DRAW + DRAWS {
        let mut verdict = Verdict::default();
        verdict.check_network(device, &row);
        if verdict.0.is_empty() {
            break;
        }
        println!("once more: {}", verdict.0.join("; "));
        row.best(&pair(engines, &subject(entry, true, seed)));
    }
    println!("{device}, {}: {:?}", entry.name, row.differences);
    row
}

/// The values above their limits, so that all of them are reported.
#[derive(Default)]
struct Verdict(Vec<String>);

impl Verdict {
    fn check(&mut self, device: &str, rows: &[Row], limit: f64) {
        let faults = rows.iter().flat_map(|row| row.faults(limit));
        self.0.extend(faults.map(|fault| format!("{device}, {fault}")));
    }

    /// Of a network without kinks.
    fn check_network(&mut self, device: &str, row: &Row) {
        let coarse = COARSE.iter().find(|(name, _)| *name == row.family);
        for (kind, by, case) in &row.differences {
            let limit = match *kind {
                "gradients" => coarse.map_or(GRADIENTS, |(_, limit)| *limit),
                _ => TOLERANCE,
            };
            if *by > limit {
                self.0.push(format!("{device}: {kind} differ by {by:.2e}: {case}"));
            }
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[test]
fn operations_losses_and_optimizers_agree_with_the_reference() {
    let mut verdict = Verdict::default();
    for device in devices() {
        let engine = engine(&device);
        verdict.check(&device, &equivalence::operations(engine.as_ref(), cases(6)), NORMED);
        verdict.check(&device, &[equivalence::networks(engine.as_ref(), cases(30))], NORMED);
        verdict.check(&device, &equivalence::losses(engine.as_ref(), cases(20)), TOLERANCE);
        verdict.check(&device, &equivalence::optimizers(engine.as_ref(), cases(6)), TOLERANCE);
    }
    verdict.end();
}

#[test]
fn promises_are_kept() {
    devices().iter().for_each(|device| behaviour::all(engine(device).as_ref()));
}

#[test]
fn networks_agree_with_the_processors() {
    let mut verdict = Verdict::default();
    for device in devices() {
        let (first, second) = (processor(), engine(&device));
        for entry in chosen() {
            let engines = Pair { first: &first, second: second.as_ref() };
            verdict.check_network(&device, &compare(&device, engines, entry));
        }
    }
    verdict.end();
}

#[test]
fn trainings_stay_together_and_change_hands() {
    let mut verdict = Verdict::default();
    for device in devices() {
        let (first, second) = (processor(), engine(&device));
        let engines = Pair { first: &first, second: second.as_ref() };
        let few = ["unet", "segnet", "u2net-lite", "segformer-b0"];
        for entry in all().into_iter().filter(|entry| few.contains(&entry.name.as_str())) {
            let row = training(engines, entry);
            println!("{device}, {}: {:?}", entry.name, row.differences);
            verdict.check(&device, &[row], KINKED);
        }
    }
    verdict.end();
}

/// Losses of ten steps, without kinks and with them, and of a training that changes hands.
fn training(engines: Pair<'_>, entry: &NetworkEntry) -> Row {
    let [smooth, kinked] = [true, false].map(|smooth| subject(entry, smooth, FIRST_DRAW));
    let mut row = Row::new(&entry.name);
    row.compared = 1;
    row.note("ten steps, smooth", together(engines, &smooth, 10).largest("losses"), &entry.name);
    row.note("ten steps", together(engines, &kinked, 10).largest("losses"), &entry.name);
    row.note("handed over", hand_over(engines, &kinked).largest("losses"), &entry.name);
    row
}

/// Everything, and the table; long.
#[test]
#[ignore = "takes minutes; `bench/engines` runs it"]
fn everything_with_a_table() {
    let mut verdict = Verdict::default();
    let text: String = devices().iter().map(|device| report(device, &mut verdict)).collect();
    match std::env::var("DAPPLE_ENGINES_TABLE") {
        Ok(file) => std::fs::write(&file, &text).unwrap_or_else(|e| panic!("{file}: {e}")),
        Err(_) => println!("{text}"),
    }
    verdict.end();
}

/// The tables of a device.
fn report(device: &str, verdict: &mut Verdict) -> String {
    let (first, second) = (processor(), engine(device));
    let engines = Pair { first: &first, second: second.as_ref() };
    behaviour::all(engines.second);

    let mut operations = equivalence::operations(engines.second, cases(30));
    operations.push(equivalence::networks(engines.second, cases(150)));
    let losses = equivalence::losses(engines.second, cases(60));
    let optimizers = equivalence::optimizers(engines.second, cases(20));
    verdict.check(device, &operations, NORMED);
    verdict.check(device, &losses, TOLERANCE);
    verdict.check(device, &optimizers, TOLERANCE);

    let mut groups: BTreeMap<&str, Row> = BTreeMap::new();
    for entry in all() {
        let row = compare(device, engines, entry);
        verdict.check_network(device, &row);
        groups.entry(entry.family).or_insert_with(|| Row::new(entry.family)).merge(&row);
    }
    let groups: Vec<Row> = groups.into_values().collect();
    let trainings: Vec<Row> = chosen().into_iter().map(|entry| training(engines, entry)).collect();
    verdict.check(device, &trainings, KINKED);

    let mut text = format!("### {device}\n\n");
    let mut table = |title: &str, rows: &[Row], kinds: &[&str]| {
        writeln!(text, "{title}\n\n{}", markdown(rows, kinds)).expect("a string takes everything");
    };
    let title = "Operations and random networks, against the `f64` reference:";
    table(title, &operations, &["outputs", "gradients", "statistics"]);
    table("Losses:", &losses, &["losses", "gradients"]);
    table("Optimizers, three steps:", &optimizers, &["gradient norm", "parameters", "state"]);
    let title = "Every network, with smooth activations, a row for each family, against the CPU engine:";
    table(title, &groups, &["outputs", "training outputs", "losses", "gradients", "statistics"]);
    let title = "Losses of training steps compared with the CPU engine, and of checkpoints handed over:";
    table(title, &trainings, &["ten steps, smooth", "ten steps", "handed over"]);
    text
}
