//! The commands as scripts use them: what they write, print and exit with.

use std::fs;

use crate::common::{Bench, names};
use dapple::data::{LabelCoding, decode_labels, decode_values};
use serde_json::Value;

#[test]
fn train_then_eval_then_predict() {
    let bench = Bench::new();
    let said = bench.train("run");
    assert!(said.out.contains("epoch 2/2") && said.out.contains("written to run"), "{}", said.out);

    // The scores of the best epoch, as printed in training, come out of the saved file again.
    let said = bench.succeed("eval --model run --data data --json -");
    let scores: Value = serde_json::from_str(&said.out).expect("nothing but JSON on standard output");
    let rows: Vec<Value> = bench
        .read("run/metrics.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    let best: f64 = rows.iter().filter_map(|row| row["val_miou"].as_f64()).fold(0.0, f64::max);
    assert_eq!(scores["dataset"]["miou"].as_f64(), Some(best));
    assert_eq!(scores["images"], 2);
    for key in ["miou", "boundary_miou", "pixel_accuracy", "mean_accuracy", "dice"] {
        assert!(scores["dataset"].get(key).is_some(), "dataset.{key}");
    }
    for key in ["name", "iou", "boundary_iou", "accuracy", "dice"] {
        assert!(
            scores["classes"].as_array().is_some_and(|c| c.iter().all(|c| c.get(key).is_some())),
            "{key}"
        );
    }
    assert!(scores["per_image"]["miou"].is_number() && scores["per_image"]["boundary_miou"].is_number());
    assert!(scores["per_image"].get("foreground_iou").is_none(), "there are five classes");
    assert!(scores.get("images_detail").is_none());

    let said =
        bench.succeed("eval --model run/best.safetensors --data data --part all --json s.json --per-image");
    assert!(said.out.contains("Boundary IoU") && said.out.contains("ring"), "{}", said.out);
    let scores: Value = serde_json::from_str(&bench.read("s.json")).expect("a JSON file");
    assert_eq!(scores["images_detail"].as_array().map(Vec::len), Some(10));

    // Masks have the size of the photograph and class indices as values.
    bench.succeed("predict --model run data/images --out masks --kind all");
    assert_eq!(names(&bench.path("masks")).len(), 10 * 7 + 1, "with the record");
    let labels = decode_labels(bench.path("masks/synthetic0000.png"), LabelCoding::Indices, 5, None);
    assert_eq!(labels.map(|map| (map.width, map.height)).ok(), Some((32, 32)));
}

#[test]
fn two_classes_have_a_foreground() {
    let bench = Bench::new();
    // Disc, square, triangle and ring become one class, written as 255.
    for name in names(&bench.path("data/masks")) {
        let path = bench.path("data/masks").join(name);
        let mask = decode_values(&path).expect("a mask");
        let labels: Vec<u8> = mask.values.iter().map(|&value| 255 * u8::from(value > 0)).collect();
        dapple::data::write_indexed_png(&path, 32, 32, &labels, &[]).expect("the folder is writable");
    }
    fs::remove_file(bench.path("data/classes.toml")).expect("written with the pictures");
    bench.succeed(
        "train --data data --model u2net-lite --width 4 --size 32 --epochs 1 --channels 1 --out run",
    );
    let said = bench.succeed("eval --model run --data data --part train --json -");
    let scores: Value = serde_json::from_str(&said.out).expect("nothing but JSON on standard output");
    assert_eq!(scores["images"], 8);
    for key in ["foreground_iou", "foreground_boundary_iou", "miou", "boundary_miou"] {
        assert!(scores["per_image"].get(key).is_some(), "per_image.{key}");
    }
    assert!(bench.read("run/metrics.csv").contains("val_foreground_iou"));
    bench.succeed("predict --model run data/images/synthetic0001.png --out out --kind probability");
    assert_eq!(names(&bench.path("out")), [".dapple-results", "synthetic0001-probability.png"]);
}

#[test]
fn a_bad_image_does_not_stop_the_others() {
    let bench = Bench::new();
    bench.train("run");
    fs::write(bench.path("data/images/broken.png"), "no image").expect("the folder is writable");
    bench.refuse(
        "predict --model run data/images nowhere.jpg --out masks",
        &["broken.png", "nowhere.jpg", "2 of 12"],
    );
    assert_eq!(names(&bench.path("masks")).len(), 10 + 1, "with the record");
    // A mask never overwrites its photograph.
    bench.refuse("predict --model run data/images/synthetic0000.png --out data/images", &["another folder"]);
}

#[test]
fn the_networks_are_listed() {
    let bench = Bench::new();
    let said = bench.succeed("models --json");
    let models: Value = serde_json::from_str(&said.out).expect("a JSON list");
    let unet = models.as_array().and_then(|list| list.iter().find(|model| model["name"] == "unet"));
    assert_eq!(unet.map(|unet| unet["parameters"].as_u64()), Some(Some(31_037_698)));
    assert!(unet.is_some_and(|unet| unet["multiply_adds"].is_u64() && unet["source"].is_string()));

    // Below the names of their decoders and papers, for terminals of 80 columns.
    let said = bench.succeed("models").out;
    assert!(said.contains("1.13 M") && said.contains("U-Net on an encoder: unet-ENCODER"), "{said}");
    for line in said.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(said.matches("\n  fpn-resnet34 ").count(), 1, "{said}");

    // Searched and sorted, in both forms.
    let said = bench.succeed("models --search pan --sort macs --json");
    let found: Vec<Value> = serde_json::from_str(&said.out).expect("a JSON list");
    assert!(found.iter().any(|model| model["name"] == "pan-resnet18"));
    assert!(found.iter().map(|model| model["multiply_adds"].as_u64()).is_sorted());
    let said = bench.succeed("models --search ResNet-18 --sort size").out;
    assert!(said.contains("unet-resnet18 ") && !said.contains("segnet"), "{said}");
    bench.refuse("models --search nosuchnetwork", &["`nosuchnetwork`", "dapple models"]);
    // Those that need larger images are named.
    let said = bench.succeed("models --search pan-resnet --size 96");
    assert!(said.err.contains("left out") && said.err.contains("pan-resnet18"), "{}", said.err);
}

#[test]
fn help_shows_examples() {
    let bench = Bench::new();
    for arguments in [
        "--help",
        "train --help",
        "eval --help",
        "predict --help",
        "demo --help",
        "export --help",
        "weights --help",
        "completions --help",
        "man --help",
    ] {
        assert!(bench.succeed(arguments).out.contains("Example"), "{arguments}");
    }
    assert!(bench.succeed("--version").out.starts_with("dapple "));
}
