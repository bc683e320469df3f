//! The maps, parameters and names of encoders against segmentation_models_pytorch, torchvision and timm (`tests/parity/encoders.py`).

use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, Inference, Network, Shape, State, Tensor, summary};
use dapple_nets::{ENCODERS, Encoder, FeatureMaps, NetConfig, encoder_named};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A row of `tests/parity/encoders.json`.
#[derive(serde::Deserialize)]
struct Row {
    encoder: String,
    /// Strides and channels.
    maps: Vec<(usize, usize)>,
    parameters: usize,
    tensors: Option<usize>,
    crc32: Option<u32>,
}

fn named(name: &str) -> &'static Encoder {
    encoder_named(name).unwrap_or_else(|| panic!("no encoder {name}"))
}

#[test]
fn maps_parameters_and_names_are_those_of_the_libraries() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/encoders.json");
    let rows: Vec<Row> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for row in rows {
        let name = &row.encoder;
        let graph = FeatureMaps(named(name)).build(Shape::new(1, 64, 96, 3)).unwrap();
        let shapes = graph.outputs().iter().map(|(_, node)| graph.shape(*node));
        let maps: Vec<(usize, usize)> = shapes
            .map(|shape| {
                assert_eq!(64 / shape.h, 96 / shape.w, "{name}");
                (64 / shape.h, shape.c)
            })
            .collect();
        assert_eq!(maps, row.maps, "{name}");
        assert_eq!(summary::parameters(&graph), row.parameters, "{name}");
        let (Some(tensors), Some(crc32)) = (row.tensors, row.crc32) else { continue };
        let mut lines: Vec<String> = graph
            .params()
            .iter()
            .map(|spec| {
                let ones = spec.shape.iter().rev().take_while(|&&extent| extent == 1).count();
                let shape = &spec.shape[..spec.shape.len() - ones];
                format!("{} {shape:?}\n", spec.name.trim_start_matches("encoder."))
            })
            .collect();
        lines.sort();
        assert_eq!(lines.len(), tensors, "{name}");
        assert_eq!(crc32fast::hash(lines.concat().as_bytes()), crc32, "{name}:\n{}", lines.concat());
    }
}

#[test]
fn every_encoder_has_maps_at_all_strides_in_every_width() {
    for encoder in &ENCODERS {
        let name = encoder.name;
        let strides: &[usize] = if encoder.halves { &[2, 4, 8, 16, 32] } else { &[4, 8, 16, 32] };
        let graph = FeatureMaps(encoder).build(Shape::new(1, 64, 64, 3)).unwrap();
        let found: Vec<usize> = graph.outputs().iter().map(|(_, node)| 64 / graph.shape(*node).h).collect();
        assert_eq!(found, strides, "{name}");
        for width in [4, 12, encoder.width / 2] {
            let config = NetConfig { width, ..NetConfig::new(&format!("unet-{name}"), 3, 2).unwrap() };
            let graph = config.build(Shape::new(1, 32, 45, 3)).unwrap();
            assert_eq!(graph.shape(graph.outputs()[0].1), Shape::new(1, 32, 45, 2), "{name} of {width}");
        }
    }
}

/// Larger ones of their families than those that are compared value by value, at a size whose halves are odd.
#[test]
fn narrow_encoders_give_finite_maps() {
    let engine = CpuEngine::new(None).unwrap();
    for encoder in ["resnext101-32x8d", "se-resnet101", "densenet161", "efficientnet-smp-b1", "mit-b3"] {
        let config = NetConfig { width: 4, ..NetConfig::new(&format!("unet-{encoder}"), 3, 2).unwrap() };
        let shape = Shape::new(1, 37, 50, 3);
        let state = State::init(&config.build(shape).unwrap(), 5);
        let mut input = Tensor::zeros(shape);
        for (i, value) in input.data.iter_mut().enumerate() {
            *value = (i % 17) as f32 / 8.0 - 1.0;
        }
        let mut executor = engine.load(Arc::new(config), &state).unwrap();
        let logits = executor.infer(&input, Inference::Eval).unwrap().swap_remove(0);
        assert_eq!(logits.shape, shape.with_channels(2), "{encoder}");
        assert!(logits.data.iter().all(|value| value.is_finite()), "{encoder}");
    }
}
