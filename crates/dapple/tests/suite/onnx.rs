//! ONNX files as models.

use std::fs;

use crate::common::Bench;
use dapple::data::decode_image;
use dapple::graph::{Network, State};
use dapple::nets::{Activation, NetConfig};
use dapple::onnx::proto::{DataType, ModelProto};
use dapple::onnx::{Options, OutputFunction, export};
use dapple::onnx_model::{OnnxSettings, PixelSettings, onnx_model};
use dapple::{ForeignInput, Segmenter};
use dapple_base::ValueRange;
use prost::Message;

/// A narrow network with random weights and that many classes, without a word about images.
fn bare(bench: &Bench, name: &str, classes: usize) {
    let config = NetConfig { width: 4, ..NetConfig::new("unet", 3, classes).expect("of the registry") };
    let graph = config.build(config.example_input()).expect("it fits its example");
    let options = Options { function: Some(OutputFunction::Softmax), ..Options::default() };
    let written = export(&config, &State::init(&graph, 1), &options).expect("it can be written");
    fs::write(bench.path(name), written.bytes).expect("the folder is writable");
}

#[test]
fn an_exported_model_predicts_as_the_model_itself() {
    let bench = Bench::new();
    bench.succeed("export horse --onnx horse.onnx");
    let photo = decode_image(bench.path("data/images/synthetic0000.png")).expect("a picture");
    let threads = |path: std::path::PathBuf| Segmenter::builder().threads(1).load(path).expect("a model");
    let (own, back) = (threads("horse".into()), threads(bench.path("horse.onnx")));
    assert_eq!(own.classes(), back.classes());
    assert!(back.notes().iter().any(|note| note.contains("metadata")), "{:?}", back.notes());
    let (own, back) = (own.predict(&photo).expect("it predicts"), back.predict(&photo).expect("it predicts"));
    let pairs = own.probability(1).into_iter().zip(back.probability(1));
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-3, "{difference}");
    bench.succeed("predict horse.onnx data/images --out masks --device cpu --quiet");
    assert!(bench.path("masks/synthetic0000.png").is_file());
}

#[test]
fn a_file_that_does_not_tell_how_images_are_prepared_is_refused_with_the_flags() {
    let bench = Bench::new();
    bare(&bench, "bare.onnx", 3);
    let predict = "predict bare.onnx data/images --out masks --device cpu";
    bench.refuse(predict, &["bare.onnx", "--range", "--mean", "--std", "preprocessor_config.json"]);
    assert!(!bench.path("masks").exists());
    let said = bench.succeed(&format!("{predict} --range 0..255 --input-size 32"));
    for word in ["softmax at its end", "class 0", "--classes-file"] {
        assert!(said.err.contains(word), "no `{word}` in {}", said.err);
    }
    fs::write(bench.path("names.txt"), "sky\nroad\n\ntree\n").expect("the folder is writable");
    let flags = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --input-size 32 --classes-file names.txt";
    bench.succeed(&format!("predict bare.onnx data/images --out named --device cpu {flags}"));
    // As many classes as the data has.
    bare(&bench, "five.onnx", 5);
    bench.succeed(
        "eval five.onnx data --part all --device cpu --range 0..255 --input-size 32 --original-size",
    );
    let said = bench.run(&format!("eval bare.onnx data --part all --device cpu {flags}"));
    assert!(said.code == Some(2) && said.err.contains("5 classes but 3"), "{}", said.err);
    let said = bench.succeed(&format!("models show bare.onnx {flags}"));
    assert!(said.out.contains("tree") && said.out.contains("parameters"), "{}", said.out);
    let said = bench.succeed("models show bare.onnx");
    assert!(said.err.contains("does not tell how pixels are prepared"), "{}", said.err);
    bench.succeed("bench bare.onnx --size 32 --runs 1 --device cpu");
    bench.refuse("bench bare.onnx --size 32 --runs 1 --device cpu --classes 5", &["--classes", "as it is"]);
    for (flags, words) in [
        ("--mean 1,2 --std 1", &["--mean", "2 values", "3 channels"][..]),
        ("--std 0", &["--std"][..]),
        ("--range 1..0", &["--range"][..]),
        ("--range 0..1 --classes-file missing.txt", &["missing.txt"][..]),
    ] {
        bench.refuse(&format!("{predict} {flags}"), words);
    }
    fs::write(bench.path("two.txt"), "a\nb\n").expect("the folder is writable");
    bench.refuse(&format!("{predict} --range 0..1 --classes-file two.txt"), &["3 classes", "2 names"]);
    // Dapple's own models know their input.
    bench.refuse("predict horse data/images --out own --mean 0.5", &["horse", "without --mean"]);
}

#[test]
fn a_file_of_bytes_takes_pixels_as_they_are_whatever_stands_beside_it() {
    let bench = Bench::new();
    bare(&bench, "bare.onnx", 3);
    let mut model =
        ModelProto::decode(&fs::read(bench.path("bare.onnx")).expect("written")[..]).expect("a model");
    let input = &mut model.graph.as_mut().expect("a graph").input[0];
    let tensor = input.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()).expect("a tensor");
    tensor.elem_type = Some(DataType::Uint8 as i32);
    fs::write(bench.path("bytes.onnx"), model.encode_to_vec()).expect("the folder is writable");
    let predict = "predict bytes.onnx data/images --out masks --device cpu --input-size 32";
    bench.refuse(&format!("{predict} --range 0..1"), &["bytes.onnx", "0 to 255", "--range"]);
    let steps = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}"#;
    fs::write(bench.path("preprocessor_config.json"), steps).expect("the folder is writable");
    let input = ForeignInput { size: Some((32, 32)), ..ForeignInput::default() };
    let given = ForeignInput { range: Some([0.0, 255.0]), ..input.clone() };
    let load = |input: ForeignInput, name: &str| {
        Segmenter::builder().threads(1).foreign(input).load(bench.path(name)).expect("a model")
    };
    let (found, wanted) = (load(input, "bytes.onnx"), load(given, "bare.onnx"));
    assert!(found.notes().iter().any(|note| note.contains("input is of bytes")), "{:?}", found.notes());
    let photo = decode_image(bench.path("data/images/synthetic0000.png")).expect("a picture");
    let labels = |segmenter: &Segmenter| segmenter.predict(&photo).expect("it predicts").labels();
    assert_eq!(labels(&found), labels(&wanted));
    bench.succeed("bench bytes.onnx --size 32 --runs 1 --device cpu");
}

#[test]
fn metadata_are_read_as_they_are_written() {
    let bench = Bench::new();
    let write = |range: &str| {
        let steps = format!(
            r#"{{"size": [32, 32], "mean": [0, 0, 0], "std": [1, 1, 1], "divisor": 255, "value_range": "{range}"}}"#
        );
        let classes = r#"[{"name": "sky", "colour": [0, 0, 0]}, {"name": "a\nerror: b\u001b[2J", "colour": [9, 9, 9]}]"#;
        let entries = [("preprocessing", steps.as_str()), ("classes", classes)];
        let metadata = entries.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let config = NetConfig { width: 4, ..NetConfig::new("unet", 3, 2).expect("of the registry") };
        let config = NetConfig { activation: Activation::Softmax, ..config };
        let graph = config.build(config.example_input()).expect("it fits its example");
        let options = Options { metadata, ..Options::default() };
        let written = export(&config, &State::init(&graph, 1), &options).expect("it can be written");
        fs::write(bench.path("model.onnx"), written.bytes).expect("the folder is writable");
    };
    write("0..4095");
    let (model, _) = onnx_model(&bench.path("model.onnx"), &OnnxSettings::default()).expect("a model");
    let range = model.card.images.expect("they have values of their own").range;
    assert_eq!(range, ValueRange::Span(vec![[0.0, 4095.0]]));
    // Names of classes stay on their line.
    let said = bench.succeed("models show model.onnx");
    assert!(said.out.contains(r"a\nerror: b\u{1b}[2J"), "{}", said.out);
    write("bright");
    bench.refuse("predict model.onnx data/images --out masks", &["model.onnx", "cannot be understood"]);
}

#[test]
fn a_file_that_takes_blue_first_gets_it_first() {
    let bench = Bench::new();
    bare(&bench, "bare.onnx", 3);
    let pixels = PixelSettings { mean: &[10.0, 20.0, 30.0], range: Some([0.0, 255.0]), ..Default::default() };
    let pixels = PixelSettings { reversed: true, ..pixels };
    let settings = OnnxSettings { pixels, size: Some((32, 32)), ..OnnxSettings::default() };
    let (model, _) = onnx_model(&bench.path("bare.onnx"), &settings).expect("a model");
    // The channels in their new order, then range and means in that order.
    let order = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    assert_eq!(model.state.values[..9], order);
    assert_eq!(model.state.values[9..15], [255.0, 255.0, 255.0, -10.0, -20.0, -30.0]);
    let predict = "predict bare.onnx data/images --out masks --device cpu --range 0..255 --input-size 32";
    bench.succeed(&format!("{predict} --bgr"));
    bench.refuse("predict horse data/images --out own --bgr", &["horse", "--bgr"]);
}

#[test]
fn descriptions_of_hugging_face_beside_a_file_are_followed() {
    let bench = Bench::new();
    bare(&bench, "model.onnx", 3);
    let steps = r#"{"do_normalize": true, "do_rescale": true, "rescale_factor": 0.00392156862745098,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "size": {"height": 32, "width": 48}}"#;
    fs::write(bench.path("preprocessor_config.json"), steps).expect("the folder is writable");
    let names = r#"{"id2label": {"0": "wall", "1": "door", "2": "lamp"}}"#;
    fs::write(bench.path("config.json"), names).expect("the folder is writable");
    let found = Segmenter::load(bench.path("model.onnx")).expect("a model");
    assert_eq!(found.classes().names, ["wall", "door", "lamp"]);
    // The same by hand.
    let input =
        ForeignInput { mean: vec![0.5], std: vec![0.25], size: Some((32, 48)), ..ForeignInput::default() };
    let given = Segmenter::builder().foreign(input).load(bench.path("model.onnx")).expect("a model");
    let photo = decode_image(bench.path("data/images/synthetic0000.png")).expect("a picture");
    let labels = |segmenter: &Segmenter| segmenter.predict(&photo).expect("it predicts").labels();
    assert_eq!(labels(&found), labels(&given));
    fs::write(bench.path("preprocessor_config.json"), "{").expect("the folder is writable");
    bench.refuse("predict model.onnx data/images --out masks", &["preprocessor_config.json", "--mean"]);
}

#[test]
fn models_are_shown_by_name_and_misspelt_names_are_corrected() {
    let bench = Bench::new();
    let said = bench.succeed("models show horse");
    assert!(said.out.contains("# ") && said.out.contains("horse"), "{}", said.out);
    let said = bench.succeed("models show u2net");
    assert!(said.out.contains("licence: ") && said.out.contains("object"), "{}", said.out);
    let said = bench.succeed("models show resnet18");
    assert!(said.out.contains("ImageNet"), "{}", said.out);
    let said = bench.succeed("models show segnet");
    assert!(said.out.contains("a network without weights"), "{}", said.out);
    bench.refuse("models show hrose", &["did you mean `horse`?"]);
    bench.refuse("predict hrose data/images", &["hrose", "did you mean `horse`?"]);
}
