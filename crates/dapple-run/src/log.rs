//! The log of a run in progress: `run.json`, `progress.json` and `log.txt`.
//!
//! The log is for people: a training does not read it, and does not stop if it cannot be written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dapple_base::write_atomic;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::folder::{RunFolder, read_json};
use crate::text::line_of;
use dapple_base::{clock, machine};
use dapple_train::{Event, Observer, Outcome};

/// The shortest time between two writes of `progress.json`.
const EVERY: Duration = Duration::from_secs(1);

/// The origin of a run: program, engine, data, sessions: `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunInfo {
    /// The program with its version.
    pub program: String,
    /// The network's name.
    pub network: String,
    /// Its trainable parameters.
    pub parameters: usize,
    /// The engine.
    pub device: String,
    /// Training images.
    pub train_images: usize,
    /// Validation images.
    pub val_images: usize,
    /// Height and width of the network's input.
    pub size: (usize, usize),
    /// The first session and each resumed one.
    pub sessions: Vec<SessionInfo>,
}

/// From one start of the program to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionInfo {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The folder in which it was started.
    pub directory: PathBuf,
    /// Seconds since 1970.
    pub started: u64,
    /// Seconds since 1970; `None` while it runs, and if it was killed.
    pub ended: Option<u64>,
    /// Epochs done before.
    pub epochs_done: usize,
    /// Its peak memory in bytes, where the system reports it.
    pub peak_memory: Option<u64>,
}

/// The progress of a training: `progress.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunProgress {
    /// Its activity.
    pub state: Activity,
    /// The current epoch, from 1.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Batches done of the epoch, or images scored.
    pub done: usize,
    /// Their total.
    pub of: usize,
    /// Mean loss of the epoch's batches so far.
    pub loss: Option<f64>,
    /// Training images per second, validation included.
    pub images_per_second: Option<f64>,
    /// The time until the end, in seconds.
    pub seconds_left: Option<f64>,
    /// When this was written, in seconds since 1970.
    pub updated: u64,
    /// The reason of a failure.
    pub failure: Option<String>,
}

/// The present activity of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// It has just begun.
    #[default]
    Starting,
    /// It trains.
    Learning,
    /// It evaluates.
    Scoring,
    /// All epochs are done.
    Finished,
    /// It was asked to stop.
    Interrupted,
    /// It met an error.
    Failed,
}

/// The speed of a training since its start, validation included.
#[derive(Clone, Debug, Default)]
pub struct Throughput(Option<Beat>);

#[derive(Clone, Debug)]
struct Beat {
    started: Instant,
    images: usize,
    /// Batches done when the clock was started.
    skipped: usize,
}

impl Throughput {
    /// Counts a batch of `images`, after which `done` of `all` batches are done. Gives images a second and the seconds
    /// left; `None` after the first batch, in which the network is planned and which is left out.
    pub fn batch(&mut self, done: usize, all: usize, images: usize) -> Option<(f64, f64)> {
        let Some(beat) = &mut self.0 else {
            self.0 = Some(Beat { started: Instant::now(), images: 0, skipped: done });
            return None;
        };
        beat.images += images;
        let seconds = beat.started.elapsed().as_secs_f64();
        let batches = done.saturating_sub(beat.skipped).max(1);
        let left = seconds / batches as f64 * all.saturating_sub(done) as f64;
        Some((beat.images as f64 / seconds.max(1e-9), left))
    }
}

/// Writes the files, and passes events to another observer.
pub(crate) struct RunLog<'a> {
    folder: PathBuf,
    next: &'a mut dyn Observer,
    info: RunInfo,
    progress: RunProgress,
    pace: Throughput,
    last_write: Option<Instant>,
}

impl<'a> RunLog<'a> {
    pub fn new(run: &RunFolder, next: &'a mut dyn Observer) -> Self {
        let folder = run.path().to_owned();
        let info = read_json(&folder.join("run.json")).unwrap_or_default();
        let (progress, pace) = (RunProgress::default(), Throughput::default());
        Self { folder, next, info, progress, pace, last_write: None }
    }

    /// Records the end of the training.
    pub fn end(mut self, outcome: &Result<Outcome, RunError>) {
        self.progress.seconds_left = None;
        self.progress.state = match outcome {
            Ok(Outcome::Finished { .. }) => Activity::Finished,
            Ok(Outcome::Interrupted { .. }) => Activity::Interrupted,
            Err(_) => Activity::Failed,
        };
        self.progress.failure = outcome.as_ref().err().map(ToString::to_string);
        if let Some(session) = self.info.sessions.last_mut() {
            session.ended = Some(clock::now());
            session.peak_memory = machine::peak_memory();
        }
        self.append(&match outcome {
            Ok(Outcome::Finished { .. }) => "finished".into(),
            Ok(Outcome::Interrupted { .. }) => "interrupted; the state is saved".into(),
            Err(error) => format!("error: {error}"),
        });
        self.write_info();
        self.write_progress();
    }

    fn record(&mut self, event: &Event<'_>) {
        let mut urgent = false;
        match *event {
            Event::Started {
                network,
                parameters,
                device,
                train_images,
                val_images,
                size,
                epochs_done,
                epochs,
                ..
            } => {
                let session = SessionInfo {
                    command: std::env::args_os().map(|part| part.to_string_lossy().into_owned()).collect(),
                    directory: std::env::current_dir().unwrap_or_default(),
                    started: clock::now(),
                    epochs_done,
                    ..SessionInfo::default()
                };
                let mut sessions = std::mem::take(&mut self.info.sessions);
                sessions.push(session);
                self.info = RunInfo {
                    program: format!("dapple {}", env!("CARGO_PKG_VERSION")),
                    network: network.to_owned(),
                    parameters,
                    device: device.to_owned(),
                    train_images,
                    val_images,
                    size,
                    sessions,
                };
                self.write_info();
                (self.progress.epoch, self.progress.epochs) = (epochs_done, epochs);
                urgent = true;
            }
            Event::Batch { epoch, epochs, batch, batches, images, loss } => {
                let pace = self.pace.batch((epoch - 1) * batches + batch, epochs * batches, images);
                let (rate, left) = pace.unzip();
                self.progress = RunProgress {
                    state: Activity::Learning,
                    epoch,
                    epochs,
                    done: batch,
                    of: batches,
                    loss: Some(loss),
                    images_per_second: rate,
                    seconds_left: left,
                    ..RunProgress::default()
                };
            }
            Event::Scored { epoch, done, images } => {
                self.progress.state = Activity::Scoring;
                (self.progress.epoch, self.progress.done, self.progress.of) = (epoch, done, images);
            }
            Event::Epoch { .. } => {
                // Kept from epoch to epoch, as nothing is written when a process is killed.
                if let Some(session) = self.info.sessions.last_mut() {
                    session.peak_memory = machine::peak_memory();
                }
                self.write_info();
                urgent = true;
            }
            Event::Note(_) => {}
        }
        if let Some(line) = line_of(event) {
            self.append(&line);
        }
        if urgent || self.last_write.is_none_or(|last| last.elapsed() >= EVERY) {
            self.write_progress();
        }
    }

    /// Appends a line to `log.txt`.
    pub fn append(&self, line: &str) {
        let file = OpenOptions::new().create(true).append(true).open(self.folder.join("log.txt"));
        let text: String =
            line.lines().map(|line| format!("{}  {line}\n", clock::utc(clock::now()))).collect();
        // Nothing depends on the log, see above.
        let _ = file.and_then(|mut file| file.write_all(text.as_bytes()));
    }

    fn write_info(&self) {
        self.write("run.json", &self.info);
    }

    fn write_progress(&mut self) {
        self.last_write = Some(Instant::now());
        self.progress.updated = clock::now();
        self.write("progress.json", &self.progress);
    }

    fn write(&self, name: &str, value: &impl Serialize) {
        let json = serde_json::to_vec_pretty(value).expect("structures of numbers and words become JSON");
        // Nothing depends on the log, see above.
        let _ = write_atomic(self.folder.join(name), &json);
    }
}

impl Observer for RunLog<'_> {
    fn notice(&mut self, event: &Event<'_>) {
        self.record(event);
        self.next.notice(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_batch_sets_no_pace() {
        let mut pace = Throughput::default();
        assert_eq!(pace.batch(4, 10, 8), None);
        let (rate, left) = pace.batch(5, 10, 8).expect("a pace");
        assert!(rate > 0.0 && left >= 0.0);
    }

    #[test]
    fn a_run_that_cannot_be_written_down_goes_on() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::claim(&folder.path().join("gone"), false).expect("a new folder");
        let mut nobody = ();
        let mut log = RunLog::new(&run, &mut nobody);
        log.notice(&Event::Batch { epoch: 1, epochs: 1, batch: 1, batches: 2, images: 1, loss: 0.5 });
        log.notice(&Event::Note("nobody hears this"));
        assert!(!run.path().exists());
    }
}
