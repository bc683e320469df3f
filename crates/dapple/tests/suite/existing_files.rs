//! Commands never write over their inputs, over models, or over files that are not their own.

use std::fs;

use crate::common::{Bench, names};

#[test]
fn the_second_model_makes_the_results_anew() {
    let bench = Bench::new();
    bench.train("first");
    bench.succeed(
        "train --data data --model unet --width 2 --size 32 --epochs 1 --batch 2 --threads 2 --seed 9 --out second",
    );
    let image = "data/images/synthetic0001.png";
    let mask = |name: &str| fs::read(bench.path(name)).expect("it was written");
    let predicted =
        |model: &str, more: &str| bench.succeed(&format!("predict {model} {image} --out out {more}")).out;
    assert!(predicted("first", "").contains("1 of 1"));
    assert!(predicted("first", "").contains("1 existed"));
    assert!(predicted("second", "").contains("1 of 1"));
    assert!(predicted("first", "--threshold 0.9").contains("1 of 1"));
    bench.succeed(&format!("predict second {image} --out other"));
    predicted("second", "");
    assert_eq!(mask("out/synthetic0001.png"), mask("other/synthetic0001.png"));
    assert_eq!(names(&bench.path("out")), [".dapple-results", "synthetic0001.png"]);
}

#[test]
fn inputs_and_models_are_not_overwritten() {
    let bench = Bench::new();
    bench.train("run");
    let model = fs::read(bench.path("run/best.safetensors")).expect("a model");
    let best = "run/best.safetensors";
    for flag in ["--onnx", "--torch", "--dapple"] {
        bench.refuse(&format!("export --model run {flag} {best}"), &[best, "belongs to the run"]);
        bench.refuse(&format!("export --model run {flag} {best} --force"), &[best, "belongs to the run"]);
        bench.refuse(
            &format!("export --model run {flag} run/last.safetensors"),
            &["last", "belongs to the run"],
        );
    }
    bench.refuse("export run --onnx both --torch both", &["both", "two outputs"]);
    bench.refuse("eval --model run --data data --json run/best.safetensors", &[best]);
    bench.refuse("eval --model run --data data --csv data/classes.toml", &["data/classes.toml", "exists"]);
    assert_eq!(fs::read(bench.path(best)).expect("a model"), model);

    // A file of another command or program is not replaced, an earlier one of the same command is.
    fs::write(bench.path("coco.json"), r#"{"images": [], "annotations": []}"#).expect("a file");
    fs::write(bench.path("page.html"), "<!doctype html><p>mine").expect("a file");
    bench.refuse("eval --model run --data data --json coco.json", &["coco.json", "exists"]);
    bench.refuse("data inspect data --json coco.json", &["coco.json", "exists"]);
    bench.refuse("data inspect data --html page.html", &["page.html", "exists"]);
    bench.refuse("report run --out page.html", &["page.html", "exists"]);
    bench.refuse("data preview data --out data/images/synthetic0001.png --force", &["file of the data"]);
    for _ in 0..2 {
        bench.succeed("eval --model run --data data --json scores.json --csv images.csv --per-image");
        bench.succeed("data inspect data --json found.json --html found.html");
        bench.succeed("report run --out own.html");
        bench.succeed("compare scores.json scores.json --json same.json");
        bench.succeed("export --model run --onnx run.onnx --force");
    }
    bench.refuse("compare scores.json scores.json --json scores.json", &["input"]);
    bench.refuse("export --model run --onnx run.onnx", &["run.onnx", "--force"]);
}
