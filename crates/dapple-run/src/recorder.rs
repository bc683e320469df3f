//! The recorder of a run: it draws and writes what the report and the live page show.

use std::path::PathBuf;
use std::sync::Arc;

use dapple_data::{Dataset, Part, SplitIndices};
use dapple_graph::Executor;
use dapple_metrics::Scores;
use dapple_model::spread;
use dapple_report::RgbImage;
use dapple_train::{EpochRecord, Recorder, RecorderError, TrainConfig, Training, best_epoch};

use crate::epochs::{ClassRow, EpochLog};
use crate::error::RunError;
use crate::examine::Subject;
use crate::folder::RunFolder;
use crate::page::{self, RunData};
use crate::pictures::{Painter, draw_curves};

/// Draws curves, panels and strips, logs the classes' scores, and examines the best model at the end.
pub(crate) struct RunRecorder {
    folder: RunFolder,
    config: TrainConfig,
    dataset: Arc<Dataset>,
    parts: SplitIndices,
    /// The validation images that are drawn.
    drawn: Vec<usize>,
    painter: Painter,
    log: EpochLog,
    /// Scores and pictures of the epoch that is being evaluated.
    classes: Option<ClassRow>,
    panels: Vec<(String, RgbImage)>,
}

impl RunRecorder {
    /// A recorder for a training that begins or is resumed.
    pub fn begin(training: &Training, folder: RunFolder) -> Result<Self, RunError> {
        let (config, dataset) = (training.config().clone(), Arc::clone(training.dataset()));
        let parts = training.split().indices(&dataset)?;
        Ok(Self {
            drawn: spread(&parts.val, config.evaluation.pictures),
            painter: Painter::new(&dataset, config.input)?,
            log: EpochLog::begin(&folder, training.epochs_done())?,
            folder,
            config,
            dataset,
            parts,
            classes: None,
            panels: Vec::new(),
        })
    }

    /// The title of the curves: the network and the data's folder.
    fn title(&self) -> String {
        let data = self.config.data.dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let network = &self.config.network;
        let network = network.entry().map_or(network.name.as_str(), |entry| &entry.title);
        format!("{network} on {}", data.unwrap_or_else(|| "data".into()))
    }

    /// Draws and examines the best model, whose weights the network holds.
    fn show_best(&self, scores: &Scores, epoch: usize, executor: &mut dyn Executor) -> Result<(), RunError> {
        let sheet: PathBuf = self.folder.samples()?.join("best-median-worst.png");
        self.painter.draw_extremes(&sheet, executor, &self.parts.val, scores)?;
        self.painter.draw_samples(&self.folder, executor, &self.drawn, scores)?;
        let parts = [
            (Part::Train, self.parts.train.clone()),
            (Part::Val, self.parts.val.clone()),
            (Part::Test, self.parts.test.clone()),
        ];
        let subject = Subject {
            dataset: &self.dataset,
            folder: &self.config.data.dir,
            input: self.config.input,
            parts: &parts,
            scores,
        };
        subject.examine(&self.folder, executor, epoch, self.config.network.activation).map(drop)
    }
}

impl Recorder for RunRecorder {
    fn scored(
        &mut self,
        epoch: usize,
        epochs: usize,
        scores: &Scores,
        executor: &mut dyn Executor,
    ) -> Result<(), RecorderError> {
        self.classes = Some(ClassRow::of(epoch, scores));
        if EpochLog::wants_pictures(epoch, epochs) {
            self.panels = self.painter.draw_current(&self.folder, executor, &self.drawn, scores)?;
        }
        Ok(())
    }

    fn improved(&mut self, scores: &Scores, executor: &mut dyn Executor) -> Result<(), RecorderError> {
        Ok(self.painter.draw_samples(&self.folder, executor, &self.drawn, scores)?)
    }

    fn epoch_ended(&mut self, records: &[EpochRecord]) -> Result<(), RecorderError> {
        let (classes, panels) = (self.classes.take(), std::mem::take(&mut self.panels));
        if let Some(record) = records.last() {
            self.log.write(&self.folder, record, classes, &panels)?;
        }
        Ok(draw_curves(&self.folder, &self.title(), records)?)
    }

    fn finished(
        &mut self,
        best: Option<&Scores>,
        records: &[EpochRecord],
        executor: &mut dyn Executor,
    ) -> Result<(), RecorderError> {
        if let Some(scores) = best {
            let epoch = best_epoch(records).map_or(0, |record| record.epoch);
            self.show_best(scores, epoch, executor)?;
        }
        let report = page::report(&[RunData::read(self.folder.path())?]);
        Ok(report.save(&self.folder.report()).map_err(RunError::from)?)
    }
}
