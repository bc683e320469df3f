//! The steps of a plan in a table.

use std::collections::BTreeMap;

use dapple::cpu::{Profile, StepTime};
use serde::Serialize;

use super::work::median;

/// A step with its median time.
#[derive(Serialize)]
pub(super) struct Layer {
    node: String,
    kernel: &'static str,
    backward: bool,
    #[serde(flatten)]
    cost: Cost,
}

/// The time and the work of a step, or of several.
#[derive(Clone, Copy, Default, Serialize)]
struct Cost {
    seconds: f64,
    /// Of the sum of all steps.
    share: f64,
    /// Operations in units of 10^9, two for each multiply-add.
    giga_operations: f64,
    bytes: u64,
}

/// The steps of the passes.
pub(super) fn of(profile: &Profile) -> Vec<Layer> {
    let Some(first) = profile.passes.first() else { return Vec::new() };
    let layer = |(index, step): (usize, &StepTime)| {
        let seconds = median(profile.passes.iter().map(|steps| steps[index].seconds).collect());
        let giga_operations = 2.0 * step.multiply_adds as f64 / 1e9;
        let cost = Cost { seconds, share: 0.0, giga_operations, bytes: step.bytes };
        Layer { node: step.node.clone(), kernel: step.kernel, backward: step.backward, cost }
    };
    let mut layers: Vec<Layer> = first.iter().enumerate().map(layer).collect();
    let total: f64 = layers.iter().map(|layer| layer.cost.seconds).sum();
    layers.iter_mut().for_each(|layer| layer.cost.share = layer.cost.seconds / total);
    layers
}

/// Prints the steps, then the sums of each kernel.
pub(super) fn print(layers: &[Layer]) {
    let width = layers.iter().map(|layer| layer.node.len()).max().unwrap_or(0).max("operation".len());
    let heads = ["ms", "share", "GFLOP", "GFLOP/s", "MB", "GB/s"].map(|name| format!("{name:>9}")).concat();
    say!("\n{:width$} {:25}{heads}", "operation", "kernel");
    for layer in layers {
        say!("{:width$} {:25}{}", layer.node, layer.kernel, layer.cost.text());
    }
    let mut kinds: BTreeMap<&str, (usize, Cost)> = BTreeMap::new();
    for layer in layers {
        let (count, sum) = kinds.entry(layer.kernel).or_default();
        *count += 1;
        sum.add(layer.cost);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by(|a, b| b.1.1.seconds.total_cmp(&a.1.1.seconds));
    say!("\n{:25} {:>6}{heads}", "kernel", "count");
    for (kernel, (count, sum)) in kinds {
        say!("{kernel:25} {count:>6}{}", sum.text());
    }
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.share += other.share;
        self.giga_operations += other.giga_operations;
        self.bytes += other.bytes;
    }

    /// Time, share, operations and bytes with their rates; no operations where there are no products.
    fn text(&self) -> String {
        let Self { seconds, share, giga_operations, bytes } = self;
        let gigabytes = *bytes as f64 / 1e9;
        let operations = if *giga_operations > 0.0 {
            format!("{giga_operations:9.3}{:9.0}", giga_operations / seconds)
        } else {
            format!("{:>9}{:>9}", "-", "-")
        };
        let (ms, percent) = (seconds * 1e3, format!("{:.1} %", share * 100.0));
        format!("{ms:9.3}{percent:>9}{operations}{:9.2}{:9.1}", gigabytes * 1e3, gigabytes / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(node: &str, seconds: f64, multiply_adds: u64) -> StepTime {
        let node = node.to_owned();
        StepTime { node, kernel: "conv", backward: false, start: 0.0, seconds, multiply_adds, bytes: 8 }
    }

    #[test]
    fn times_are_medians_and_shares_of_their_sum() {
        let passes = [0.9, 0.1, 0.3].map(|seconds| vec![step("a", seconds, 500_000_000), step("b", 0.1, 0)]);
        let layers = of(&Profile { passes: passes.to_vec(), threads: Vec::new() });
        assert_eq!(layers.iter().map(|layer| layer.cost.seconds).collect::<Vec<_>>(), [0.3, 0.1]);
        assert!((layers[0].cost.share - 0.75).abs() < 1e-12 && (layers[1].cost.share - 0.25).abs() < 1e-12);
        assert_eq!((layers[0].cost.giga_operations, layers[1].cost.giga_operations), (1.0, 0.0));
        assert_eq!(layers[1].cost.text().matches('-').count(), 2);
    }
}
