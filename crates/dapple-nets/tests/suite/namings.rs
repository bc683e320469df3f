//! Weights under timm's and Hugging Face's names for networks that have torchvision's and segmentation_models_pytorch's.
//! `tests/parity/make.py --timm` lists timm's names and shapes.

use dapple_graph::{Network, Shape, State};
use dapple_nets::NetConfig;
use dapple_nets::checkpoint::{NamedTensor, Naming, init_from, named_as, published};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A row of `tests/parity/timm.json`.
#[derive(serde::Deserialize)]
struct Row {
    network: String,
    naming: String,
    keys: BTreeMap<String, Vec<usize>>,
}

/// Layers of timm's classification networks outside the encoder.
const CLASSIFIER: [&str; 4] = ["classifier.", "conv_head.", "bn2.", "head."];

fn state(config: &NetConfig, seed: u64) -> State {
    State::init(&config.build(Shape::new(1, 64, 64, config.in_channels)).unwrap(), seed)
}

#[test]
fn timms_names_fill_whole_encoders_and_networks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/timm.json");
    let rows: Vec<Row> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(rows.len(), 19);
    for row in rows {
        let config = NetConfig::new(&row.network, 3, 2).unwrap();
        let mut here = state(&config, 1);
        // Each entry has a value of its own.
        let entry = |(i, (name, shape)): (usize, (&String, &Vec<usize>))| NamedTensor {
            name: name.clone(),
            shape: shape.clone(),
            values: vec![i as f32 + 1.0; shape.iter().product()],
        };
        let entries: Vec<NamedTensor> = row.keys.iter().enumerate().map(entry).collect();
        let report = init_from(&mut here, &config, &entries).unwrap();
        assert_eq!(format!("{:?}", report.naming), row.naming, "{}: {report}", row.network);
        assert!(report.missing.is_empty() && report.mismatched.is_empty(), "{}: {report}", row.network);
        for entry in &report.unexpected {
            // Those of segmentation_models_pytorch keep the last layer.
            let name = entry.name.trim_start_matches("encoder.");
            assert!(CLASSIFIER.iter().any(|start| name.starts_with(start)), "{}: {report}", row.network);
        }
        assert_eq!(report.loaded.len() + report.unexpected.len(), entries.len(), "{}: {report}", row.network);
    }
}

/// `_blocks.0._depthwise_conv` and the like, with the classifier's layers, from timm's of the same network.
#[test]
fn blocks_that_are_numbered_through_fill_efficientnet_lite() {
    for (network, blocks) in [("unet-efficientnet-lite0", 16), ("fpn-efficientnet-lite2", 21)] {
        let config = NetConfig { width: 8, ..NetConfig::new(network, 3, 2).unwrap() };
        let there = state(&config, 2);
        let entries = named_as(&config, &there, Naming::Numbered).unwrap();
        let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert!(names.contains("_conv_stem.weight") && names.contains("_bn0.running_var"), "{network}");
        let layers = ["_depthwise_conv.weight", "_bn1.bias", "_project_conv.weight", "_bn2.running_mean"];
        for block in 0..blocks {
            assert!(
                layers.iter().all(|layer| names.contains(&*format!("_blocks.{block}.{layer}"))),
                "{block}"
            );
            assert_eq!(names.contains(&*format!("_blocks.{block}._expand_conv.weight")), block > 0);
        }
        assert!(!names.contains(&*format!("_blocks.{blocks}._bn1.bias")), "{network}");
        let classifier = NamedTensor { name: "_fc.bias".to_owned(), shape: vec![5], values: vec![0.5; 5] };
        let entries: Vec<NamedTensor> = entries.into_iter().chain([classifier]).collect();
        let mut here = state(&config, 1);
        let report = init_from(&mut here, &config, &entries).unwrap();
        assert_eq!((report.naming, report.unexpected.len()), (Naming::Numbered, 1), "{network}: {report}");
        for spec in here.specs.iter().filter(|spec| spec.name.starts_with("encoder.")) {
            assert_eq!(here.get(&spec.name), there.get(&spec.name), "{network}: {}", spec.name);
        }
        // Without one of its layers, it is no whole encoder.
        let part: Vec<NamedTensor> =
            entries.into_iter().filter(|entry| entry.name != "_blocks.3._bn1.bias").collect();
        assert!(init_from(&mut here, &config, &part).is_err(), "{network}");
    }
}

#[test]
fn batch_norms_of_mobilenet_keep_their_sum_of_variance_and_eps() {
    let config = NetConfig::new("unet-mobilenetv3-large", 3, 2).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/timm.json");
    let rows: Vec<Row> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let row = rows.iter().find(|row| row.network == config.name && row.naming == "Timm").unwrap();
    let entry = |(name, shape): (&String, &Vec<usize>)| NamedTensor {
        name: name.clone(),
        shape: shape.clone(),
        values: vec![0.25; shape.iter().product()],
    };
    let entries: Vec<NamedTensor> = row.keys.iter().map(entry).collect();
    let mut here = state(&config, 1);
    init_from(&mut here, &config, &entries).unwrap();
    let of = |name: &str| here.get(name).unwrap()[0];
    // timm adds 1e-5 to it, torchvision 1e-3.
    assert!((of("encoder.features.1.block.0.1.running_var") + 1e-3 - 0.25 - 1e-5).abs() < 1e-7);
    assert_eq!(of("encoder.features.1.block.0.1.running_mean"), 0.25);
}

#[test]
fn encoders_come_back_from_the_names_of_their_files() {
    for (encoder, naming) in [
        ("densenet121", Naming::Dotted),
        ("mobilenetv2", Naming::Timm),
        ("mobilenetv3-small", Naming::Timm),
        ("mobilenetv3-small", Naming::Encoder),
        ("efficientnet-b5", Naming::Encoder),
        ("efficientnet-smp-b0", Naming::Encoder),
        ("se-resnet50", Naming::Encoder),
        ("regnety-004", Naming::Torchvision),
        ("hrnet-w18", Naming::Encoder),
        ("resnext50-32x4d", Naming::Encoder),
    ] {
        let published = NetConfig::new(&format!("unet-{encoder}"), 3, 2).unwrap();
        let config = NetConfig { width: 16, ..published };
        let (there, mut here) = (state(&config, 2), state(&config, 1));
        let report = init_from(&mut here, &config, &named_as(&config, &there, naming).unwrap()).unwrap();
        assert_eq!(report.naming, naming, "{encoder}: {report}");
        assert!(report.unexpected.is_empty(), "{encoder}: {report}");
        for spec in here.specs.iter().filter(|spec| spec.name.starts_with("encoder.")) {
            let (back, there) = (here.get(&spec.name).unwrap(), there.get(&spec.name).unwrap());
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(back.iter().zip(there).all(close), "{encoder}: {}", spec.name);
        }
    }
    let config = NetConfig { width: 16, ..NetConfig::new("unet-densenet121", 3, 2).unwrap() };
    let entries = named_as(&config, &state(&config, 2), Naming::Dotted).unwrap();
    let wanted = "features.denseblock2.denselayer7.norm.2.running_var";
    assert!(entries.iter().any(|entry| entry.name == wanted));
    let config = NetConfig::new("unet-regnety-004", 3, 2).unwrap();
    let entries = named_as(&config, &state(&config, 2), Naming::Torchvision).unwrap();
    // torchvision's `regnet_y_400mf` has two more, those of its classifier.
    assert_eq!(entries.len(), 329);
    for (name, shape) in [
        ("stem.1.running_mean", vec![32]),
        ("trunk_output.block1.block1-0.proj.0.weight", vec![48, 32, 1, 1]),
        ("trunk_output.block3.block3-5.f.b.0.weight", vec![208, 8, 3, 3]),
        ("trunk_output.block4.block4-0.f.se.fc2.bias", vec![440]),
    ] {
        assert!(entries.iter().any(|entry| entry.name == name && entry.shape == shape), "{name}");
    }
}

/// torchvision's batch norms of EfficientNet-B5 to B7 add 1e-3 to the variance, timm's and those here 1e-5.
#[test]
fn batch_norms_of_the_largest_efficientnets_keep_their_sum_of_variance_and_eps() {
    for (network, differs) in [("unet-efficientnet-b4", false), ("unet-efficientnet-b5", true)] {
        let config = NetConfig { width: 16, ..NetConfig::new(network, 3, 2).unwrap() };
        let there = state(&config, 2);
        let mut entries = named_as(&config, &there, Naming::Encoder).unwrap();
        for entry in &mut entries {
            entry.values.fill(0.25);
        }
        let mut here = state(&config, 1);
        init_from(&mut here, &config, &entries).unwrap();
        let variance = here.get("encoder.features.1.0.block.0.1.running_var").unwrap()[0];
        let expected = if differs { 0.25 + 1e-3 - 1e-5 } else { 0.25 };
        assert!((variance - expected).abs() < 1e-7, "{network}: {variance}");
        assert_eq!(here.get("encoder.features.1.0.block.0.1.running_mean").unwrap()[0], 0.25);
    }
}

#[test]
fn hugging_faces_segformers_fill_decoders_on_mit() {
    let narrow = |name: &str| NetConfig { width: 8, ..NetConfig::new(name, 3, 2).unwrap() };
    let (from, there) = (narrow("segformer-b0"), state(&narrow("segformer-b0"), 2));
    let entries = published(&from, &there).unwrap();
    for name in ["segformer-mit-b0", "unet-mit-b0", "upernet-mit-b0"] {
        let config = narrow(name);
        let mut here = state(&config, 1);
        let report = init_from(&mut here, &config, &entries).unwrap();
        assert_eq!(report.naming, Naming::HuggingFace, "{name}: {report}");
        assert!(report.missing.is_empty() && report.mismatched.is_empty(), "{name}: {report}");
        for spec in here.specs.iter().filter(|spec| spec.name.starts_with("encoder.")) {
            assert_eq!(here.get(&spec.name), there.get(&spec.name), "{name}: {}", spec.name);
        }
        assert_eq!(report.unexpected.is_empty(), name == "segformer-mit-b0", "{name}: {report}");
    }
    let config = narrow("segformer-mit-b0");
    let mut here = state(&config, 1);
    init_from(&mut here, &config, &entries).unwrap();
    for (own, theirs) in [
        ("decoder.mlp_stage.3.linear.weight", "decode_head.linear_c.0.proj.weight"),
        ("decoder.mlp_stage.0.linear.bias", "decode_head.linear_c.3.proj.bias"),
        ("decoder.fuse_stage.0.weight", "decode_head.linear_fuse.weight"),
        ("decoder.fuse_stage.1.running_var", "decode_head.batch_norm.running_var"),
        ("segmentation_head.0.weight", "decode_head.classifier.weight"),
    ] {
        assert_eq!(here.get(own), there.get(theirs), "{own}");
    }
}

/// segmentation_models_pytorch's U-Net on `tu-efficientnet_b0` joins a map of 16 channels at stride 2, `timm-efficientnet-b0`
/// and the network here one of 32.
#[test]
fn another_map_at_stride_2_is_reported_by_its_shapes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/timm.json");
    let rows: Vec<Row> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // The encoder is that of any decoder.
    let row = rows.iter().find(|row| row.network == "fpn-efficientnet-b0").unwrap();
    let config = NetConfig::new("unet-efficientnet-b0", 3, 2).unwrap();
    let mut here = state(&config, 1);
    let before = here.clone();
    const JOINS: &str = "decoder.blocks.3.conv1.0.weight";
    let encoder = row.keys.iter().filter(|(name, _)| name.starts_with("encoder."));
    let decoder = here.specs.iter().filter(|spec| !spec.name.starts_with("encoder."));
    let shape = |name: &str, shape: &[usize]| match name {
        JOINS => vec![32, 64 + 16, 3, 3],
        _ => shape.to_vec(),
    };
    let names = encoder
        .map(|(name, shape)| (name.clone(), shape.clone()))
        .chain(decoder.map(|spec| (spec.name.clone(), shape(&spec.name, &spec.shape))));
    let entries: Vec<NamedTensor> = names
        .map(|(name, shape)| NamedTensor { name, values: vec![0.5; shape.iter().product()], shape })
        .collect();
    let report = init_from(&mut here, &config, &entries).unwrap();
    assert_eq!(report.naming, Naming::TimmUniversal, "{report}");
    assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report}");
    assert_eq!(report.mismatched, [(JOINS.to_owned(), vec![32, 64 + 32, 3, 3], vec![32, 64 + 16, 3, 3])]);
    assert_eq!(here.get(JOINS), before.get(JOINS), "no part of it is taken");
    assert_eq!(report.loaded.len(), here.specs.len() - 1, "all others are: {report}");
    let said = report.to_string();
    assert!(
        said.contains("1 of another shape") && said.contains("[32, 96, 3, 3] here, [32, 80, 3, 3] there"),
        "{said}"
    );
}

/// A row of `tests/parity/smp.json`.
#[derive(serde::Deserialize)]
struct Saved {
    network: String,
    tensors: usize,
    crc32: u32,
}

#[test]
fn exported_weights_have_the_names_and_shapes_of_segmentation_models_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/smp.json");
    let rows: Vec<Saved> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut compared = 0;
    for row in rows {
        // Some decoders are offered on fewer encoders here.
        let Ok(config) = NetConfig::new(&row.network, 3, 2) else { continue };
        let graph = config.build(Shape::new(1, 128, 128, 3)).unwrap();
        let zeros = |len| vec![0.0; len];
        let (values, statistics) = (zeros(graph.trainable_len()), zeros(graph.statistics_len()));
        let state = State { specs: graph.params().to_vec(), values, statistics };
        let mut entries = published(&config, &state).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let lines: String = entries.iter().map(|e| format!("{} {:?}\n", e.name, e.shape)).collect();
        assert_eq!(entries.len(), row.tensors, "{}", row.network);
        assert_eq!(crc32fast::hash(lines.as_bytes()), row.crc32, "{}:\n{lines}", row.network);
        compared += 1;
    }
    assert_eq!(compared, 102, "networks");
}

#[test]
fn exported_weights_come_back_as_they_were() {
    for name in [
        "unet-efficientnet-b0",
        "fpn-efficientnet-lite0",
        "deeplabv3plus-mobilenetv3-large",
        "upernet-convnext-tiny",
        "unet-efficientnet-smp-b0",
        "fpn-wide-resnet50-2",
        "unet-mobilenetv3-small",
        "fpn-mit-b3",
    ] {
        let config = NetConfig::new(name, 3, 2).unwrap();
        let there = state(&config, 2);
        let mut here = state(&config, 1);
        let report = init_from(&mut here, &config, &published(&config, &there).unwrap()).unwrap();
        assert_eq!(here.values, there.values, "{name}: {report}");
        // The variances of MobileNetV3 are shifted there and back.
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
        assert!(here.statistics.iter().zip(&there.statistics).all(close), "{name}");
    }
}
