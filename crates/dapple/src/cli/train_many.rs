//! `dapple train` with `--fold all` or `--seeds`: several trainings that belong together; and `--find-lr`, which trains
//! none.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dapple::data::Dataset;
use dapple::device::engine;
use dapple::run::save_rate_plot;
use dapple::run::sweep::{Kind, Sweep, SweepResult};
use dapple::train::{Outcome, RateSweep, TrainConfig};
use dapple_base::{ByteSize, StopFlag};

use super::arguments::{Device, Train};
use super::devices;
use super::failure::Failure;
use super::progress::Progress;
use super::train::stop_on_signal;

/// Steps of a sweep of learning rates.
const RATE_STEPS: usize = 100;

/// The several trainings that the arguments ask for, if they do.
pub fn kind(arguments: &Train, config: &TrainConfig) -> Result<Option<Kind>, Failure> {
    match (arguments.settings.given("fold"), arguments.seeds) {
        (Some("all"), Some(_)) => Err(Failure::input("give --fold all or --seeds, not both")),
        (Some("all"), None) => match config.data.folds {
            Some(folds) => Ok(Some(Kind::Folds(folds))),
            None => Err(Failure::input("--fold all needs the number of folds: --folds 5")),
        },
        (_, Some(seeds)) => Ok(Some(Kind::Seeds(seeds))),
        _ => Ok(None),
    }
}

/// Trains what is not finished of a sweep, and compares its members.
pub fn run(
    sweep: &Sweep,
    dataset: &Arc<Dataset>,
    device: &Device,
    memory_limit: Option<ByteSize>,
    quiet: bool,
) -> Result<(), Failure> {
    let config = sweep.config();
    let engine = device.engine_for(config, memory_limit, quiet)?;
    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this batch; once more to stop at once, without saving")?;
    let members = sweep.members();
    for (index, member) in members.iter().enumerate() {
        if !quiet {
            println!("\n{member} ({} of {})", index + 1, members.len());
        }
        let training = sweep.member(index, dataset)?;
        let outcome = training.train(engine.as_ref(), &mut Progress::new(quiet), &stop)?;
        if matches!(outcome, Outcome::Interrupted { .. }) {
            if !quiet {
                println!("interrupted in {member}; the state is saved");
                println!("resume with: dapple train --resume {}", sweep.folder().display());
            }
            return Ok(());
        }
    }
    let result = sweep.finish()?;
    if !quiet {
        print(&result, sweep.folder());
    }
    Ok(())
}

fn print(result: &SweepResult, folder: &Path) {
    println!();
    for (name, best) in &result.members {
        if let Some(score) = best.selection_score() {
            println!("{name}: {score:.6} in epoch {}", best.epoch);
        }
    }
    if let Some((mean, deviation)) = result.score {
        let deviation = deviation.map(|d| format!(" ± {d:.6}")).unwrap_or_default();
        println!("mean {mean:.6}{deviation} over {} trainings", result.members.len());
    }
    println!("written to {}", folder.join("members.csv").display());
    if let Some((path, scores)) = &result.ensemble {
        let shown =
            |score: Option<f64>| score.map_or_else(|| "undefined".into(), |score| format!("{score:.6}"));
        println!(
            "out of fold, all images: mIoU {}, Boundary mIoU {}, pixel accuracy {}",
            shown(scores.miou),
            shown(scores.boundary_miou),
            shown(scores.pixel_accuracy)
        );
        println!("all models in one file: {}", path.display());
    }
}

/// Measures losses at rising learning rates and draws them.
pub fn find_rate(
    config: &TrainConfig,
    dataset: &Arc<Dataset>,
    plot: &Path,
    quiet: bool,
) -> Result<(), Failure> {
    let engine = engine(&config.device, &devices::options(config))?;
    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this step")?;
    let sweep = RateSweep::measure(config, dataset, engine.as_ref(), RATE_STEPS, &mut |step, point| {
        if !quiet && step % 10 == 9 {
            println!("rate {:.1e}  loss {:.4}", point.rate, point.smoothed);
        }
        if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    save_rate_plot(&sweep, plot)?;
    match sweep.suggestion() {
        Some(rate) => println!("suggested: --lr {rate:.1e}"),
        None => println!("the loss falls at no rate: look at the plot, the data and the loss"),
    }
    if !quiet {
        println!("written to {}; nothing was trained", plot.display());
    }
    Ok(())
}
