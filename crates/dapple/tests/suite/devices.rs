//! Engines by name: what is built in is listed, and what is not says how to get it.

use crate::common::Bench;
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

#[test]
fn layers_have_shares_operations_and_bytes_and_a_trace_names_the_threads() {
    let bench = Bench::empty();
    let small = "bench unet-efficientnet-b0 --width 8 --size 32 --runs 2 --threads 2";
    for train in ["", " --train"] {
        let command = format!("{small}{train} --layers --trace trace.json --json -");
        let said: Value = serde_json::from_str(&bench.succeed(&command).out).expect("JSON");
        let layers = said["layers"].as_array().expect("steps");
        let sum = |key: &str| layers.iter().filter_map(|layer| layer[key].as_f64()).sum::<f64>();
        assert!((sum("share") - 1.0).abs() < 1e-9);
        assert!(layers.iter().all(|layer| layer["bytes"].is_u64()) && sum("bytes") > 0.0);
        // All products of the network, in training three times but for the gradient of the image.
        let all = said["gflops"].as_f64().expect("a rate") * said["median_s"].as_f64().expect("a time");
        let share = sum("giga_operations") / all;
        assert!(share < 1.0 + 1e-6 && share > if train.is_empty() { 1.0 - 1e-6 } else { 0.9 }, "{share}");

        let trace: Value = serde_json::from_str(&bench.read("trace.json")).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        let of =
            |key: &'static str, value: &'static str| events.iter().filter(move |event| event[key] == value);
        let threads: Vec<&str> =
            of("name", "thread_name").filter_map(|e| e["args"]["name"].as_str()).collect();
        assert_eq!(threads, ["steps", "dapple-cpu-0", "dapple-cpu-1"]);
        let on_track = |track: u64| of("ph", "X").filter(move |event| event["tid"] == track).count();
        // Each of two passes and its steps, and some work of each thread.
        assert_eq!(on_track(1), 2 * (layers.len() + 1));
        assert!(on_track(2) + on_track(3) > layers.len() / 2);
    }
    let said = bench.succeed(&format!("{small} --layers"));
    assert!(["share", "GFLOP/s", "GB/s"].iter().all(|head| said.out.contains(head)), "{}", said.out);
}

#[test]
fn variables_choose_the_kernels_of_the_cpu_engine() {
    let bench = Bench::empty();
    let run = |variable: &str, value: &str| {
        let mut command =
            bench.command("bench unet --width 2 --size 32 --runs 1 --threads 1 --device cpu --json -");
        let output = command.env(variable, value).output().expect("the program starts");
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, json, _) = run("DAPPLE_SIMD", "portable");
    let json: Value = serde_json::from_slice(&json).expect("nothing but JSON on standard output");
    assert!(code == Some(0) && json["simd"] == "portable", "{json}");
    assert_eq!(run("DAPPLE_CONV", "plain").0, Some(0));
    for (variable, value) in [("DAPPLE_SIMD", "mmx"), ("DAPPLE_CONV", "fft")] {
        let (code, _, message) = run(variable, value);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(variable) && message.contains(value), "{message}");
    }
}

/// Trained on one engine, scored on another: the same numbers to rounding.
#[cfg(feature = "torch")]
#[test]
fn libtorch_is_a_device_like_any_other() {
    let bench = Bench::new();
    let train = "train --data data --model unet --width 4 --size 32 --epochs 2 --batch 2 --threads 2";
    let said = bench.succeed(&format!("{train} --device torch-cpu --precision bf16 --out run"));
    assert!(said.out.contains("on torch-cpu"), "{}", said.out);
    assert!(bench.read("run/config.toml").contains("precision = \"bf16\""));
    let miou = |device: &str| -> f64 {
        let said = bench.succeed(&format!("eval --model run --data data --json - --device {device}"));
        let scores: Value = serde_json::from_str(&said.out).expect("nothing but JSON on standard output");
        scores["dataset"]["miou"].as_f64().expect("it is defined")
    };
    assert!((miou("cpu") - miou("torch-cpu")).abs() < 1e-3);

    let both = "bench unet --width 4 --size 32 --runs 2 --device cpu,torch-cpu --json -";
    let both: Value = serde_json::from_str(&bench.succeed(both).out).expect("a JSON object");
    assert_eq!(both["devices"][1]["device"], "torch-cpu");
    assert!(both["differences"][1].as_f64().is_some_and(|difference| difference < 1e-4), "{both}");

    bench.refuse("bench unet --device torch-cpu --layers", &["--layers", "--device cpu"]);
    bench.refuse(
        "bench unet --device torch-cpu --train --memory-limit 1GiB",
        &["`torch-cpu`", "memory limit"],
    );
    bench.refuse("bench unet --device cuda:77", &["`cuda:77` is not available"]);
    let listed: Value = serde_json::from_str(&bench.succeed("devices --json").out).expect("a JSON list");
    let names: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|d| d["name"].as_str()).collect();
    assert!(names.contains(&"torch-cpu") && names.iter().any(|name| name.starts_with("cuda")), "{names:?}");
}
