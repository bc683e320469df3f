//! Parameter names and counts against PyTorch's modules (`tests/golden/make.py`).

use dapple_graph::{Graph, Network, Shape, State, summary};
use dapple_nets::checkpoint::{Naming, named_as, published};
use dapple_nets::{Head, NetConfig};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The full-size networks under the names of the golden files.
fn networks() -> [(&'static str, NetConfig); 6] {
    let config = |name, classes| NetConfig::new(name, 3, classes).unwrap();
    [
        ("unet", config("unet", 2)),
        ("unet-bilinear", config("unet-bilinear", 2)),
        ("u2net", config("u2net", 2)),
        ("u2net-lite", config("u2net-lite", 2)),
        ("segnet", config("segnet", 12)),
        ("segnet-dense", NetConfig { head: Some(Head::Dense), ..config("segnet", 12) }),
    ]
}

fn golden(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)).unwrap()
}

fn build(config: &NetConfig) -> Graph {
    config.build(Shape::new(1, 224, 224, 3)).unwrap()
}

#[test]
fn names_shapes_and_order_are_those_of_the_checkpoints() {
    for (name, config) in networks() {
        let lines: Vec<String> = build(&config)
            .params()
            .iter()
            .map(|p| {
                let shape: Vec<String> = p.shape.iter().map(usize::to_string).collect();
                format!("{} {}", p.name, shape.join("x"))
            })
            .collect();
        let expected = golden(&format!("{name}.keys.txt"));
        assert_eq!(lines, expected.lines().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn parameters_and_multiply_adds_are_pytorchs() {
    let counts: serde_json::Value = serde_json::from_str(&golden("counts.json")).unwrap();
    for (name, config) in networks() {
        let graph = build(&config);
        assert_eq!(counts[name]["parameters"], summary::parameters(&graph), "{name}");
        assert_eq!(counts[name]["multiply_adds"], summary::multiply_adds(&graph), "{name}");
    }
}

#[test]
fn segnets_encoder_is_torchvisions_vgg16_bn() {
    let graph = build(&NetConfig::new("segnet", 3, 2).unwrap());
    let encoder: Vec<&str> = graph.params().iter().filter_map(|p| p.name.strip_prefix("encoder.")).collect();
    let keys = golden("vgg16_bn.keys.txt");
    let keys = keys.lines().filter_map(|line| line.split(' ').next());
    assert_eq!(encoder, keys.filter(|key| key.starts_with("features.")).collect::<Vec<_>>());
}

/// A row of `tests/parity/published.json`: a network of torchvision or segmentation_models_pytorch, or the classification
/// network of an encoder.
#[derive(serde::Deserialize)]
struct Published {
    network: String,
    classes: usize,
    encoder: bool,
    parameters: usize,
    multiply_adds: Option<u64>,
    keys: BTreeMap<String, Vec<usize>>,
}

/// Layers of the classifier only: the last ones, and EfficientNet's widening before them.
const CLASSIFIER: [&str; 3] = ["fc.", "classifier.", "features.8."];

#[test]
fn published_names_and_shapes_are_those_of_the_libraries() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/published.json");
    let rows: Vec<Published> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(rows.len() > 25);
    for row in rows {
        let config = NetConfig::new(&row.network, 3, row.classes).unwrap();
        let graph = build(&config);
        let state = State {
            specs: graph.params().to_vec(),
            values: vec![0.0; graph.trainable_len()],
            statistics: vec![0.0; graph.statistics_len()],
        };
        // The encoders' rows are torchvision's, which some networks do not have in segmentation_models_pytorch.
        let is_timms =
            ["mobilenet", "efficientnet", "convnext"].iter().any(|part| row.network.contains(part));
        let entries = match row.encoder && is_timms {
            true => named_as(&config, &state, Naming::Own),
            false => published(&config, &state),
        };
        let entries = entries.unwrap().into_iter();
        let mut found: BTreeMap<String, Vec<usize>> = entries.map(|e| (e.name, e.shape)).collect();
        let mut expected = row.keys;
        if row.encoder {
            let inner = found
                .into_iter()
                .filter_map(|(name, shape)| Some((name.strip_prefix("encoder.")?.to_owned(), shape)));
            found = inner.collect();
            let efficient = row.network.contains("efficientnet");
            let classifies = |name: &str| {
                CLASSIFIER.iter().any(|c| name.starts_with(c) && (efficient || *c != "features.8."))
            };
            expected.retain(|name, _| !classifies(name));
        } else {
            assert_eq!(row.parameters, summary::parameters(&graph), "{}", row.network);
        }
        assert_eq!(found, expected, "{}", row.network);
        if let Some(multiply_adds) = row.multiply_adds {
            assert_eq!(multiply_adds, summary::multiply_adds(&graph), "{}", row.network);
        }
    }
}
