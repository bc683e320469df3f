//! Folders of transformers against its own logits (`tests/hugging_face/make.py`), and hostile ones.

use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, Inference, Network, Shape, State, Tensor};
use dapple_nets::checkpoint::{
    HubConfig, HubFiles, HubModel, NamedTensor, Normalization, PixelMap, read_state_dict, write_state_dict,
};
use dapple_nets::{Activation, NetConfig};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HEIGHT: usize = 64;
const WIDTH: usize = 96;

/// As in the script.
const STRIDE: usize = 4;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hugging_face").join(name)
}

/// The script's picture, normalized, `[1, 64, 96, 3]`.
fn photo(normalization: Normalization) -> Tensor {
    let [mean, std] = normalization.moments(3);
    let mut values = Vec::new();
    for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
        for c in 0..3 {
            let byte = (y * 7 + x * 5 + c * 83 + (y * x) % 31 * 3) % 256;
            values.push((byte as f32 / 255.0 - mean[c]) / std[c]);
        }
    }
    Tensor::new(Shape::new(1, HEIGHT, WIDTH, 3), values)
}

/// The largest difference from the script's logits, as a share of their largest value.
fn difference(name: &str, model: &HubModel, input: &Tensor) -> f32 {
    let engine = CpuEngine::new(Some(1)).expect("an engine");
    let mut executor = engine.load(Arc::new(model.config.clone()), &model.state).expect("it fits");
    let out = executor.infer(input, Inference::Predict).expect("it runs").swap_remove(0);
    let there =
        read_state_dict(&folder(name).join("logits.safetensors"), &|_| true).expect("the script wrote it");
    let NamedTensor { shape, values, .. } = &there[0];
    let &[rows, columns, classes] = &shape[..] else { panic!("{shape:?}") };
    assert_eq!([rows * STRIDE, columns * STRIDE, classes], [HEIGHT, WIDTH, out.shape.c]);
    let largest = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let mut most = 0.0_f32;
    for (place, value) in values.iter().enumerate() {
        let (pixel, class) = (place / classes, place % classes);
        let (y, x) = (pixel / columns * STRIDE, pixel % columns * STRIDE);
        most = most.max((out.data[(y * WIDTH + x) * classes + class] - value).abs());
    }
    most / largest
}

fn config(name: &str) -> HubConfig {
    HubConfig::of_folder(&folder(name)).expect("a description").expect("of transformers")
}

#[test]
fn segformer_and_upernet_have_the_logits_of_transformers() {
    for name in ["segformer", "upernet"] {
        let config = config(name);
        let model = config.read(&folder(name), None).expect("weights");
        assert!(model.unused.is_empty(), "{:?}", model.unused);
        assert!(model.config.imported.is_some(), "no network of the registry has these sizes");
        let difference = difference(name, &model, &photo(Normalization::ImageNet));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
    assert_eq!(config("segformer").labels[4], "thing 4");
    assert!(config("upernet").labels.is_empty(), "transformers called them by their numbers");
}

#[test]
fn other_moments_become_a_layer() {
    let (mean, std) = ([0.4_f32, 0.5, 0.6], [0.2_f32, 0.3, 0.25]);
    let scale = std.map(|std| 1.0 / std).to_vec();
    let shift = mean.iter().zip(&std).map(|(mean, std)| -mean / std).collect();
    let map = PixelMap { scale, shift, reversed: false };
    let config = config("segformer-moments");
    assert_eq!((config.classes(), config.labels.len()), (2, 1));
    let model = config.read(&folder("segformer-moments"), Some(&map)).expect("weights");
    assert_eq!(model.config.activation, Activation::Sigmoid);
    let unit = photo(Normalization::Unit);
    let straight = difference("segformer-moments", &model, &unit);
    assert!(straight < 1e-4, "{straight}");
    // Blue first: the same for a picture whose channels are exchanged.
    let reversed = PixelMap { reversed: true, ..map.clone() };
    let model = config.read(&folder("segformer-moments"), Some(&reversed)).expect("weights");
    let mut exchanged = unit;
    exchanged.data.chunks_exact_mut(3).for_each(<[f32]>::reverse);
    let crossed = difference("segformer-moments", &model, &exchanged);
    assert!(crossed < 1e-4, "{crossed}");
    let grey = PixelMap { scale: vec![1.0], shift: vec![0.0], reversed: false };
    config.read(&folder("segformer-moments"), Some(&grey)).expect_err("one channel of three");
}

/// Random weights of a network of the registry as files of another library, in a folder.
fn written(config: &NetConfig, names: &[&str]) -> (tempfile::TempDir, State, HubFiles) {
    let graph = config.build(Shape::new(1, 64, 64, 3)).expect("it fits");
    let state = State::init(&graph, 5);
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let files = HubFiles::new(config, &state, &names).expect("the libraries have it");
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("config.json"), files.config.to_string()).expect("the folder is writable");
    fs::write(folder.path().join("model.safetensors"), &files.weights).expect("the folder is writable");
    (folder, state, files)
}

#[test]
fn what_is_written_for_transformers_is_read_as_the_same_network() {
    let published = NetConfig::new("segformer-b0", 3, 3).expect("of the registry");
    let narrow = NetConfig { width: 8, dropout: Some(0.25), ..published.clone() };
    for config in [published, narrow] {
        let (folder, state, files) = written(&config, &["sky", "road", "tree"]);
        assert_eq!(files.library, "transformers");
        let read = HubConfig::of_folder(folder.path()).expect("a description").expect("of transformers");
        assert_eq!(read.labels, ["sky", "road", "tree"]);
        let model = read.read(folder.path(), None).expect("weights");
        let same = NetConfig { drop_path: model.config.drop_path, ..config };
        assert_eq!((model.config, model.state), (same, state));
    }
}

#[test]
fn what_is_written_for_smp_names_the_same_network() {
    for name in [
        "unet-resnet18",
        "unet-mit-b0",
        "fpn-efficientnet-b0",
        "deeplabv3plus-resnet18",
        "deeplabv3-smp-resnet18",
        "pspnet-resnet18",
        "linknet-resnet18",
        "fpn-efficientnet-lite0",
        "segformer-mit-b0",
    ] {
        let config = NetConfig::new(name, 3, 3).expect("of the registry");
        let state = State::init(&config.build(Shape::new(1, 64, 64, 3)).expect("it fits"), 0);
        let files = HubFiles::new(&config, &state, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(files.library, "segmentation_models_pytorch", "{name}");
        assert!(files.config["decoder_use_batchnorm"].is_null(), "{name}: the former name of a setting");
    }
    for (name, width) in [("unet", 8), ("unet-resnet18", 32), ("u2net", 8)] {
        let config = NetConfig { width, ..NetConfig::new(name, 3, 3).expect("of the registry") };
        let state = State::init(&config.build(Shape::new(1, 64, 64, 3)).expect("it fits"), 0);
        let error = HubFiles::new(&config, &state, &[]).expect_err(name).to_string();
        assert!(error.contains(name) && error.contains("--onnx"), "{error}");
    }
}

#[test]
fn weights_in_several_files_are_put_together() {
    let there = tempfile::tempdir().expect("a temporary folder");
    fs::copy(folder("segformer").join("config.json"), there.path().join("config.json")).expect("a copy");
    let entries =
        read_state_dict(&folder("segformer").join("model.safetensors"), &|_| true).expect("weights");
    let mut map = serde_json::Map::new();
    for (part, entries) in entries.chunks(entries.len().div_ceil(2)).enumerate() {
        let file = format!("model-{part}.safetensors");
        fs::write(there.path().join(&file), write_state_dict(entries).expect("names are unique"))
            .expect("the folder is writable");
        map.extend(entries.iter().map(|entry| (entry.name.clone(), file.clone().into())));
    }
    let index = there.path().join("model.safetensors.index.json");
    fs::write(&index, json!({"weight_map": map}).to_string()).expect("the folder is writable");
    let config = config("segformer");
    let whole = config.read(&folder("segformer"), None).expect("weights");
    assert_eq!(config.read(there.path(), None).expect("weights").state, whole.state);
    fs::write(&index, r#"{"weight_map": {"a": "../../model.safetensors"}}"#).expect("the folder is writable");
    let error = config.read(there.path(), None).expect_err("it leads to another folder").to_string();
    assert!(error.contains("index.json") && error.contains("weight_map"), "{error}");
}

#[test]
fn settings_that_do_not_fit_are_all_named() {
    let plain: Value =
        serde_json::from_slice(&fs::read(folder("segformer").join("config.json")).expect("there"))
            .expect("JSON");
    for (key, value) in [
        ("depths", json!([1, 2, 1])),
        ("depths", json!([1, 2, 1, 4_000_000_000_u64])),
        ("hidden_sizes", json!("wide")),
        ("hidden_sizes", json!([4, 8, 12, 1e300])),
        ("hidden_sizes", json!([4, 8, -12, 16])),
        ("num_attention_heads", json!([3, 2, 3, 2])),
        ("sr_ratios", json!([0, 2, 2, 1])),
        ("patch_sizes", json!([3, 3, 3, 3])),
        ("hidden_act", json!("relu")),
        ("num_channels", json!(0)),
        ("decoder_hidden_size", json!(u64::MAX)),
        ("classifier_dropout_prob", json!(1)),
        ("id2label", json!({"1": "a", "2": "b"})),
        ("id2label", json!([])),
        ("num_labels", json!(7)),
        ("reshape_last_stage", json!(false)),
    ] {
        let mut changed = plain.clone();
        changed[key] = value;
        let error = HubConfig::parse(changed.to_string().as_bytes()).expect_err(key).to_string();
        let word = if key == "num_attention_heads" { "heads" } else { key };
        assert!(error.contains(word), "{key}: {error}");
    }
    let mut two = plain.clone();
    (two["hidden_act"], two["depths"]) = (json!("relu"), json!(2));
    let error = HubConfig::parse(two.to_string().as_bytes()).expect_err("two").to_string();
    assert!(error.contains("hidden_act") && error.contains("depths"), "{error}");
    for architecture in ["DPTForSemanticSegmentation", "SegformerForImageClassification"] {
        let mut other = plain.clone();
        other["architectures"] = json!([architecture]);
        let error = HubConfig::parse(other.to_string().as_bytes()).expect_err(architecture).to_string();
        assert!(error.contains(architecture) && error.contains("UperNet"), "{error}");
    }
    let swin = json!({"model_type": "upernet", "backbone_config": {"model_type": "swin"}});
    let error = HubConfig::parse(swin.to_string().as_bytes()).expect_err("swin").to_string();
    assert!(error.contains("swin") && error.contains("convnext"), "{error}");
    for text in ["", "[]", "{\"architectures\": ", &"[".repeat(100_000)] {
        HubConfig::parse(text.as_bytes()).expect_err("no object");
    }
    assert!(HubConfig::parse(br#"{"_model_class": "Unet"}"#).expect("of smp").is_none());
}

#[test]
fn weights_that_do_not_fit_are_refused_before_memory_is_taken() {
    let there = tempfile::tempdir().expect("a temporary folder");
    let mut wide: Value =
        serde_json::from_slice(&fs::read(folder("segformer").join("config.json")).expect("there"))
            .expect("JSON");
    // A description of some 100 GB of weights.
    (wide["hidden_sizes"], wide["depths"]) = (json!([8192, 8192, 8192, 8192]), json!([16, 16, 16, 16]));
    wide["num_attention_heads"] = json!([1, 1, 1, 1]);
    fs::write(there.path().join("config.json"), wide.to_string()).expect("the folder is writable");
    fs::copy(folder("segformer").join("model.safetensors"), there.path().join("model.safetensors"))
        .expect("a copy");
    let config = HubConfig::of_folder(there.path()).expect("a description").expect("of transformers");
    let error = config.read(there.path(), None).expect_err("the shapes differ").to_string();
    assert!(error.contains("its shape is"), "{error}");
    fs::remove_file(there.path().join("model.safetensors")).expect("it is there");
    config.read(there.path(), None).expect_err("no weights");
}
