//! What a training shows: a bar on a terminal, plain lines otherwise.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use dapple::train::{EpochRecord, Event, Observer};
use indicatif::{ProgressBar, ProgressStyle};

use super::models::grouped;

/// Without a terminal, a line within an epoch comes after this time at the earliest.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Shows the events of a training: lines on standard output, the bar on standard error.
pub struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    pace: Option<Pace>,
    last_line: Instant,
}

/// What the time left is estimated from: the batches since the start, validation included.
struct Pace {
    started: Instant,
    images: usize,
    /// Batches learned from, and those before this program started.
    batches: usize,
    skipped: usize,
}

impl Progress {
    /// Shows nothing if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            let template = "{prefix} [{bar:24.cyan/blue}] {pos}/{len} {msg}";
            let style = ProgressStyle::with_template(template).expect("the template is well formed");
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Self { quiet, bar, pace: None, last_line: Instant::now() }
    }

    fn line(&mut self, text: &str) {
        self.last_line = Instant::now();
        if self.quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    fn batch(&mut self, epoch: (usize, usize), batch: (usize, usize), images: usize, loss: f64) {
        let ((epoch, epochs), (batch, batches)) = (epoch, batch);
        let done = (epoch - 1) * batches + batch;
        let pace = self.pace.get_or_insert_with(|| Pace {
            // The first batch of all, in which the network is planned, is left out of the pace.
            started: Instant::now(),
            images: 0,
            batches: 0,
            skipped: done,
        });
        pace.batches = done - pace.skipped;
        pace.images += if pace.batches > 0 { images } else { 0 };
        let seconds = pace.started.elapsed().as_secs_f64();
        let mut text = format!("loss {loss:.4}");
        if pace.batches > 0 {
            let left = seconds / pace.batches as f64 * (epochs * batches - done) as f64;
            let rate = pace.images as f64 / seconds.max(1e-9);
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
}

impl Observer for Progress {
    fn notice(&mut self, event: &Event<'_>) {
        match *event {
            Event::Started {
                network,
                parameters,
                device,
                train_images,
                val_images,
                size: (height, width),
                epochs_done,
                batches_done,
                epochs,
            } => {
                let parameters = grouped(parameters as u64);
                self.line(&format!("{network}, {parameters} parameters, {height} x {width}, on {device}"));
                self.line(&format!("{train_images} training images, {val_images} validation images"));
                if epochs_done + batches_done > 0 {
                    self.line(&format!(
                        "going on after {epochs_done} of {epochs} epochs and {batches_done} batches"
                    ));
                }
            }
            Event::Note(text) => self.line(text),
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
            Event::Epoch { record, epochs, best } => self.line(&epoch_line(record, epochs, best)),
            _ => {}
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

fn epoch_line(record: &EpochRecord, epochs: usize, best: bool) -> String {
    let mut line = format!("epoch {}/{epochs}  loss {:.4}", record.epoch, record.train_loss);
    let scores = [
        ("val loss", record.val_loss),
        ("pixel accuracy", record.val_pixel_accuracy),
        ("mIoU", record.val_miou),
        ("Boundary mIoU", record.val_boundary_miou),
        ("foreground IoU", record.val_foreground_iou),
        ("per image", record.val_image_foreground_iou),
        ("averaged weights", record.average_val_foreground_iou.or(record.average_val_miou)),
    ];
    for (name, score) in scores {
        if let Some(score) = score {
            line += &format!("  {name} {score:.6}");
        }
    }
    line + &format!("  {:.1} s{}", record.seconds, if best { "  best" } else { "" })
}

/// Seconds as `1 h 05 min`, `4 min 10 s` or `12 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_in_two_units() {
        assert_eq!(duration(0.4), "0 s");
        assert_eq!(duration(59.6), "1 min 00 s");
        assert_eq!(duration(250.0), "4 min 10 s");
        assert_eq!(duration(3900.0), "1 h 05 min");
    }
}
