//! `dapple train` as one of several processes that train one model together.

use std::path::PathBuf;
use std::sync::Arc;

use dapple::data::Split;
use dapple::run::Run;
use dapple::train::{TrainConfig, Training, TrainingFiles, open_dataset};
use dapple_base::StopFlag;
use serde::{Deserialize, Serialize};

use super::arguments::Train;
use super::common::cluster::Cluster;
use super::common::signal::stop_in_silence;
use super::failure::Failure;

/// What several processes cannot do.
pub const ONE_MODEL: &str = "several processes train one model together: start several trainings (--fold all, --seeds) and --find-lr as one \
    process, or one fold or seed at a time over MPI";

/// What the first process tells the others of their training.
#[derive(Serialize, Deserialize)]
struct Plan {
    /// `config.toml`.
    config: String,
    split: Split,
    folder: PathBuf,
}

/// The run of the first process, which alone reads the flags, prints and writes; the others are told of it.
pub fn led(cluster: &Cluster, run: Run) -> Result<Run, Failure> {
    let folder = run.folder().path();
    let folder = std::path::absolute(folder).unwrap_or(folder.to_owned());
    let plan = Plan { config: run.config().to_toml(), split: run.split().clone(), folder };
    let told = serde_json::to_vec(&plan).map_err(|error| {
        let folder = plan.folder.display();
        Failure::input(format!("{folder}: the other processes cannot be told of it: {error}"))
    })?;
    cluster.ranks().broadcast(&told)?;
    Ok(run.over(Arc::clone(cluster.ranks())))
}

/// Trains as one of the other processes.
pub fn follow(cluster: &Cluster, arguments: &Train) -> Result<(), Failure> {
    let plan: Plan = serde_json::from_slice(&cluster.ranks().broadcast(&[])?)
        .map_err(|error| Failure::other(format!("the first process tells nothing to train: {error}")))?;
    let config = TrainConfig::from_toml(&plan.config)
        .map_err(|error| Failure::other(format!("the settings of the first process: {error}")))?;
    let device = cluster.device(&arguments.device, &config);
    let engine = device.engine_for(&config, arguments.memory_limit, true)?;
    let dataset = open_dataset(&config)?;
    let files = TrainingFiles::new(plan.folder);
    let training = Training::resume(config, dataset, plan.split, &files)?.over(Arc::clone(cluster.ranks()));
    let stop = StopFlag::new();
    stop_in_silence(stop.clone())?;
    training.run(files, engine.as_ref(), &mut (), &mut (), &stop)?;
    Ok(())
}
