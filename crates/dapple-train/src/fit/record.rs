//! The log of a training, a row for each epoch, in two tables: `metrics.csv` and `metrics.jsonl`.

use crate::error::TrainError;
use dapple_base::{readable, write_atomic};
use dapple_metrics::Scores;
use dapple_model::Weights;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::Path;

use super::standing::Standing;

/// One row of the tables. Scores are undefined (`None`) where nothing could be scored, for example without a
/// validation part.
///
/// `…_miou`, `…_boundary_miou` and `…_foreground_…` come from counts summed over the data set; names with `image` are
/// means over the images. All of them are measured at the network's input size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean of the batches' losses while training.
    pub train_loss: f64,
    /// Mean over the validation images of each image's loss.
    pub val_loss: Option<f64>,
    /// Mean IoU over the classes.
    pub val_miou: Option<f64>,
    /// Mean Boundary IoU over the classes.
    pub val_boundary_miou: Option<f64>,
    /// Share of the pixels with the right class.
    pub val_pixel_accuracy: Option<f64>,
    /// IoU of class 1 (two classes only).
    pub val_foreground_iou: Option<f64>,
    /// Boundary IoU of class 1 (two classes only).
    pub val_foreground_boundary_iou: Option<f64>,
    /// Mean of the classes' accuracies.
    pub val_mean_accuracy: Option<f64>,
    /// Mean over the images of each image's mean IoU.
    pub val_image_miou: Option<f64>,
    /// Mean over the images of each image's mean Boundary IoU.
    pub val_image_boundary_miou: Option<f64>,
    /// Mean over the images of the IoU of class 1 (two classes only), as the literature on the horses reports it.
    pub val_image_foreground_iou: Option<f64>,
    /// Mean over the images of the Boundary IoU of class 1 (two classes only).
    pub val_image_foreground_boundary_iou: Option<f64>,
    /// Loss of the averaged weights on the validation images, where there is an average of the weights.
    #[serde(default)]
    pub average_val_loss: Option<f64>,
    /// Their mean IoU over the classes.
    #[serde(default)]
    pub average_val_miou: Option<f64>,
    /// Their mean Boundary IoU over the classes.
    #[serde(default)]
    pub average_val_boundary_miou: Option<f64>,
    /// Their IoU of class 1 (two classes only).
    #[serde(default)]
    pub average_val_foreground_iou: Option<f64>,
    /// The score that the best epoch is chosen by: IoU of class 1 for two classes, else the mean IoU, of the weights as
    /// they are or of their average, whichever is better. These weights are saved if the epoch is the best.
    #[serde(default)]
    pub val_score: Option<f64>,
    /// Which weights that score is of.
    #[serde(default)]
    pub weights: Option<Weights>,
    /// Mean IoU on the scored training images.
    pub train_miou: Option<f64>,
    /// Mean Boundary IoU on the scored training images.
    pub train_boundary_miou: Option<f64>,
    /// Pixel accuracy on the scored training images.
    pub train_pixel_accuracy: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean gradient norm before clipping.
    pub gradient_norm: f64,
    /// Part of `seconds` spent waiting for batches to be decoded and augmented.
    #[serde(default)]
    pub wait_seconds: f64,
    /// Wall-clock time of the epoch in seconds, validation included.
    pub seconds: f64,
}

impl EpochRecord {
    /// Takes over the scores of the validation part.
    pub(crate) fn set_validation(&mut self, loss: f64, scores: &Scores) {
        self.val_loss = Some(loss);
        self.val_miou = scores.dataset.miou;
        self.val_boundary_miou = scores.dataset.boundary_miou;
        self.val_pixel_accuracy = scores.dataset.pixel_accuracy;
        self.val_mean_accuracy = scores.dataset.mean_accuracy;
        if let [_, foreground] = &scores.classes[..] {
            self.val_foreground_iou = foreground.iou;
            self.val_foreground_boundary_iou = foreground.boundary_iou;
        }
        self.val_image_miou = scores.per_image.miou;
        self.val_image_boundary_miou = scores.per_image.boundary_miou;
        self.val_image_foreground_iou = scores.per_image.foreground_iou.flatten();
        self.val_image_foreground_boundary_iou = scores.per_image.foreground_boundary_iou.flatten();
    }

    /// Takes over the scores of the averaged weights.
    pub(crate) fn set_average(&mut self, loss: f64, scores: &Scores) {
        self.average_val_loss = Some(loss);
        self.average_val_miou = scores.dataset.miou;
        self.average_val_boundary_miou = scores.dataset.boundary_miou;
        if let [_, foreground] = &scores.classes[..] {
            self.average_val_foreground_iou = foreground.iou;
        }
    }

    /// Takes over the scores of the training images that were scored.
    pub(crate) fn set_training(&mut self, scores: &Scores) {
        self.train_miou = scores.dataset.miou;
        self.train_boundary_miou = scores.dataset.boundary_miou;
        self.train_pixel_accuracy = scores.dataset.pixel_accuracy;
    }

    /// Notes which weights scored better, once all scores are set.
    pub(crate) fn set_standing(&mut self) {
        let standing = self.standing();
        self.val_score = standing.map(|standing| standing.score);
        self.weights = standing.map(|standing| standing.weights);
    }

    /// The standing of the epoch among others; `None` without a score.
    pub fn standing(&self) -> Option<Standing> {
        Standing::of(&|column| match column {
            "val_loss" => self.val_loss,
            "val_miou" => self.val_miou,
            "val_foreground_iou" => self.val_foreground_iou,
            "average_val_loss" => self.average_val_loss,
            "average_val_miou" => self.average_val_miou,
            "average_val_foreground_iou" => self.average_val_foreground_iou,
            _ => None,
        })
    }

    /// The score by which the best epoch is chosen, see [`Standing`].
    pub fn selection_score(&self) -> Option<f64> {
        self.standing().map(|standing| standing.score)
    }

    /// Which weights scored better; as they are, if equal or not scored.
    pub fn better_weights(&self) -> Weights {
        self.standing().map_or(Weights::Raw, |standing| standing.weights)
    }

    /// Mean IoU and IoU of class 1 of the weights that scored better.
    pub fn better_scores(&self) -> [Option<f64>; 2] {
        match self.better_weights() {
            Weights::Raw => [self.val_miou, self.val_foreground_iou],
            Weights::Average => [self.average_val_miou, self.average_val_foreground_iou],
        }
    }
}

/// The epoch with the best [`Standing`], the earliest of equals.
pub fn best_epoch(records: &[EpochRecord]) -> Option<&EpochRecord> {
    Standing::best_of(records, |record| record.standing()).map(|(record, _)| record)
}

/// The latest epoch that made progress: it stands better than all before it, or scored as well with a lower training loss,
/// or lowered that while the score is 0, as a network does that has found nothing but the background so far. `None` without
/// a score.
pub(crate) fn latest_progress(records: &[EpochRecord]) -> Option<usize> {
    let (mut best, mut lowest, mut latest): (Option<Standing>, _, _) = (None, f64::INFINITY, None);
    for record in records {
        let falls = record.train_loss < lowest;
        lowest = lowest.min(record.train_loss);
        let Some(standing) = record.standing() else { continue };
        let is_better = best.is_none_or(|best| standing.beats(&best));
        let is_level = standing.score == 0.0 || best.is_some_and(|best| best.score == standing.score);
        if is_better || (is_level && falls) {
            latest = Some(record.epoch);
        }
        if is_better {
            best = Some(standing);
        }
    }
    latest
}

/// Overwrites both tables, each in one step: a reader never sees half a row.
pub(crate) fn write_tables(folder: &Path, records: &[EpochRecord]) -> Result<(), TrainError> {
    let (csv, jsonl) = (to_csv(records), to_jsonl(records));
    write_atomic(folder.join("metrics.csv"), csv.as_bytes())?;
    write_atomic(folder.join("metrics.jsonl"), jsonl.as_bytes())?;
    Ok(())
}

/// Reads `metrics.jsonl`; no file is no rows.
///
/// # Errors
/// [`TrainError::Read`], and [`TrainError::BadRunFile`] for a row that cannot be understood.
pub fn read_records(path: &Path) -> Result<Vec<EpochRecord>, TrainError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(TrainError::Read { path: path.to_owned(), source }),
    };
    let parse = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| TrainError::BadRunFile {
            path: path.to_owned(),
            problem: format!(
                "line {}: {}; remove the line to go on without it",
                i + 1,
                readable(&e.to_string())
            ),
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

fn to_jsonl(records: &[EpochRecord]) -> String {
    let line =
        |record| serde_json::to_string(record).expect("a record is a flat map of numbers and words") + "\n";
    records.iter().map(line).collect()
}

/// One header line, one line an epoch; undefined values are empty.
fn to_csv(records: &[EpochRecord]) -> String {
    let fields = |record: &EpochRecord| match serde_json::to_value(record) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => unreachable!("a record is a flat map of numbers and words"),
    };
    let header = fields(&EpochRecord::default()).keys().cloned().collect::<Vec<_>>().join(",");
    let mut csv = header + "\n";
    for record in records {
        let cell = |value: &serde_json::Value| match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(word) => word.clone(),
            number => number.to_string(),
        };
        let cells: Vec<String> = fields(record).values().map(cell).collect();
        writeln!(csv, "{}", cells.join(",")).expect("writing to a string cannot fail");
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, miou: Option<f64>) -> EpochRecord {
        EpochRecord { epoch, train_loss: 0.1 + 0.2, val_miou: miou, ..EpochRecord::default() }
    }

    #[test]
    fn tables_keep_every_digit_and_the_order_of_columns() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let records = [row(1, Some(1.0 / 3.0)), row(2, None)];
        write_tables(folder.path(), &records).expect("the folder is writable");
        assert_eq!(read_records(&folder.path().join("metrics.jsonl")).expect("just written"), records);
        let csv = std::fs::read_to_string(folder.path().join("metrics.csv")).expect("just written");
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].starts_with(
            "epoch,train_loss,val_loss,val_miou,val_boundary_miou,val_pixel_accuracy,val_foreground_iou,"
        ));
        assert!(lines[0].ends_with(",seconds"));
        assert!(lines[1].starts_with("1,0.30000000000000004,,0.3333333333333333,"), "{}", lines[1]);
        assert_eq!(lines[0].matches(',').count(), lines[2].matches(',').count());
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_the_highest() {
        let records =
            [row(1, None), row(2, Some(0.5)), row(3, Some(0.7)), row(4, Some(0.7)), row(5, Some(0.6))];
        assert_eq!(best_epoch(&records).map(|r| r.epoch), Some(3));
        assert_eq!(best_epoch(&records[..1]), None);
    }

    #[test]
    fn the_row_says_which_weights_scored_better() {
        let mut record = EpochRecord { average_val_miou: Some(0.75), ..row(1, Some(0.5)) };
        record.set_standing();
        assert_eq!((record.val_score, record.weights), (Some(0.75), Some(Weights::Average)));
        assert_eq!(record.better_scores(), [Some(0.75), None]);
        let csv = to_csv(&[record]);
        let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        let at = lines[0].iter().position(|column| *column == "weights").expect("there is such a column");
        assert_eq!(lines[1][at], "average");
    }

    #[test]
    fn a_falling_loss_is_progress_while_the_score_stays_at_zero() {
        let row = |epoch, miou, train_loss| EpochRecord { train_loss, ..row(epoch, Some(miou)) };
        let at_zero = [row(1, 0.0, 0.9), row(2, 0.0, 0.7), row(3, 0.0, 0.8), row(4, 0.0, 0.6)];
        assert_eq!(latest_progress(&at_zero[..3]), Some(2));
        assert_eq!(latest_progress(&at_zero), Some(4));
        // Another score counts by itself.
        let scored = [row(1, 0.5, 0.9), row(2, 0.4, 0.7), row(3, 0.3, 0.6)];
        assert_eq!(latest_progress(&scored), Some(1));
        assert_eq!(latest_progress(&[EpochRecord::default()]), None);
        // A few pixels that were right by chance at first are no reason to end while the network still learns.
        let lucky = [row(1, 0.02, 0.9), row(2, 0.0, 0.7), row(3, 0.0, 0.6), row(4, 0.0, 0.65)];
        assert_eq!(latest_progress(&lucky), Some(3));
        // Equal scores with a lower loss on the validation images are the better model, whatever the training loss does.
        let tied = |epoch, val_loss| EpochRecord { val_loss: Some(val_loss), ..row(epoch, 0.5, 0.9) };
        assert_eq!(latest_progress(&[tied(1, 0.4), tied(2, 0.3), tied(3, 0.35)]), Some(2));
    }

    #[test]
    fn a_broken_row_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"epoch\": 1").expect("the folder is writable");
        let message = read_records(&path).expect_err("the row is cut off").to_string();
        assert!(message.contains("metrics.jsonl") && message.contains("line 1"), "{message}");
    }
}
