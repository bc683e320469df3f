//! `dapple export` and `dapple weights`, as scripts use them.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::common::{Bench, names};
use dapple::graph::{Network, State};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{Class, ModelCard, ModelFile, Normalization, read_state_dict};
use dapple::onnx::proto::ModelProto;
use dapple_base::{TrainingImages, ValueRange};
use prost::Message;
use serde_json::Value;

/// The model and its metadata.
fn read_onnx(bench: &Bench, name: &str) -> (ModelProto, HashMap<String, String>) {
    let bytes = fs::read(bench.path(name)).expect("it was written");
    let model = ModelProto::decode(bytes.as_slice()).expect("an ONNX model");
    let metadata =
        model.metadata_props.iter().map(|entry| (entry.key().to_owned(), entry.value().to_owned()));
    let metadata = metadata.collect();
    (model, metadata)
}

#[test]
fn a_run_becomes_onnx_and_a_state_dict() {
    let bench = Bench::new();
    bench.train("run");
    let said = bench.succeed("export --model run --onnx model.onnx --torch torch.safetensors");
    assert!(said.out.contains("model.onnx") && said.out.contains("torch.safetensors"), "{}", said.out);

    let (model, metadata) = read_onnx(&bench, "model.onnx");
    let graph = model.graph.expect("a graph");
    assert_eq!(graph.output.iter().map(|o| o.name()).collect::<Vec<_>>(), ["logits"]);
    assert_eq!(model.opset_import[0].version, Some(17));
    let json = |key: &str| -> Value { serde_json::from_str(&metadata[key]).expect("JSON") };
    assert_eq!(json("preprocessing")["size"], serde_json::json!([32, 32]));
    assert_eq!(json("preprocessing")["channels"], "RGB");
    assert!(
        metadata["preprocessing"].contains("\"mean\":[0.485,0.456,0.406]"),
        "{}",
        metadata["preprocessing"]
    );
    assert_eq!(json("classes").as_array().map(Vec::len), Some(5));
    assert_eq!(json("classes")[0]["name"], "background");
    assert!(json("scores")["validation"]["loss"].is_number());
    assert_eq!(json("network")["name"], "unet");
    assert_eq!((metadata["activation"].as_str(), metadata["output"].as_str()), ("softmax", "logits"));

    // The weights are those of the model, value by value.
    let model = ModelFile::load(&bench.path("run/best.safetensors")).expect("a model");
    let entries = read_state_dict(&bench.path("torch.safetensors"), &|_| true).expect("a state dict");
    assert_eq!(entries.len(), model.state.specs.len());
    for entry in entries {
        assert_eq!(model.state.get(&entry.name), Some(&entry.values[..]), "{}", entry.name);
    }
    // And they can be started from.
    bench.succeed(
        "train --data data --model unet --width 2 --size 32 --epochs 1 --init torch.safetensors --out again",
    );
}

#[test]
fn the_form_can_be_chosen() {
    let bench = Bench::new();
    bench.train("run");
    bench.succeed("export --model run --onnx p.onnx --probabilities --keep-batch-norm --opset 20");
    let (model, metadata) = read_onnx(&bench, "p.onnx");
    let graph = model.graph.expect("a graph");
    assert_eq!(graph.output[0].name(), "probabilities");
    assert!(graph.node.iter().any(|node| node.op_type() == "BatchNormalization"));
    assert_eq!(model.opset_import[0].version, Some(20));
    assert_eq!(metadata["output"], "probabilities");
    let said = bench.succeed("export run --dapple small.safetensors --int8-weights");
    assert!(said.err.contains("rounded to eight bits"), "{}", said.err);
}

#[test]
fn onnx_in_half_precision_is_half_the_file_and_says_what_stays() {
    let bench = Bench::new();
    bench.train("run");
    bench.succeed("export run --onnx single.onnx");
    let said = bench.succeed("export run --onnx half.onnx --half");
    assert!(!said.err.contains("precision"), "{}", said.err);
    let size = |name: &str| fs::metadata(bench.path(name)).expect("it was written").len();
    assert!(size("half.onnx") < size("single.onnx") * 8 / 10);

    let path = bench.path("run/best.safetensors");
    let mut model = ModelFile::load(&path).expect("a model");
    let index = model.state.specs.iter().rposition(|spec| spec.shape.len() == 4).expect("a convolution");
    let name = model.state.specs[index].name.clone();
    model.state.slice_mut(index)[0] = 1e6;
    fs::write(bench.path("large.safetensors"), model.to_bytes().expect("a sound model")).expect("a file");
    let said = bench.succeed("export large.safetensors --onnx large.onnx --half");
    assert!(said.err.contains(&name) && said.err.contains("stays in single precision"), "{}", said.err);
    bench.refuse("export run --torch a.safetensors --half", &["--half", "--onnx FILE"]);
    let said = bench.succeed("export run --torch a.safetensors --onnx a.onnx --half");
    assert!(said.err.contains("a.safetensors stays in single precision"), "{}", said.err);
}

#[test]
fn preprocessing_and_argmax_are_in_the_model_and_its_metadata_say_so() {
    let bench = Bench::new();
    bench.train("run");
    bench.succeed("export run --onnx whole.onnx --with-preprocessing --argmax");
    let (model, metadata) = read_onnx(&bench, "whole.onnx");
    let graph = model.graph.expect("a graph");
    assert_eq!((graph.input[0].name(), graph.output[0].name()), ("image", "labels"));
    assert_eq!(model.opset_import[0].version, Some(18));
    let json = |key: &str| -> Value { serde_json::from_str(&metadata[key]).expect("JSON") };
    assert_eq!(metadata["output"], "labels");
    assert_eq!(json("preprocessing")["included"], true);
    assert_eq!(json("postprocessing")["included"], serde_json::json!(["resize", "decide"]));
    bench.refuse("export run --onnx a.onnx --with-preprocessing --opset 17", &["opset 18", "17"]);
    bench.refuse("export run --onnx a.onnx --argmax --probabilities", &["--argmax", "--probabilities"]);
    bench
        .refuse("export run --torch a.safetensors --argmax", &["--argmax is for ONNX models", "--onnx FILE"]);

    // Images whose white is not 255 are not those that the model would take.
    let path = bench.path("run/best.safetensors");
    let mut model = ModelFile::load(&path).expect("a model");
    let range = ValueRange::Span(vec![[0.0, 4095.0]]);
    model.card.images = Some(TrainingImages { range, ..TrainingImages::unknown() });
    fs::write(bench.path("raw.safetensors"), model.to_bytes().expect("a sound model")).expect("a file");
    bench.refuse(
        "export raw.safetensors --onnx a.onnx --with-preprocessing",
        &["0..4095", "8-bit", "metadata"],
    );
    bench.succeed("export raw.safetensors --onnx a.onnx --argmax");
}

#[test]
fn side_outputs_that_are_left_out_are_named() {
    let bench = Bench::new();
    let network = NetConfig { width: 4, ..NetConfig::new("u2net-lite", 3, 2).expect("of the registry") };
    let graph = network.build(network.example_input()).expect("it fits its example");
    let class = |name: &str, grey: u8| Class { name: name.to_owned(), colour: [grey; 3] };
    let card = ModelCard {
        network,
        classes: vec![class("ground", 0), class("object", 255)],
        ignore: None,
        input_size: [32, 32],
        normalisation: Normalization::U2Net,
        images: None,
        seed: 0,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::new(),
    };
    let model = ModelFile { card, state: State::init(&graph, 1) };
    fs::write(bench.path("u2net.safetensors"), model.to_bytes().expect("a sound model")).expect("a file");
    let said = bench.succeed("export u2net.safetensors --onnx one.onnx");
    assert!(
        said.err.contains("side outputs are left out") && said.err.contains("--all-outputs"),
        "{}",
        said.err
    );
    let (name, _) = &graph.outputs()[1];
    assert!(said.err.contains(name.as_str()), "{}", said.err);
    let said = bench.succeed("export u2net.safetensors --onnx all.onnx --all-outputs");
    assert!(!said.err.contains("left out"), "{}", said.err);
}

#[test]
fn wrong_exports_say_why() {
    let bench = Bench::empty();
    bench.refuse("export --model nowhere.safetensors --onnx a.onnx", &["nowhere.safetensors"]);
    bench.refuse("export --model m", &["no model of that name"]);
    bench.refuse("export --model m --onnx a.onnx --opset 9", &["17"]);
    bench.refuse("export --model m --torch a --probabilities", &["--onnx"]);
    assert!(names(&bench.path("")).is_empty());
}

#[test]
fn weights_are_listed_and_named() {
    let bench = Bench::empty();
    let list = |flag: &str| {
        let mut command = bench.command(&format!("weights list {flag}"));
        let output = command.env("DAPPLE_CACHE", bench.path("cache")).output().expect("the program starts");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert!(list("").contains("vgg16_bn"));
    let rows: Value = serde_json::from_str(&list("--json")).expect("a JSON list");
    let vgg = rows.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == "vgg16_bn"));
    assert!(vgg.is_some_and(|row| row["present"] == false
        && row["url"].as_str().is_some_and(|u| u.ends_with("vgg16_bn-6c64b313.pth"))));
    bench.refuse("weights get vgg16-bn", &["vgg16-bn", "did you mean `vgg16_bn`"]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_cache_is_in_the_users_folder_unless_dapple_cache_is_set() {
    use std::path::PathBuf;

    let bench = Bench::empty();
    let home = bench.path("home");
    let place = |variables: &[(&str, &str)]| {
        let mut command = bench.command("weights list --json");
        command.env_remove("DAPPLE_CACHE").env_remove("XDG_CACHE_HOME").env("HOME", &home);
        let output = command.envs(variables.iter().copied()).output().expect("the program starts");
        let rows: Value = serde_json::from_slice(&output.stdout).expect("a JSON list");
        let paths = rows.as_array().into_iter().flatten().filter_map(|row| row["path"].as_str());
        paths.map(PathBuf::from).find(|path| path.ends_with("u2netp.pth")).expect("it is in the list")
    };
    let xdg = ("XDG_CACHE_HOME", "/big/cache");
    assert_eq!(place(&[]), home.join(".cache/dapple/weights/u2netp.pth"));
    assert_eq!(place(&[xdg]), PathBuf::from("/big/cache/dapple/weights/u2netp.pth"));
    // The XDG base directory specification says that relative paths are to be ignored.
    assert_eq!(place(&[("XDG_CACHE_HOME", "cache")]), home.join(".cache/dapple/weights/u2netp.pth"));
    assert_eq!(place(&[xdg, ("DAPPLE_CACHE", "mine")]), PathBuf::from("mine/weights/u2netp.pth"));
}

#[test]
fn offline_says_which_file_goes_where() {
    let bench = Bench::new();
    let ask = |arguments: &str, variable: (&str, &str)| {
        let mut command = bench.command(arguments);
        command.env("DAPPLE_CACHE", bench.path("cache")).env(variable.0, variable.1);
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let train = "train --data data --model segnet --init imagenet --out run";
    for (arguments, variable) in [
        ("weights get vgg16_bn --offline", ("DAPPLE_OFFLINE", "")),
        (train, ("DAPPLE_OFFLINE", "1")),
        (&format!("{train} --offline"), ("DAPPLE_OFFLINE", "0")),
    ] {
        let said = ask(arguments, variable);
        let place = bench.path("cache/weights/vgg16_bn-6c64b313.pth").display().to_string();
        for part in ["vgg16_bn", "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth", &place] {
            assert!(said.contains(part), "{arguments}: {said}");
        }
    }
    assert!(!bench.path("run").exists());
    let said = ask("train --data data --model u2net --init imagenet --out run", ("DAPPLE_OFFLINE", "1"));
    assert!(said.contains("u2net") && said.contains("segnet"), "{said}");
}

#[test]
fn a_download_with_another_content_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil");
        }
    });
    let bench = Bench::empty();
    let output = bench
        .command("weights get resnet18")
        .env("DAPPLE_CACHE", bench.path("cache"))
        .env("DAPPLE_WEIGHTS_MIRROR", format!("http://{address}/models/"))
        .env_remove("DAPPLE_OFFLINE")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.contains("f37072fd") && said.contains("/models/resnet18-f37072fd.pth"), "{said}");
    assert!(names(&bench.path("cache/weights")).is_empty());
}
