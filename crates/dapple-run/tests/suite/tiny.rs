//! A tiny network, a few synthetic pictures, and the files of their runs.

use std::path::Path;

use dapple_cpu::CpuEngine;
use dapple_data::synthetic;
use dapple_graph::{Network, Shape};
use dapple_train::{Checkpoint, EpochRecord, TrainConfig, read_records};

pub const SIDE: usize = 32;

/// Three epochs over ten pictures, which are written if they are not there: eight of them for training, in four batches.
pub fn config(data: &Path, network: &str, width: usize) -> TrainConfig {
    if !data.exists() {
        synthetic::write(data, 7, 10, SIDE, SIDE).expect("the folder is writable");
    }
    let mut config =
        TrainConfig::for_network(network, synthetic::CLASSES.len(), data).expect("a known network");
    config.network.width = width;
    (config.input.height, config.input.width) = (SIDE, SIDE);
    (config.epochs, config.batch) = (3, 2);
    config.evaluation.pictures = 1;
    config
}

pub fn engine() -> CpuEngine {
    CpuEngine::new(Some(2)).expect("threads can be started")
}

/// The rows without the time, which no two runs share.
pub fn rows(run: &Path) -> Vec<EpochRecord> {
    let records = read_records(&run.join("metrics.jsonl")).expect("the rows are well formed");
    records.into_iter().map(|record| EpochRecord { seconds: 0.0, wait_seconds: 0.0, ..record }).collect()
}

pub fn checkpoint(run: &Path, config: &TrainConfig) -> Checkpoint {
    let graph = config.network.build(Shape::new(1, SIDE, SIDE, 3)).expect("the size fits");
    Checkpoint::load(&run.join("last.safetensors"), &graph).expect("the run has a checkpoint")
}
