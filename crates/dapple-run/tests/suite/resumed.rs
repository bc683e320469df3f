//! Resuming over data that have changed or moved.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dapple_base::StopFlag;
use dapple_data::{Dataset, OpenOptions, write_indexed_png};
use dapple_run::{Run, RunFolder};

use crate::tiny::{self, SIDE, engine};

/// A run of one epoch, trained to its end.
fn trained(data: &Path, run: &Path) {
    let mut config = tiny::config(data, "unet", 2);
    config.epochs = 1;
    let run = RunFolder::claim(run, false).expect("a new folder");
    train(Run::start(config, open(data), run).expect("a new run"));
}

fn open(data: &Path) -> Arc<Dataset> {
    Arc::new(Dataset::open(data, &OpenOptions::default()).expect("a data set"))
}

fn train(run: Run) {
    run.train(&engine(), &mut (), &StopFlag::new()).expect("it trains");
}

/// Gives each pixel of a sample's mask the next class.
fn turn_labels(dataset: &Dataset, sample: usize) {
    let labels = dataset.labels(sample).expect("a mask");
    let classes = dataset.classes();
    let turned: Vec<u8> = labels.labels.iter().map(|label| (label + 1) % classes.len() as u8).collect();
    let path = dataset.label_paths(sample)[0];
    write_indexed_png(path, SIDE as u32, SIDE as u32, &turned, &classes.colours)
        .expect("the folder is writable");
}

#[test]
fn resuming_over_changed_data_warns() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    trained(&data, &run);
    let warnings = |run: &Path| Run::resume(run).expect("the run can be resumed").warnings().to_vec();
    assert!(warnings(&run).is_empty(), "the data are the same");

    let dataset = open(&data);
    (0..dataset.len()).for_each(|sample| turn_labels(&dataset, sample));
    let found = warnings(&run).join("\n");
    assert!(found.contains("10 of 10 samples have other labels"), "{found}");
    train(Run::resume(&run).expect("the run can be resumed"));
    let log = fs::read_to_string(run.join("log.txt")).expect("the run has a log");
    assert!(log.contains("warning: 10 of 10 samples have other labels"), "{log}");
}

#[test]
fn a_run_without_a_fingerprint_says_so_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    trained(&data, &run);
    fs::remove_file(run.join("data.json")).expect("the run has a fingerprint");
    let warnings = |run: &Path| Run::resume(run).expect("the run can be resumed").warnings().to_vec();
    assert!(warnings(&run)[0].contains("no fingerprint"));
    assert!(warnings(&run).is_empty());
}

#[test]
fn a_run_goes_on_with_data_that_have_moved() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, moved, run) =
        (folder.path().join("data"), folder.path().join("elsewhere"), folder.path().join("run"));
    trained(&data, &run);
    fs::rename(&data, &moved).expect("the folder is writable");
    let message = Run::resume(&run).expect_err("the data are gone").to_string();
    assert!(message.contains("config.toml") && message.contains("--data"), "{message}");

    let comments = |run: &Path| {
        let text = fs::read_to_string(run.join("config.toml")).expect("the run has settings");
        text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = comments(&run);
    let resumed = Run::resume_with(&run, Some(&moved), None).expect("the data are there");
    assert!(resumed.warnings().is_empty());
    drop(resumed);
    // The new place is kept, and so is the rest of the file.
    assert!(Run::resume(&run).expect("the data are there").warnings().is_empty());
    assert_eq!(comments(&run), before);
}
