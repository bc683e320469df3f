//! Trainings, with their progress told to Python.

use std::ffi::OsString;
use std::path::PathBuf;

use dapple::program::{StartedTraining, start_training};
use dapple::run::line_of;
use dapple::train::{Event, Observer, Outcome};
use dapple_base::StopFlag;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::compute;

/// Trains as `dapple train` does with these arguments. `tell` gets a dict of each event; where it returns `False`, and on an
/// exception or a signal, the training ends after the batch with its state saved. Returns the run's folder and whether all
/// epochs are done.
#[pyfunction]
pub fn train(py: Python<'_>, arguments: Vec<OsString>, tell: Py<PyAny>) -> PyResult<(PathBuf, bool)> {
    let stop = StopFlag::new();
    let mut teller = Teller { tell, stop: stop.clone(), raised: None };
    let result = compute(py, || {
        let StartedTraining { run, engine, warnings } = start_training(&arguments)?;
        let folder = run.folder().path().to_owned();
        teller.pass("run", &folder.to_string_lossy());
        warnings.iter().for_each(|warning| teller.pass("warning", warning));
        let outcome = run.train(engine.as_ref(), &mut teller, &stop)?;
        Ok((folder, matches!(outcome, Outcome::Finished { .. })))
    });
    // What Python raised comes first: the training ended because of it.
    match teller.raised {
        Some(raised) => Err(raised),
        None => result,
    }
}

/// Tells Python of events.
struct Teller {
    tell: Py<PyAny>,
    stop: StopFlag,
    /// What Python raised, after which it is told of nothing more.
    raised: Option<PyErr>,
}

impl Teller {
    /// Passes an event that is a text.
    fn pass(&mut self, kind: &str, text: &str) {
        self.call(|event| {
            event.set_item("kind", kind)?;
            event.set_item("text", text)
        });
    }

    fn call(&mut self, fill: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>) {
        if self.raised.is_some() {
            return;
        }
        let answer = Python::attach(|py| -> PyResult<bool> {
            py.check_signals()?;
            let event = PyDict::new(py);
            fill(&event)?;
            let answer = self.tell.bind(py).call1((event,))?;
            // Nothing, or any other answer, goes on.
            Ok(answer.extract::<bool>().unwrap_or(true))
        });
        match answer {
            Ok(true) => {}
            Ok(false) => self.stop.raise(),
            Err(raised) => {
                self.stop.raise();
                self.raised = Some(raised);
            }
        }
    }
}

impl Observer for Teller {
    fn notice(&mut self, event: &Event<'_>) {
        self.call(|dict| {
            fill(dict, event)?;
            dict.set_item("line", line_of(event))
        });
    }
}

/// The fields of an event.
fn fill(dict: &Bound<'_, PyDict>, event: &Event<'_>) -> PyResult<()> {
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
            dict.set_item("kind", "started")?;
            dict.set_item("network", network)?;
            dict.set_item("parameters", parameters)?;
            dict.set_item("device", device)?;
            dict.set_item("train_images", train_images)?;
            dict.set_item("val_images", val_images)?;
            dict.set_item("height", height)?;
            dict.set_item("width", width)?;
            dict.set_item("epochs_done", epochs_done)?;
            dict.set_item("batches_done", batches_done)?;
            dict.set_item("epochs", epochs)
        }
        Event::Note(text) => {
            dict.set_item("kind", "note")?;
            dict.set_item("text", text)
        }
        Event::Batch { epoch, epochs, batch, batches, images, loss } => {
            dict.set_item("kind", "batch")?;
            dict.set_item("epoch", epoch)?;
            dict.set_item("epochs", epochs)?;
            dict.set_item("batch", batch)?;
            dict.set_item("batches", batches)?;
            dict.set_item("images", images)?;
            dict.set_item("loss", loss)
        }
        Event::Scored { epoch, done, images } => {
            dict.set_item("kind", "scored")?;
            dict.set_item("epoch", epoch)?;
            dict.set_item("done", done)?;
            dict.set_item("images", images)
        }
        Event::Epoch { record, epochs, best } => {
            dict.set_item("kind", "epoch")?;
            dict.set_item("epoch", record.epoch)?;
            dict.set_item("epochs", epochs)?;
            dict.set_item("best", best)?;
            let scores = serde_json::to_string(record).expect("a record is a flat map of numbers and words");
            dict.set_item("record", scores)
        }
    }
}
