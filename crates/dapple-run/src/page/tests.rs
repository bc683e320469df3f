use std::path::Path;

use super::*;
use dapple_metrics::{Evaluator, Protocol};
use dapple_train::TrainConfig;

/// A folder with settings, two epochs and scores, without anything that newer programs write.
fn old_run(folder: &Path, prediction: [u8; 4]) -> RunData {
    std::fs::create_dir_all(folder).expect("the folder is writable");
    let config = TrainConfig::for_network("unet", 2, Path::new("horses")).expect("a network");
    config.save(&folder.join("config.toml")).expect("the folder is writable");
    let rows = "{\"epoch\":1,\"train_loss\":0.5,\"val_miou\":0.4,\"seconds\":1}\n{\"epoch\":2,\"train_loss\":0.3,\"val_miou\":0.6,\"seconds\":1}\n{\"epo";
    std::fs::write(folder.join("metrics.jsonl"), rows).expect("the folder is writable");
    let mut evaluator = Evaluator::new(Protocol::new(["ground", "horse"], None)).expect("two classes");
    for name in ["a.png", "b.png"] {
        evaluator.add(name, &prediction, &[0, 0, 1, 1], 2, 2).expect("labels of two classes");
    }
    let json = serde_json::to_string(&evaluator.finish_with_images()).expect("JSON");
    std::fs::write(folder.join("best.json"), json).expect("the folder is writable");
    RunData::read(folder).expect("a run")
}

#[test]
fn an_old_run_has_a_report_that_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut run = old_run(&folder.path().join("a & b"), [0, 0, 0, 1]);
    run.not_examined = Some("the data are gone".into());
    let html = report(&[run]).to_html();
    for wanted in [
        "U-Net on horses",
        "Foreground IoU, mean over the images",
        "the data are gone",
        "id=\"curves\"",
        "a &amp; b",
    ] {
        assert!(html.contains(wanted), "no {wanted}");
    }
    assert!(!html.contains("id=\"calibration\"") && !html.contains("int8"));
}

#[test]
fn a_report_says_that_the_best_model_is_quantized() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut run = old_run(&folder.path().join("run"), [0, 0, 0, 1]);
    run.int8_convolutions = 17;
    let html = report(&[run]).to_html();
    assert!(html.contains("17 convolutions in int8"), "{html}");
}

#[test]
fn runs_are_compared_image_by_image() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = [
        old_run(&folder.path().join("first"), [0, 0, 0, 1]),
        old_run(&folder.path().join("second"), [0, 0, 1, 1]),
    ];
    let (text, _) = report(&runs).to_markdown("pictures");
    assert!(
        text.contains(
            "| Foreground IoU, mean over the images | 0.5000 | 1.0000 | +0.5000 | +0.5000 to +0.5000 |"
        ),
        "{text}"
    );
    assert!(text.contains("All settings are the same."));
}

#[test]
fn a_run_without_anything_but_settings_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("config.toml"), "").expect("the folder is writable");
    let run = RunData::read(folder.path()).expect("a run");
    assert!(report(std::slice::from_ref(&run)).to_html().contains("There are no scores"));
    let page = live(&run, &|folder, file, version| format!("/{folder}/{file}?{version}"));
    assert_eq!(page.lead, "0 epochs done.");
    assert!(RunData::read(&folder.path().join("absent")).is_err());
}
