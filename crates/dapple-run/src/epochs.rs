//! The log of the epochs next to the metrics table: scores of the classes, and TensorBoard events.

use std::path::Path;

use dapple_base::write_atomic;
use dapple_metrics::Scores;
use dapple_report::{RgbImage, encode_png};
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::folder::RunFolder;
use crate::tensorboard::{EventFile, LoggedPicture};
use dapple_train::EpochRecord;

/// The approximate number of times that pictures are kept in a training.
const TIMES: usize = 10;

/// The validation's scores of the classes in an epoch: a line of `classes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// The classes in the order of their labels.
    pub classes: Vec<ClassValues>,
}

/// The scores of one class over the validation part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassValues {
    /// Its name.
    pub name: String,
    /// Intersection over union.
    pub iou: Option<f64>,
    /// IoU of the boundary regions.
    pub boundary_iou: Option<f64>,
}

impl ClassRow {
    /// From the scores of an epoch.
    pub(crate) fn of(epoch: usize, scores: &Scores) -> Self {
        let values = scores.classes.iter().map(|class| ClassValues {
            name: class.name.clone(),
            iou: class.iou,
            boundary_iou: class.boundary_iou,
        });
        Self { epoch, classes: values.collect() }
    }
}

/// Reads `classes.jsonl`; lines that cannot be parsed are skipped.
pub fn read_class_rows(path: &Path) -> Vec<ClassRow> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The files of the epochs so far.
pub(crate) struct EpochLog {
    rows: Vec<ClassRow>,
    events: EventFile,
}

impl EpochLog {
    /// Opens the log after `epochs_done` epochs; entries of later ones are removed.
    pub fn begin(run: &RunFolder, epochs_done: usize) -> Result<Self, RunError> {
        let mut rows = read_class_rows(&run.classes());
        rows.retain(|row| row.epoch <= epochs_done);
        Ok(Self { rows, events: EventFile::begin(&run.tensorboard(), epochs_done)? })
    }

    /// Whether the pictures of this epoch are to be kept: the first and the last one's, and some between.
    pub fn wants_pictures(epoch: usize, epochs: usize) -> bool {
        epoch == 1 || epoch == epochs || epoch.is_multiple_of(epochs.div_ceil(TIMES))
    }

    /// Adds an epoch, before the checkpoint that counts it is written.
    pub fn write(
        &mut self,
        run: &RunFolder,
        record: &EpochRecord,
        row: Option<ClassRow>,
        panels: &[(String, RgbImage)],
    ) -> Result<(), RunError> {
        let mut scalars = scalars(record);
        for class in row.iter().flat_map(|row| &row.classes) {
            let values = [("class IoU", class.iou), ("class Boundary IoU", class.boundary_iou)];
            let defined = values.into_iter().filter_map(|(group, value)| Some((group, value?)));
            scalars.extend(defined.map(|(group, value)| (format!("{group}/{}", class.name), value)));
        }
        let picture = |(name, image): &(String, RgbImage)| {
            let png = encode_png(image).map_err(|source| dapple_report::ReportError::Encode {
                path: run.tensorboard().join(name),
                source,
            })?;
            Ok(LoggedPicture { tag: format!("validation/{name}"), size: image.dimensions(), png })
        };
        let pictures = panels.iter().map(picture).collect::<Result<Vec<_>, RunError>>()?;
        self.events.write(record.epoch, &scalars, &pictures)?;
        self.rows.extend(row);
        let lines: String = self
            .rows
            .iter()
            .map(|row| serde_json::to_string(row).expect("a row is made of numbers and names") + "\n")
            .collect();
        Ok(write_atomic(run.classes(), lines.as_bytes())?)
    }
}

/// The columns of a row that have a value: `val_miou` as `miou/val` and `average_val_miou` as `miou/average`, so that
/// TensorBoard shows parts in one group.
fn scalars(record: &EpochRecord) -> Vec<(String, f64)> {
    let Ok(serde_json::Value::Object(columns)) = serde_json::to_value(record) else {
        unreachable!("a record is a flat map of numbers and words")
    };
    let tag = |column: &str| match column.split_once('_') {
        Some(("average", of)) if of.starts_with("val_") => format!("{}/average", &of["val_".len()..]),
        Some((part @ ("train" | "val"), quantity)) => format!("{quantity}/{part}"),
        _ => format!("training/{column}"),
    };
    let columns = columns.iter().filter(|(column, _)| column.as_str() != "epoch");
    columns.filter_map(|(column, value)| Some((tag(column), value.as_f64()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_tags() {
        let record = EpochRecord { epoch: 2, val_miou: Some(0.5), ..EpochRecord::default() };
        let scalars = scalars(&record);
        assert!(scalars.contains(&("miou/val".into(), 0.5)), "{scalars:?}");
        assert!(scalars.contains(&("training/learning_rate".into(), 0.0)), "{scalars:?}");
        let average = EpochRecord { average_val_miou: Some(0.25), ..record };
        assert!(super::scalars(&average).contains(&("miou/average".into(), 0.25)));
        assert!(scalars.iter().all(|(tag, _)| !tag.contains("epoch")), "{scalars:?}");
    }

    #[test]
    fn pictures_are_kept_now_and_then() {
        let kept = |epochs| (1..=epochs).filter(|&epoch| EpochLog::wants_pictures(epoch, epochs)).count();
        assert_eq!((kept(1), kept(5), kept(22)), (1, 5, 9));
        assert!((10..=12).contains(&kept(300)));
    }

    #[test]
    fn rows_beyond_the_checkpoint_are_forgotten_and_half_lines_passed_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = RunFolder::claim(folder.path(), false).expect("an empty folder");
        let mut log = EpochLog::begin(&run, 0).expect("the folder is writable");
        for epoch in 1..=3 {
            let row = ClassRow { epoch, classes: Vec::new() };
            let record = EpochRecord { epoch, ..EpochRecord::default() };
            log.write(&run, &record, Some(row), &[]).expect("the folder is writable");
        }
        assert_eq!(EpochLog::begin(&run, 1).expect("the folder is writable").rows.len(), 1);
        let text = std::fs::read_to_string(run.classes()).expect("written above");
        std::fs::write(run.classes(), &text[..text.len() - 5]).expect("the folder is writable");
        assert_eq!(read_class_rows(&run.classes()).len(), 2);
    }
}
