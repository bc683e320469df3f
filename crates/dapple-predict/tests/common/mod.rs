//! Small models with random weights, and pictures.

use dapple_cpu::CpuEngine;
use dapple_data::Raster;
use dapple_graph::{Network, State};
use dapple_nets::checkpoint::{Class, ModelCard, ModelFile, Normalisation};
use dapple_nets::{Activation, NetConfig};
use dapple_predict::{Predictor, Settings};
use dapple_train::Segmenter;

/// A network that is quick, with random weights.
pub fn model(name: &str, classes: usize, normalisation: Normalisation, seed: u64) -> ModelFile {
    let activation = if classes == 2 { Activation::Sigmoid } else { Activation::Softmax };
    let network =
        NetConfig { activation, width: 4, ..NetConfig::new(name, 3, classes).expect("a known network") };
    let graph = network.build(network.example_input()).expect("it fits its example");
    let mut state = State::init(&graph, seed);
    // The logits of random weights hardly differ from pixel to pixel: those of the last convolution are made larger.
    let last =
        state.specs.iter().rev().filter(|spec| spec.role.trainable()).take(2).map(|s| s.len()).sum::<usize>();
    let first = state.values.len() - last;
    state.values[first..].iter_mut().for_each(|v| *v *= 40.0);
    let class = |i: usize| Class { name: format!("class {i}"), colour: [0, (40 * i) as u8, 200] };
    let card = ModelCard {
        network,
        classes: (0..classes).map(class).collect(),
        ignore: None,
        input_size: [64, 64],
        normalisation,
        seed,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::new(),
    };
    ModelFile { card, state }
}

#[allow(dead_code, reason = "not every test file uses all of them")]
pub fn segmenter(model: ModelFile) -> Segmenter {
    let engine = CpuEngine::new(Some(2)).expect("threads");
    Segmenter::new(model, &engine).expect("a model")
}

#[allow(dead_code, reason = "not every test file uses all of them")]
pub fn predictor(model: ModelFile, settings: Settings) -> Predictor {
    Predictor::new(vec![segmenter(model)], settings).expect("settings in range")
}

/// Waves of colours with a little noise, darker than white.
pub fn picture(width: usize, height: usize) -> Raster {
    let value = |i: usize| {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let wave = ((x as f32 * 0.11 + c as f32).sin() + (y as f32 * 0.07 - c as f32).cos()) * 50.0;
        (110.0 + wave + (i * 2_654_435_761 % 37) as f32) as u8
    };
    Raster::new(width, height, 3, (0..width * height * 3).map(value).collect())
}
