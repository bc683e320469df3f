//! Videos named among the images.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dapple::data::DataError;
use dapple::predict::batch::BatchSettings;
use dapple::predict::output::OutputKind;
use dapple::predict::results::{Results, Standing, settings_fingerprint};
use dapple::predict::video::{self, VideoFiles, VideoOutput, VideoSettings, VideoSummary};
use dapple::predict::{PredictError, Predictor};
use dapple_base::{Digest, StopFlag, WriteError, check_regular};
use indicatif::ProgressBar;

use super::Predict;
use crate::cli::common::written::same_file;
use crate::cli::failure::Failure;

/// Makes the requested overlays and cut-outs, one video after the other.
pub fn run_all(
    predictor: &Predictor,
    videos: &[PathBuf],
    batch: &BatchSettings,
    arguments: &Predict,
    stop: &StopFlag,
) -> Result<(), Failure> {
    let Some(first) = videos.first() else { return Ok(()) };
    let kinds: Vec<VideoOutput> = batch.kinds.iter().filter_map(|kind| of_video(*kind)).collect();
    if kinds.is_empty() {
        return Err(Failure::input(format!(
            "{}: for videos, give --kind overlay or cutout",
            first.display()
        )));
    }
    fs::create_dir_all(&batch.out)
        .map_err(|source| PredictError::from(WriteError::new(&batch.out, source)))?;
    let work = Work { predictor, batch, arguments, results: Results::open(&batch.out, batch.shard)?, stop };
    let mut bad = 0;
    let mut owners: HashMap<String, &Path> = HashMap::new();
    for path in videos {
        for &kind in &kinds {
            let settings = work.settings(kind);
            let output = work.output(path, &settings);
            // Some file systems know no difference of case.
            let owner = *owners.entry(output.to_string_lossy().to_lowercase()).or_insert(path);
            // Videos of one name of results are in one share.
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if batch.shard.is_some_and(|shard| !shard.holds(&stem.to_lowercase())) {
                continue;
            }
            let made = if owner == path.as_path() {
                let replaced = videos.iter().chain(&batch.protected).find(|input| same_file(input, &output));
                match replaced {
                    None => work.make(path, &output, &settings),
                    Some(input) => Err(Failure::input(format!(
                        "{}: its result would replace {}; give another folder with --out",
                        path.display(),
                        input.display()
                    ))),
                }
            } else {
                Err(Failure::input(format!(
                    "{}: its result {} is that of {} too; predict them into different folders with --out",
                    path.display(),
                    output.display(),
                    owner.display()
                )))
            };
            match made {
                // One bad video does not prevent the others.
                Err(failure) if failure.is_input_fault() && !stop.is_raised() => {
                    let (text, path) = (failure.to_string(), path.display().to_string());
                    if text.contains(&path) {
                        note!("error: {text}")
                    } else {
                        note!("error: {path}: {text}")
                    }
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

/// Everything that is common to the videos of a command.
struct Work<'a> {
    predictor: &'a Predictor,
    batch: &'a BatchSettings,
    arguments: &'a Predict,
    results: Results,
    stop: &'a StopFlag,
}

impl Work<'_> {
    fn settings(&self, kind: VideoOutput) -> VideoSettings {
        VideoSettings {
            ffmpeg: self.arguments.outputs.ffmpeg.clone(),
            kind,
            output: self.batch.output.clone(),
            smoothing: self.arguments.outputs.smoothing,
        }
    }

    fn output(&self, path: &Path, settings: &VideoSettings) -> PathBuf {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(if settings.kind == VideoOutput::Overlay { "-overlay." } else { "-cutout." });
        name.push(video::extension(settings));
        self.batch.out.join(name)
    }

    /// The fingerprint of everything that a result depends on.
    fn origin(&self, path: &Path, settings: &VideoSettings) -> Result<String, Failure> {
        let read = |source| PredictError::from(DataError::Read { path: path.to_owned(), source });
        check_regular(path).map_err(read)?;
        let content = Digest::of_file(path).map_err(read)?;
        let mut digest = settings_fingerprint(self.predictor, &settings.output, &self.batch.engine);
        digest
            .part(format!("{:?} {}", settings.kind, settings.smoothing).as_bytes())
            .part(content.as_bytes());
        Ok(digest.text())
    }

    fn make(&self, path: &Path, output: &Path, settings: &VideoSettings) -> Result<(), Failure> {
        let quiet = self.arguments.quiet;
        let origin = self.origin(path, settings)?;
        if !self.batch.force {
            self.results.check(output)?;
            if self.results.standing(output, &origin)? == Standing::Current {
                if !quiet {
                    let output = output.display();
                    say!("{output} exists, made the same way, and is kept (--force makes it anew)");
                }
                return Ok(());
            }
        }
        let hidden = quiet || !io::stderr().is_terminal();
        let bar = if hidden { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.enable_steady_tick(Duration::from_millis(200));
        let on_frame = &mut |frames: usize| {
            let rate = frames as f64 / bar.elapsed().as_secs_f64();
            bar.set_message(format!("{}: {frames} frames, {rate:.1} frames/s", path.display()));
        };
        let note = |complete: &Path| {
            let content = Digest::of_file(complete).map_err(|source| WriteError::new(complete, source))?;
            self.results.note(&origin, [(output, content)])
        };
        self.results.begin()?;
        let files = VideoFiles { input: path, output, note: &note };
        let result = video::run(self.predictor, &files, settings, self.stop, on_frame);
        bar.finish_and_clear();
        let VideoSummary { frames, elapsed } = result?;
        if !quiet {
            let rate = frames as f64 / elapsed.as_secs_f64();
            say!("{frames} frames, {rate:.1} frames/s, written to {}", output.display());
        }
        Ok(())
    }
}
