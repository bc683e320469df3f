//! `dapple train` with `--fold all` or `--seeds`: several related trainings.

use std::sync::Arc;

use dapple::data::Dataset;
use dapple::run::note_on;
use dapple::run::sweep::{Sweep, SweepKind, SweepResult};
use dapple::train::{Outcome, Standing, TrainConfig};
use dapple_base::{ByteSize, StopFlag};

use super::arguments::Train;
use super::common::data::warn_of_validation;
use super::common::device::Device;
use super::common::progress::Progress;
use super::common::signal::stop_on_signal;
use super::common::values::{shell_word, shortened};
use super::failure::Failure;

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
        print(&result, sweep);
    }
    Ok(())
}

fn print(result: &SweepResult, sweep: &Sweep) {
    let folder = sweep.folder();
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
        say!("  dapple serve {}", shell_word(path));
    } else if let Some(((best, _), _)) = Standing::best_of(&result.members, |(_, record)| record.standing()) {
        let (best, data) = (shell_word(&folder.join(best)), shell_word(&shortened(&sweep.config().data.dir)));
        say!("next, with the best of them:");
        say!("  dapple predict {best} photo.jpg --kind overlay");
        say!("  dapple eval {best} {data}");
        let members = result.members.iter().map(|(name, _)| shell_word(&folder.join(name)));
        say!("  dapple report {}", members.collect::<Vec<_>>().join(" "));
    }
}
