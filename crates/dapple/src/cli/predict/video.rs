//! Videos named among the images.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dapple::predict::batch::BatchSettings;
use dapple::predict::output::OutputKind;
use dapple::predict::video::{self, VideoOutput, VideoSettings, VideoSummary};
use dapple::predict::{PredictError, Predictor};
use dapple_base::{StopFlag, WriteError};
use indicatif::ProgressBar;

use super::Predict;
use crate::cli::failure::Failure;

/// Makes the requested overlays and cut-outs, one video after the other.
pub fn run_all(
    predictor: &Predictor,
    videos: &[PathBuf],
    batch: &BatchSettings,
    arguments: &Predict,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let kinds: Vec<VideoOutput> = batch.kinds.iter().filter_map(|kind| of_video(*kind)).collect();
    let mut bad = 0;
    for path in videos {
        if kinds.is_empty() {
            return Err(Failure::input(format!(
                "{}: for videos, give --kind overlay or cutout",
                path.display()
            )));
        }
        for &kind in &kinds {
            match one(predictor, path, kind, batch, arguments, stop) {
                // One bad video does not prevent the others.
                Err(Failure::Input(message)) if !stop.is_raised() => {
                    eprintln!("error: {message}");
                    bad += 1;
                }
                result => result?,
            }
        }
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::input(format!("{bad} videos could not be made, see above"))),
    }
}

fn of_video(kind: OutputKind) -> Option<VideoOutput> {
    match kind {
        OutputKind::Overlay => Some(VideoOutput::Overlay),
        OutputKind::Cutout => Some(VideoOutput::Cutout),
        _ => None,
    }
}

fn one(
    predictor: &Predictor,
    path: &Path,
    kind: VideoOutput,
    batch: &BatchSettings,
    arguments: &Predict,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let settings = VideoSettings {
        ffmpeg: arguments.outputs.ffmpeg.clone(),
        kind,
        output: batch.output.clone(),
        smoothing: arguments.outputs.smoothing,
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let suffix = if kind == VideoOutput::Overlay { "overlay" } else { "cutout" };
    let output = batch.out.join(format!("{name}-{suffix}.{}", video::extension(&settings)));
    if output.is_file() && !batch.force {
        if !arguments.quiet {
            println!("{} exists and is kept (--force overwrites it)", output.display());
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
        bar.set_message(format!("{}: {frames} frames, {rate:.1} frames/s", path.display()));
    };
    let result = video::run(predictor, path, &output, &settings, stop, on_frame);
    bar.finish_and_clear();
    let VideoSummary { frames, elapsed } = result?;
    if !arguments.quiet {
        let rate = frames as f64 / elapsed.as_secs_f64();
        println!("{frames} frames, {rate:.1} frames/s, written to {}", output.display());
    }
    Ok(())
}
