//! `dapple report` and what a training leaves for it.

mod common;

use std::fs;

use common::{Bench, names};
use serde_json::Value;

#[test]
fn a_training_ends_with_a_report_that_needs_nothing_else() {
    let bench = Bench::new();
    bench.train("run");
    let html = bench.read("run/report.html");
    for wanted in [
        "id=\"scores\"",
        "id=\"confusion\"",
        "id=\"calibration\"",
        "id=\"images\"",
        "id=\"strips\"",
        "id=\"data\"",
        "dapple train --config run/config.toml --out NEW_FOLDER",
        "--width 2 --size 32",
        "data:image/jpeg;base64,",
    ] {
        assert!(html.contains(wanted), "no {wanted}");
    }
    // Nothing is fetched and nothing runs.
    for forbidden in ["<script", "src=\"http", "href=\"http", "url("] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    let text = bench.read("run/report.md");
    assert!(text.starts_with("# U-Net on data"), "{text}");
    let pictures = names(&bench.path("run/report-pictures"));
    for line in text.lines().filter(|line| line.starts_with("![")) {
        let file = line.rsplit_once("](report-pictures/").map(|(_, rest)| rest.trim_end_matches(')'));
        assert!(file.is_some_and(|file| pictures.iter().any(|name| name == file)), "{line}");
    }

    // Data and network are not needed again.
    fs::remove_dir_all(bench.path("data")).expect("the pictures are there");
    fs::remove_file(bench.path("run/report.html")).expect("written above");
    let said = bench.succeed("report run --out page.html");
    assert!(said.out.contains("page.html and page.md") && said.err.is_empty(), "{}{}", said.out, said.err);
    assert!(bench.read("page.html").contains("id=\"calibration\""));

    // Where they are needed and gone, the page says so and shows the rest.
    fs::remove_file(bench.path("run/evaluation.json")).expect("written by the training");
    let said = bench.succeed("report run --out rest.html");
    assert!(said.err.starts_with("warning: run: "), "{}", said.err);
    let html = bench.read("rest.html");
    assert!(html.contains("the best model could not be run") && html.contains("id=\"scores\""));
    assert!(!html.contains("id=\"calibration\""));
}

#[test]
fn what_the_report_needs_is_made_where_it_is_missing() {
    let bench = Bench::new();
    bench.train("run");
    let before: Value = serde_json::from_str(&bench.read("run/evaluation.json")).expect("JSON");
    fs::remove_file(bench.path("run/evaluation.json")).expect("written by the training");
    let said = bench.succeed("report run");
    assert!(said.out.contains("running the best model"), "{}", said.out);
    let after: Value = serde_json::from_str(&bench.read("run/evaluation.json")).expect("JSON");
    assert_eq!(before, after);

    // The counts are those of the scores.
    let scores: Value = serde_json::from_str(&bench.read("run/best.json")).expect("JSON");
    for (label, row) in after["confusion"].as_array().expect("a matrix").iter().enumerate() {
        let labelled: u64 = row.as_array().expect("a row").iter().filter_map(Value::as_u64).sum();
        assert_eq!(scores["classes"][label]["labelled_pixels"].as_u64(), Some(labelled));
    }
}

#[test]
fn several_runs_stand_side_by_side() {
    let bench = Bench::new();
    bench.train("first");
    bench.succeed("train --config first/config.toml --lr 0.01 --out second --quiet");
    bench.succeed("report first second --out both.html --quiet");
    let html = bench.read("both.html");
    for wanted in ["2 runs", "second minus first", "Settings that differ", "learning_rate"] {
        assert!(html.contains(wanted), "no {wanted}");
    }
    bench.refuse("report first --out page.txt", &["page.txt", ".html"]);
    bench.refuse("report nowhere", &["nowhere", "config.toml"]);
}

#[test]
fn a_run_tells_who_made_it_and_how_it_ended() {
    let bench = Bench::new();
    bench.train("run");
    let info: Value = serde_json::from_str(&bench.read("run/run.json")).expect("JSON");
    let command = info["sessions"][0]["command"].as_array().expect("a list");
    assert!(command.iter().any(|word| word == "--width") && info["val_images"] == 2, "{info}");
    let progress: Value = serde_json::from_str(&bench.read("run/progress.json")).expect("JSON");
    assert_eq!((&progress["state"], &progress["epoch"]), (&"finished".into(), &2.into()));
    assert!(bench.read("run/log.txt").contains("epoch 2/2"));
    assert_eq!(bench.read("run/classes.jsonl").lines().count(), 2);
    assert_eq!(names(&bench.path("run/tensorboard")).len(), 1);

    // Going on with a finished run says so once more, and changes no epoch.
    let metrics = bench.read("run/metrics.csv");
    bench.succeed("train --resume run --quiet");
    let info: Value = serde_json::from_str(&bench.read("run/run.json")).expect("JSON");
    assert_eq!(info["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(bench.read("run/metrics.csv"), metrics);
    assert_eq!(bench.read("run/classes.jsonl").lines().count(), 2);
}
