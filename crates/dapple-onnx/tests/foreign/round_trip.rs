//! Files that dapple wrote.

use std::collections::HashSet;

use super::{logits, read};
use crate::sampled;
use dapple_base::Normalization;
use dapple_graph::{Network, Shape, State};
use dapple_nets::registry::{NetworkEntry, networks};
use dapple_nets::{Activation, NetConfig};
use dapple_onnx::{
    Ending, ImportError, ImportOptions, Layout, OPSETS, OnnxFile, Options, OutputFunction, Preprocessing,
    export, export_graph,
};
use dapple_reference::{random, relative_distance};

/// Exporter and reader may round at other places.
const LIMIT: f64 = 1e-4;

fn narrow(entry: &NetworkEntry) -> (NetConfig, State) {
    let classes = if entry.activation == Activation::Sigmoid { 2 } else { 3 };
    let mut config = NetConfig::new(&entry.name, 3, classes).expect("a network of the registry");
    config.width = 4;
    let graph = config.build(config.example_input()).expect("it fits its example");
    (config, random::state(&graph, 1))
}

/// Networks of at most so many operations; deeper ones of a family have the same ones.
const FEW: usize = 500;

#[test]
fn every_network_comes_back_from_its_own_file() -> Result<(), Box<dyn std::error::Error>> {
    // Opsets by turns: what differs between them does not depend on the network.
    for (entry, opset) in sampled().zip(std::iter::repeat(OPSETS).flatten()) {
        let (config, state) = narrow(entry);
        let written = export(&config, &state, &Options { opset, ..Options::default() })?;
        let side = entry.smallest.max(32);
        let shape = Shape::new(1, side + 5, side + 21, 3);
        let found = read(&written.bytes, [shape.h, shape.w]).map_err(|e| format!("{}: {e}", entry.name))?;
        let graph = found.network.build(shape)?;
        let own = config.build(shape)?;
        assert_eq!(graph.shape(graph.outputs()[0].1), own.shape(own.outputs()[0].1), "{}", entry.name);
        assert_eq!((found.logits, found.ending), (config.logits(), Ending::Logits), "{}", entry.name);
    }
    Ok(())
}

#[test]
fn one_network_of_each_family_and_encoder_computes_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let mut seen = HashSet::new();
    for entry in networks() {
        let encoder = entry.encoder.map_or("", |encoder| encoder.name);
        // Short-circuiting would leave one of the two unseen.
        if !(seen.insert(entry.family) | seen.insert(encoder)) {
            continue;
        }
        let (config, state) = narrow(entry);
        if config.build(config.example_input())?.nodes().len() > FEW {
            continue;
        }
        let written = export(&config, &state, &Options::default())?;
        let side = entry.smallest.max(32);
        let shape = Shape::new(2, side + 5, side + 21, 3);
        let other = entry.smallest.max(64);
        let found = read(&written.bytes, [other; 2]).map_err(|e| format!("{}: {e}", entry.name))?;
        let input = random::tensor(shape, 7);
        let own = logits(&config.build(shape)?, &state, &input);
        // Read for one size and one image, built for another and two.
        let graph = found.network.build(shape).map_err(|e| format!("{}: {e}", entry.name))?;
        let back = logits(&graph, &found.state, &input);
        assert_eq!(own.shape, back.shape, "{}", entry.name);
        let distance = relative_distance(&own.data, &back.to_f32().data);
        assert!(distance < LIMIT, "{}: {distance:.1e}", entry.name);
    }
    Ok(())
}

#[test]
fn random_graphs_compute_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let mut compared = 0;
    for seed in 0..120 {
        let network = random::network(seed);
        let state = random::state(&network.graph, seed);
        let shape = network.example_input();
        // Images have at most 64 channels.
        if shape.c > 64 {
            continue;
        }
        let written = export_graph(&network.graph, &state, &Options::default())?;
        let found = match read(&written.bytes, [shape.h, shape.w]) {
            Ok(found) => found,
            // Outputs of one value an image, or of none that is a map.
            Err(ImportError::Output(..)) => continue,
            Err(error) => return Err(format!("{}: {error}", network.description).into()),
        };
        // A last sigmoid is left out.
        if found.ending != Ending::Logits {
            continue;
        }
        let input = random::tensor(shape, seed);
        let own = logits(&network.graph, &state, &input);
        let back = logits(&found.network.build(shape)?, &found.state, &input);
        assert_eq!(own.shape, back.shape, "{}", network.description);
        let distance = relative_distance(&own.data, &back.to_f32().data);
        assert!(distance < LIMIT, "{}: {distance:.1e}", network.description);
        compared += 1;
    }
    assert!(compared > 30, "{compared}");
    Ok(())
}

#[test]
fn functions_of_the_logits_are_left_out() -> Result<(), Box<dyn std::error::Error>> {
    let cases = [
        ("unet", OutputFunction::Softmax, Ending::Softmax),
        ("unet", OutputFunction::Labels, Ending::ArgMax),
        ("u2net-lite", OutputFunction::Sigmoid, Ending::Sigmoid),
        ("u2net-lite", OutputFunction::Labels, Ending::Threshold),
    ];
    for (name, function, ending) in cases {
        let entry = networks().iter().find(|entry| entry.name == name).expect("a network of the registry");
        let (config, state) = narrow(entry);
        let written = export(&config, &state, &Options { function: Some(function), ..Options::default() })?;
        let found = read(&written.bytes, [64, 48])?;
        assert_eq!((found.ending, found.logits), (ending, config.logits()), "{name}");
        let input = random::tensor(Shape::new(1, 64, 48, 3), 3);
        let own = logits(&config.build(input.shape)?, &state, &input);
        let back = logits(&found.network.build(input.shape)?, &found.state, &input);
        assert!(relative_distance(&own.data, &back.to_f32().data) < LIMIT, "{name}");
    }
    Ok(())
}

#[test]
fn files_that_prepare_images_themselves_are_read() -> Result<(), Box<dyn std::error::Error>> {
    let entry = networks().iter().find(|entry| entry.name == "unet").expect("a network of the registry");
    let (config, state) = narrow(entry);
    let preprocessing = Some(Preprocessing { size: [64, 48], normalization: Normalization::ImageNet });
    let written = export(&config, &state, &Options { opset: 18, preprocessing, ..Options::default() })?;
    let file = OnnxFile::from_bytes(&written.bytes)?;
    assert!(file.takes_bytes());
    assert_eq!(file.layout(None)?, Layout::Nhwc);
    let found = file.import(&ImportOptions { size: Some([64, 48]), ..ImportOptions::default() })?;
    // The same bytes, which the network itself takes normalized.
    let bytes = random::tensor(Shape::new(1, 64, 48, 3), 5);
    let mut own = bytes.clone();
    let [mean, std] = Normalization::ImageNet.moments(3);
    for (index, value) in own.data.iter_mut().enumerate() {
        *value = (*value / 255.0 - mean[index % 3]) / std[index % 3];
    }
    let own = logits(&config.build(own.shape)?, &state, &own);
    let back = logits(&found.network.build(bytes.shape)?, &found.state, &bytes);
    assert!(relative_distance(&own.data, &back.to_f32().data) < LIMIT);
    Ok(())
}

#[test]
fn weights_in_half_precision_are_widened() -> Result<(), Box<dyn std::error::Error>> {
    let entry = networks().iter().find(|entry| entry.name == "unet").expect("a network of the registry");
    let (config, state) = narrow(entry);
    let written = export(&config, &state, &Options { half: true, ..Options::default() })?;
    let found = read(&written.bytes, [32, 32])?;
    let input = random::tensor(Shape::new(1, 32, 32, 3), 5);
    let own = logits(&config.build(input.shape)?, &state, &input);
    let back = logits(&found.network.build(input.shape)?, &found.state, &input);
    assert!(relative_distance(&own.data, &back.to_f32().data) < 1e-2);
    Ok(())
}
