//! Engines by name: what is built in is listed, and what is not says how to get it.

mod common;

use common::Bench;
use serde_json::Value;

#[test]
fn devices_are_listed() {
    let bench = Bench::empty();
    let said = bench.succeed("devices --json");
    let devices: Value = serde_json::from_str(&said.out).expect("a JSON list");
    let cpu = devices.as_array().and_then(|list| list.iter().find(|device| device["name"] == "cpu"));
    let cpu = cpu.expect("the processor is always there");
    assert_eq!((&cpu["built_in"], &cpu["present"]), (&Value::Bool(true), &Value::Bool(true)));
    let text = bench.succeed("devices").out;
    assert!(text.contains("auto takes ") && text.starts_with("device "), "{text}");
}

/// Every command with `--device` goes through the same door.
#[test]
fn devices_that_are_not_there_are_refused_by_every_command() {
    let bench = Bench::new();
    bench.train("run");
    let device = |name: &str, words: &[&str]| {
        for command in [
            "train --data data --model unet --width 2 --size 32 --epochs 1 --out other",
            "train --resume run",
            "eval --model run --data data",
            "predict --model run data/images --out masks",
            "report run",
            "serve run --port 0",
            "bench unet --width 2 --size 32",
            "demo --out demo --quiet",
        ] {
            bench.refuse(&format!("{command} --device {name}"), words);
        }
    };
    device("cudda", &["`cudda`", "did you mean `cuda`?", "dapple devices"]);
    if cfg!(not(feature = "torch")) {
        device(
            "cuda:1",
            &["`cuda:1`", "feature `torch`", "cargo install --path crates/dapple --features torch"],
        );
    }
    if cfg!(not(feature = "gpu")) {
        device("vulkan", &["`vulkan`", "feature `gpu`", "cargo install --path crates/dapple --features gpu"]);
    }
    device("cpu --precision bf16", &["`cpu`", "fp32 only", "bf16"]);
    assert!(!bench.path("other").exists(), "no folder is left behind");
}

#[test]
fn devices_are_timed_in_turns() {
    let bench = Bench::empty();
    let small = "bench unet --width 2 --size 32 --runs 3 --threads 1";
    let json = |arguments: &str| -> Value {
        serde_json::from_str(&bench.succeed(arguments).out).expect("nothing but JSON on standard output")
    };
    let one = json(&format!("{small} --device cpu --json -"));
    assert_eq!(one["device"], "cpu");
    assert!(one["median_s"].is_f64() && one["simd"].is_string() && one["threads"] == 1);

    for train in ["", " --train"] {
        let both = json(&format!("{small}{train} --device cpu,cpu --json -"));
        assert_eq!(both["devices"].as_array().map(Vec::len), Some(2));
        assert_eq!(both["ratios"][0], 1.0);
        assert_eq!(both["differences"], serde_json::json!([0.0, 0.0]));
        assert!(both["ratios"][1].as_f64().is_some_and(|ratio| ratio > 0.0));
    }
    let said = bench.succeed(&format!("{small} --device cpu,cpu --json both.json"));
    assert!(said.out.contains("ratio") && bench.read("both.json").contains("\"ratios\""), "{}", said.out);
    bench.refuse(&format!("{small} --device cpu,torch-cp"), &["did you mean `torch-cpu`?"]);
    bench.succeed(&format!("{small} --layers"));
}
