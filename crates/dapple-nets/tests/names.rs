//! Parameter names and counts against PyTorch's modules (`tests/golden/make.py`).

use dapple_graph::{Graph, Network, Shape, summary};
use dapple_nets::{Head, NetConfig};
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
