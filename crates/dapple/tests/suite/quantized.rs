//! `dapple quantize`, and the commands that take its models.

use std::fs;

use crate::common::Bench;
use dapple::nets::checkpoint::ModelFile;
use dapple::onnx::proto::ModelProto;
use prost::Message;
use serde_json::Value;

/// A quantized model of a trained run.
fn quantized() -> Bench {
    let bench = Bench::new();
    bench.train("run");
    let said = bench.succeed(
        "quantize --model run --data data --images 4 --loss-budget 1 --out int8.safetensors --json report.json",
    );
    for words in ["convolutions in int8: ", "fp32 IoU", "mean", "int8.safetensors"] {
        assert!(said.out.contains(words), "{}", said.out);
    }
    bench
}

/// The number of `QuantizeLinear` in an ONNX file.
fn rounded(bench: &Bench, name: &str) -> usize {
    let bytes = fs::read(bench.path(name)).expect("it was written");
    let graph = ModelProto::decode(bytes.as_slice()).expect("an ONNX model").graph.expect("a graph");
    graph.node.iter().filter(|node| node.op_type() == "QuantizeLinear").count()
}

#[test]
fn every_command_takes_a_quantized_model() {
    let bench = quantized();
    let report: Value = serde_json::from_str(&bench.read("report.json")).expect("JSON");
    let model = ModelFile::load(&bench.path("int8.safetensors")).expect("a model");
    let inputs = &model.card.network.quantization.as_ref().expect("it is quantized").inputs;
    assert_eq!(report["quantized"], inputs.len());
    assert!(inputs.len() > 10 && report["kept"].as_array().is_some_and(Vec::is_empty), "{report}");
    assert_eq!(report["calibration_images"], 4);
    assert_eq!(report["calibration"].as_array().map(Vec::len), Some(4));
    let losses = ["fp32", "int8"].map(|kind| report[kind]["classes"].as_array().map(Vec::len));
    assert_eq!(losses, [Some(5); 2]);

    // Its scores are those that the report has, on the images that the run was validated with.
    bench.succeed("eval int8.safetensors data --device cpu --json scores.json");
    let scores: Value = serde_json::from_str(&bench.read("scores.json")).expect("JSON");
    assert_eq!(scores["dataset"]["miou"], report["int8"]["dataset"]["miou"]);
    assert_eq!(scores["images"], report["int8"]["images"]);

    bench.succeed("predict int8.safetensors data/images/synthetic0000.png --device cpu --quiet --out masks");
    assert!(bench.path("masks/synthetic0000.png").is_file());
    bench.succeed("bench unet --init int8.safetensors --size 32 --runs 1 --device cpu --layers");
    let said = bench.succeed("models show int8.safetensors");
    assert!(said.out.contains(&format!("quantized: {} convolutions", inputs.len())), "{}", said.out);
    bench.succeed("export int8.safetensors --dapple copy.safetensors");
    let copy = ModelFile::load(&bench.path("copy.safetensors")).expect("a model");
    assert_eq!(copy.state, model.state);

    let said = bench.succeed("export int8.safetensors --torch int8-torch.safetensors");
    assert!(said.err.contains("not the ranges of its feature maps"), "{}", said.err);
    bench.succeed("export int8.safetensors --onnx int8.onnx --int8");
    assert!(rounded(&bench, "int8.onnx") > 10);
    let said = bench.succeed("export int8.safetensors --onnx plain.onnx");
    assert!(said.err.contains("--int8"), "{}", said.err);
    assert_eq!(rounded(&bench, "plain.onnx"), 0);
}

#[test]
fn a_quantized_model_is_neither_trained_nor_quantized_again() {
    let bench = quantized();
    let again = "quantize --model int8.safetensors --data data --out other.safetensors --quiet";
    bench.refuse(again, &["quantized already"]);
    bench.refuse("train --data data --init int8.safetensors --epochs 1 --out next", &["quantized"]);
    assert!(!bench.path("next").exists());
    bench
        .refuse("bench unet --init int8.safetensors --size 32 --runs 1 --device cpu --train", &["quantized"]);
    let own = "bench unet --init int8.safetensors --size 32 --runs 1 --device cpu --classes 3";
    bench.refuse(own, &["--classes", "has 5"]);
    bench.refuse("bench segnet --init int8.safetensors --size 32 --runs 1", &["int8.safetensors", "unet"]);
    bench.refuse("export run --onnx run.onnx --int8", &["quantize the model first"]);
    assert!(!bench.path("run.onnx").exists());
    // Nothing is written over what was there, and no budget is out of range.
    bench.refuse("quantize --model run --data data --out int8.safetensors", &["exists already", "--force"]);
    bench.refuse("quantize --model run --data data --loss-budget 2 --out x.safetensors", &["0 to 1"]);
    // Neither over each other, by whatever way they are written.
    let twice = "quantize --model run --data data --out x.safetensors --json ./x.safetensors";
    bench.refuse(twice, &["x.safetensors", "two outputs"]);
    bench.refuse("eval run data --json x.json --csv x.json", &["x.json", "two outputs"]);
    bench.succeed("export run --onnx run.onnx");
    let said = bench.run("quantize --model run.onnx --data data --out y.safetensors --quiet");
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("run.onnx: a network of an ONNX file is not quantized"), "{}", said.err);
    assert!(!bench.path("x.safetensors").exists() && !bench.path("y.safetensors").exists());
}
