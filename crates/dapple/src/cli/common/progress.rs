//! Progress of a training: a bar on a terminal, plain lines otherwise.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use dapple::run::{Throughput, duration, line_of, note_on};
use dapple::train::{EpochRecord, Event, Observer, Outcome, best_epoch};
use indicatif::{ProgressBar, ProgressStyle};

use super::values::shell_word;

/// Without a terminal, shortest time between lines within an epoch.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows the events of a training: lines on standard output, the bar on standard error.
pub struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    pace: Throughput,
    /// Name of the score that the best epoch is chosen by, the last epoch's value and the best one so far.
    score: Option<(&'static str, f64, f64)>,
    last_line: Instant,
}

impl Progress {
    /// Prints nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            // The last part takes the space that the terminal has left, also after its size has changed.
            let template = "{prefix} [{bar:16.cyan/blue}] {pos}/{len} {wide_msg}";
            let style = ProgressStyle::with_template(template).expect("the template is well formed");
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Self { quiet, bar, pace: Throughput::default(), score: None, last_line: Instant::now() }
    }

    fn line(&mut self, text: &str) {
        self.last_line = Instant::now();
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{text}")),
            None => say!("{text}"),
        }
    }

    fn batch(&mut self, epoch: (usize, usize), batch: (usize, usize), images: usize, loss: f64) {
        let ((epoch, epochs), (batch, batches)) = (epoch, batch);
        let mut text = format!("loss {loss:.3}");
        if let Some((name, last, best)) = self.score {
            text += &format!("  {name} {last:.3} (best {best:.3})");
        }
        let done = (epoch - 1) * batches + batch;
        if let Some((rate, left)) = self.pace.batch(done, epochs * batches, images) {
            text += &format!("  {rate:.1} images/s  {} left", duration(left));
        }
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(format!("epoch {epoch}/{epochs}"));
                bar.set_length(batches as u64);
                bar.set_position(batch as u64);
                bar.set_message(text);
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.line(&format!("epoch {epoch}/{epochs}  batch {batch}/{batches}  {text}"));
            }
            None => {}
        }
    }

    /// Keeps the epoch's score for the lines of the next one.
    fn keep_score(&mut self, record: &EpochRecord) {
        let name = if record.val_foreground_iou.is_some() { "foreground IoU" } else { "mIoU" };
        if let Some(last) = record.selection_score() {
            let best = self.score.map_or(last, |(_, _, best)| best.max(last));
            self.score = Some((name, last, best));
        }
    }
}

impl Observer for Progress {
    fn notice(&mut self, event: &Event<'_>) {
        match *event {
            Event::Batch { epoch, epochs, batch, batches, images, loss } => {
                self.batch((epoch, epochs), (batch, batches), images, loss);
            }
            Event::Scored { epoch: _, done, images } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(images as u64);
                    bar.set_position(done as u64);
                    bar.set_message("scoring");
                }
            }
            Event::Epoch { record, .. } => self.keep_score(record),
            _ => {}
        }
        if let Some(text) = line_of(event) {
            self.line(&text);
        }
    }
}

/// Says how a training ended, and what it has written.
pub fn print_outcome(outcome: &Outcome, folder: &Path) {
    let folder = shell_word(folder);
    match outcome {
        Outcome::Interrupted { epochs_done, batches_done } => {
            say!("interrupted after {epochs_done} epochs and {batches_done} batches; the state is saved");
            say!("resume with: dapple train --resume {folder}");
        }
        Outcome::Finished { records } => {
            if let Some(best) = best_epoch(records) {
                let score = best.selection_score().unwrap_or(f64::NAN);
                let name = if best.val_foreground_iou.is_some() { "foreground IoU" } else { "mIoU" };
                let note = note_on(best.better_weights());
                say!("best epoch {}: validation {name} {score:.6}{note}", best.epoch);
            }
            say!(
                "written to {folder}: report.html, best.safetensors, metrics.csv, samples/, strips/, tensorboard/"
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
