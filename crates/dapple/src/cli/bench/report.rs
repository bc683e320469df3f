//! Measurements as text and as JSON.

use dapple::graph::{Graph, summary};
use dapple::run::grouped;
use serde::Serialize;

use super::arguments::Bench;
use super::layers::{self, Layer};
use super::subject::{Subject, giga_operations};
use super::work::median;
use crate::cli::common::json::write_json;
use crate::cli::failure::Failure;

/// Measurements on one device.
#[derive(Serialize)]
pub(super) struct Measured {
    device: String,
    network: String,
    parameters: usize,
    size: usize,
    batch: usize,
    train: bool,
    precision: &'static str,
    /// Of the CPU engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simd: Option<&'static str>,
    median_s: f64,
    images_per_s: f64,
    gflops: f64,
    /// Of the whole process.
    peak_rss_mb: Option<f64>,
    /// Memory of the CPU engine, as planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned_mb: Option<f64>,
    /// The smallest `--memory-limit` that suffices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest_mb: Option<f64>,
    /// What does not depend on the batch: parameters, gradients and the optimizer's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<Layer>>,
}

/// Several devices side by side.
#[derive(Serialize)]
pub(super) struct Compared {
    devices: Vec<Measured>,
    /// The median over the turns of the first device's time over each device's.
    ratios: Vec<f64>,
    /// The largest difference of the first output (in training: the first loss) from the first device's, relative to its
    /// largest value.
    differences: Vec<f64>,
}

impl Measured {
    pub fn new(arguments: &Bench, graph: &Graph, subject: &Subject, peak_rss_mb: Option<f64>) -> Self {
        let median_s = median(subject.seconds.clone());
        Self {
            device: subject.device.clone(),
            network: arguments.network.clone(),
            parameters: summary::parameters(graph),
            size: arguments.size,
            batch: arguments.batch,
            train: arguments.train,
            precision: arguments.precision.name(),
            threads: None,
            simd: None,
            median_s,
            images_per_s: arguments.batch as f64 / median_s,
            gflops: giga_operations(graph, arguments.train) / median_s,
            peak_rss_mb,
            planned_mb: None,
            smallest_mb: None,
            kept_mb: None,
            layers: None,
        }
    }

    /// The network and its workload.
    pub fn head(&self) -> String {
        let work = if self.train { "training step" } else { "inference" };
        let (parameters, size) = (grouped(self.parameters as u64), self.size);
        format!("{}, {parameters} parameters, {work}, batch {}, {size} x {size}", self.network, self.batch)
    }
}

impl Compared {
    pub fn new(devices: Vec<Measured>, subjects: &[Subject]) -> Self {
        let first = &subjects[0];
        let ratio = |subject: &Subject| {
            let turns = first.seconds.iter().zip(&subject.seconds);
            median(turns.map(|(first, own)| first / own).collect())
        };
        let difference = |subject: &Subject| match (&first.output, &subject.output) {
            (Some(first), Some(own)) => distance(&first.data, &own.data),
            _ => distance(&first.losses[..1], &subject.losses[..1]),
        };
        Self {
            devices,
            ratios: subjects.iter().map(ratio).collect(),
            differences: subjects.iter().map(difference).collect(),
        }
    }
}

/// The largest difference, relative to the largest expected value.
fn distance(expected: &[f32], found: &[f32]) -> f64 {
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let difference = expected.iter().zip(found).fold(0.0f32, |m, (e, f)| m.max((e - f).abs()));
    f64::from(difference / largest)
}

/// Prints and writes the measurements on one device.
pub(super) fn one(arguments: &Bench, m: &Measured) -> Result<(), Failure> {
    if !write_json(m, arguments.json.as_deref())? {
        return Ok(());
    }
    let on = match (m.threads, m.simd) {
        (Some(threads), Some(simd)) => format!("{threads} threads, {simd}"),
        _ => format!("{}, {}", m.device, m.precision),
    };
    say!("{}, {on}", m.head());
    say!(
        "median {:.1} ms   {:.2} images/s   {:.0} GFLOP/s   peak memory {}",
        m.median_s * 1e3,
        m.images_per_s,
        m.gflops,
        m.peak_rss_mb.map_or("unknown".to_owned(), |mb| format!("{mb:.0} MB"))
    );
    if let (Some(mb), Some(smallest), Some(kept)) = (m.planned_mb, m.smallest_mb, m.kept_mb) {
        say!(
            "the engine's own memory as planned: {mb:.0} MB; {smallest:.0} MB at least (--memory-limit), {kept:.0} MB of \
             it for parameters, gradients and the optimizer"
        );
    }
    if let Some(layers) = &m.layers {
        layers::print(layers);
    }
    Ok(())
}

/// Prints and writes the measurements on several devices.
pub(super) fn several(arguments: &Bench, compared: &Compared) -> Result<(), Failure> {
    if !write_json(compared, arguments.json.as_deref())? {
        return Ok(());
    }
    let first = &compared.devices[0];
    say!("{}, {}, {} turns", first.head(), first.precision, arguments.runs);
    say!(
        "\n{:12} {:>10} {:>10} {:>10} {:>8} {:>11}",
        "device",
        "ms",
        "images/s",
        "GFLOP/s",
        "ratio",
        "difference"
    );
    for ((m, ratio), difference) in compared.devices.iter().zip(&compared.ratios).zip(&compared.differences) {
        say!(
            "{:12} {:>10.1} {:>10.2} {:>10.0} {ratio:>8.2} {difference:>11.1e}",
            m.device,
            m.median_s * 1e3,
            m.images_per_s,
            m.gflops
        );
    }
    if let Some(layers) = compared.devices.iter().find_map(|m| m.layers.as_ref()) {
        layers::print(layers);
    }
    Ok(())
}
