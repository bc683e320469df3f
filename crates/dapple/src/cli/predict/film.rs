//! Films named among the images.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dapple::predict::batch::Batch;
use dapple::predict::output::Kind;
use dapple::predict::video::{self, Look, VideoSettings, VideoSummary};
use dapple::predict::{PredictError, Predictor};
use dapple_base::{StopFlag, WriteError};
use indicatif::ProgressBar;

use super::Predict;
use crate::cli::failure::Failure;

/// Makes the overlays and cut-outs of films that are wanted, one film after the other.
pub fn run_all(
    predictor: &Predictor,
    films: &[PathBuf],
    batch: &Batch,
    arguments: &Predict,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let looks: Vec<Look> = batch.kinds.iter().filter_map(|kind| look(*kind)).collect();
    let mut bad = 0;
    for film in films {
        if looks.is_empty() {
            return Err(Failure::input(format!(
                "{}: of films, give --kind overlay or cutout",
                film.display()
            )));
        }
        for &look in &looks {
            match one(predictor, film, look, batch, arguments, stop) {
                // One bad film is no reason to leave the others undone.
                Err(failure) if failure.is_input_fault() && !stop.is_raised() => {
                    eprintln!("error: {failure}");
                    bad += 1;
                }
                result => result?,
            }
        }
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::input(format!("{bad} films could not be made, see above"))),
    }
}

fn look(kind: Kind) -> Option<Look> {
    match kind {
        Kind::Overlay => Some(Look::Overlay),
        Kind::Cutout => Some(Look::Cutout),
        _ => None,
    }
}

fn one(
    predictor: &Predictor,
    film: &Path,
    look: Look,
    batch: &Batch,
    arguments: &Predict,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let settings = VideoSettings {
        ffmpeg: arguments.look.ffmpeg.clone(),
        look,
        output: batch.output.clone(),
        smoothing: arguments.look.smoothing,
    };
    let name = film.file_stem().unwrap_or_default().to_string_lossy();
    let what = if look == Look::Overlay { "overlay" } else { "cutout" };
    let output = batch.out.join(format!("{name}-{what}.{}", video::extension(&settings)));
    if output.is_file() && !batch.force {
        if !arguments.quiet {
            println!("{} is there and is kept (--force makes it anew)", output.display());
        }
        return Ok(());
    }
    fs::create_dir_all(&batch.out)
        .map_err(|source| PredictError::from(WriteError::new(&batch.out, source)))?;
    let hidden = arguments.quiet || !io::stderr().is_terminal();
    let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.enable_steady_tick(Duration::from_millis(200));
    let on_frame = &mut |frames: usize| {
        let rate = frames as f64 / bar.elapsed().as_secs_f64();
        bar.set_message(format!("{}: {frames} frames, {rate:.1} frames/s", film.display()));
    };
    let result = video::run(predictor, film, &output, &settings, stop, on_frame);
    bar.finish_and_clear();
    let VideoSummary { frames, elapsed } = result?;
    if !arguments.quiet {
        let rate = frames as f64 / elapsed.as_secs_f64();
        println!("{frames} frames, {rate:.1} frames/s, written to {}", output.display());
    }
    Ok(())
}
