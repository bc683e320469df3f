//! Data that show too little to learn or to measure.

use std::path::Path;
use std::sync::Arc;

use dapple_base::{InputFault, StopFlag};
use dapple_cpu::CpuEngine;
use dapple_data::{Classes, Dataset, LabelMap, LabelledImage, Raster};
use dapple_run::{Run, RunError, RunFolder};
use dapple_train::{Outcome, TrainConfig};

const SIDE: usize = 32;
/// Eight of ten samples are for training.
const SAMPLES: usize = 10;
const IGNORED: u8 = 255;

/// Samples of two classes, of which the given ones have this label only.
fn dataset(plain: &[usize], label: u8) -> Arc<Dataset> {
    let sample = |index: usize| {
        let is_plain = plain.contains(&index);
        let labels = (0..SIDE * SIDE).map(|at| if is_plain { label } else { u8::from(at % SIDE < SIDE / 2) });
        let labels = LabelMap { width: SIDE, height: SIDE, labels: labels.collect() };
        let data = (0..SIDE * SIDE * 3).map(|at| (at * (index + 3) % 251) as u8).collect();
        let image = Raster { width: SIDE, height: SIDE, channels: 3, data };
        (format!("{index}"), LabelledImage { image, labels })
    };
    let classes = Classes::binary("horse");
    Arc::new(Dataset::from_memory((0..SAMPLES).map(sample), classes, Some(IGNORED)).expect("they fit"))
}

fn start(dataset: Arc<Dataset>, run: &Path) -> Result<Run, RunError> {
    let mut config = TrainConfig::for_network("unet", 2, run).expect("a known network");
    config.network.width = 2;
    (config.input.height, config.input.width) = (SIDE, SIDE);
    (config.epochs, config.batch) = (2, 4);
    config.data.ignore = Some(IGNORED);
    config.evaluation.pictures = 1;
    Run::start(config, dataset, RunFolder::claim(run, false)?)
}

/// The samples of the validation part, which do not depend on the labels.
fn validation() -> Vec<usize> {
    let config = TrainConfig::for_network("unet", 2, "data".as_ref()).expect("a known network");
    let dataset = dataset(&[], 0);
    let split = config.data.divide(&dataset).expect("ten samples are enough");
    split.indices(&dataset).expect("its own names").val
}

#[test]
fn a_training_whose_validation_images_show_one_class_or_none_ends_well() {
    for label in [0, IGNORED] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = start(dataset(&validation(), label), &folder.path().join("run")).expect("a new run");
        let engine = CpuEngine::new(Some(1)).expect("threads can be started");
        let outcome = run.train(&engine, &mut (), &StopFlag::new()).expect("it trains to its end");
        assert!(matches!(outcome, Outcome::Finished { ref records } if records.len() == 2));
        assert!(
            folder.path().join("run/best.safetensors").exists()
                && folder.path().join("run/report.html").exists()
        );
    }
}

#[test]
fn training_images_of_one_class_are_refused() {
    let all: Vec<usize> = (0..SAMPLES).collect();
    for (label, shown) in
        [(0, "of one class, background"), (1, "of one class, horse"), (IGNORED, "are ignored")]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error =
            start(dataset(&all, label), &folder.path().join("run")).expect_err("nothing can be learned");
        let message = error.to_string();
        assert!(error.is_input_fault() && message.contains(shown), "{message}");
        assert!(!folder.path().join("run").exists(), "nothing is left behind");
    }
}
