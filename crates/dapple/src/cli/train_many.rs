//! `dapple train` with `--fold all` or `--seeds`: several related trainings; and `--find-lr`, which trains none.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use dapple::data::Dataset;
use dapple::device::engine;
use dapple::run::sweep::{Sweep, SweepKind, SweepResult};
use dapple::run::{note_on, save_rate_plot};
use dapple::train::{Outcome, RateSweep, TrainConfig};
use dapple_base::{ByteSize, StopFlag};

use super::arguments::Train;
use super::common::data::warn_of_validation;
use super::common::device::{Device, engine_options};
use super::common::progress::Progress;
use super::common::signal::stop_on_signal;
use super::common::values::shell_word;
use super::failure::Failure;

/// Steps of the learning-rate sweep.
const RATE_STEPS: usize = 100;

/// The kind of sweep in the arguments, if there is one.
pub fn kind(arguments: &Train, config: &TrainConfig) -> Result<Option<SweepKind>, Failure> {
    match (arguments.settings.given("fold"), arguments.seeds) {
        (Some("all"), Some(_)) => Err(Failure::input("give --fold all or --seeds, not both")),
        (Some("all"), None) => match config.data.folds {
            Some(folds) => Ok(Some(SweepKind::Folds(folds))),
            None => Err(Failure::input("--fold all needs the number of folds: --folds 5")),
        },
        (_, Some(seeds)) => Ok(Some(SweepKind::Seeds(seeds))),
        _ => Ok(None),
    }
}

/// Trains the unfinished members of a sweep, and compares all of them.
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
            say!("\n{member} ({} of {})", index + 1, members.len());
        }
        let training = sweep.member(index, dataset)?;
        warn_of_validation(training.dataset(), training.split())?;
        training.warnings().iter().for_each(|warning| note!("warning: {warning}"));
        let outcome = training.train(engine.as_ref(), &mut Progress::new(quiet), &stop)?;
        if matches!(outcome, Outcome::Interrupted { .. }) {
            if !quiet {
                say!("interrupted in {member}; the state is saved");
                say!("resume with: dapple train --resume {}", shell_word(sweep.folder()));
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
    say!();
    for (name, best) in &result.members {
        if let Some(score) = best.selection_score() {
            say!("{name}: {score:.6}{} in epoch {}", note_on(best.better_weights()), best.epoch);
        }
    }
    if let Some((mean, deviation)) = result.score {
        let deviation = deviation.map(|d| format!(" ± {d:.6}")).unwrap_or_default();
        say!("mean {mean:.6}{deviation} over {} trainings", result.members.len());
    }
    say!("written to {}", folder.join("members.csv").display());
    if let Some((path, scores)) = &result.ensemble {
        let shown =
            |score: Option<f64>| score.map_or_else(|| "undefined".into(), |score| format!("{score:.6}"));
        say!(
            "out of fold, all images: mIoU {}, Boundary mIoU {}, pixel accuracy {}",
            shown(scores.miou),
            shown(scores.boundary_miou),
            shown(scores.pixel_accuracy)
        );
        say!("all models in one file: {}", path.display());
        say!("next:");
        say!("  dapple predict {} photo.jpg --kind overlay", shell_word(path));
    }
}

/// Measures the loss at rising learning rates and draws the curve.
pub fn find_rate(
    config: &TrainConfig,
    dataset: &Arc<Dataset>,
    plot: &Path,
    quiet: bool,
) -> Result<(), Failure> {
    let engine = engine(&config.device, &engine_options(config)?)?;
    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this step")?;
    let sweep = RateSweep::measure(config, dataset, engine.as_ref(), RATE_STEPS, &mut |step, point| {
        if !quiet && step % 10 == 9 {
            say!("rate {:.1e}  loss {:.4}", point.rate, point.smoothed);
        }
        if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    save_rate_plot(&sweep, plot)?;
    match sweep.suggestion() {
        Some(rate) => say!("suggested: --lr {rate:.1e}"),
        None => say!("the loss falls at no learning rate: check the plot, the data and the loss"),
    }
    if !quiet {
        say!("written to {}; nothing was trained", plot.display());
    }
    Ok(())
}
