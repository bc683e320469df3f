//! Small models with random weights, and pictures.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dapple_base::StopFlag;
use dapple_cpu::CpuEngine;
use dapple_data::{InputSettings, Normalization, Raster};
use dapple_graph::{Engine, Inference, Network, Shape, State, Tensor};
use dapple_model::Model;
use dapple_nets::checkpoint::{Class, ModelCard, ModelFile};
use dapple_nets::{Activation, NetConfig};
use dapple_predict::batch::{BatchEvent, BatchSettings, BatchSummary, run};
use dapple_predict::inputs::find;
use dapple_predict::output::{OutputKind, OutputSettings};
use dapple_predict::{PredictSettings, Predictor};
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

/// A network that is quick, with random weights.
pub fn model(name: &str, classes: usize, normalisation: Normalization, seed: u64) -> ModelFile {
    let activation = if classes == 2 { Activation::Sigmoid } else { Activation::Softmax };
    let network =
        NetConfig { activation, width: 4, ..NetConfig::new(name, 3, classes).expect("a known network") };
    let graph = network.build(network.example_input()).expect("it fits its example");
    let mut state = State::init(&graph, seed);
    spread_logits(&network, &mut state);
    let class = |i: usize| Class { name: format!("class {i}"), colour: [0, (40 * i) as u8, 200] };
    let card = ModelCard {
        network,
        classes: (0..classes).map(class).collect(),
        ignore: None,
        input_size: [64, 64],
        normalisation,
        images: None,
        seed,
        epoch: 0,
        scores: serde_json::Map::new(),
        extra: serde_json::Map::new(),
    };
    ModelFile { card, state }
}

/// Outputs of these kinds into a folder.
pub fn batch(out: &Path, kinds: &[OutputKind]) -> BatchSettings {
    BatchSettings {
        kinds: kinds.into(),
        output: OutputSettings::default(),
        out: out.into(),
        force: false,
        protected: Vec::new(),
        engine: "cpu".into(),
        workers: 2,
        shard: None,
    }
}

/// Predicts files or what is in folders; gives the summary and the messages of images that are bad.
pub fn predicted(
    predictor: &Predictor,
    inputs: &[&Path],
    batch: &BatchSettings,
) -> (BatchSummary, Vec<String>) {
    let inputs: Vec<_> = inputs.iter().map(|path| path.to_path_buf()).collect();
    let inputs = find(&inputs, Some(&batch.out)).expect("images").inputs;
    let bad = Mutex::new(Vec::new());
    let on_event = |event: BatchEvent<'_>| {
        if let BatchEvent::Bad(_, error) = event {
            bad.lock().expect("no panic").push(error.to_string());
        }
    };
    let summary = run(predictor, &inputs, batch, &StopFlag::new(), &on_event).expect("a batch");
    (summary, bad.into_inner().expect("no panic"))
}

pub fn segmenter(model: ModelFile) -> Model {
    let engine = CpuEngine::new(Some(2)).expect("threads");
    Model::new(model, &engine).expect("a model")
}

pub fn predictor(model: ModelFile, settings: PredictSettings) -> Predictor {
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

/// The logits of random weights hardly differ from pixel to pixel. Shifts and scales the last convolution, so that those of
/// a picture have the mean 0 and the deviation 2.
fn spread_logits(network: &NetConfig, state: &mut State) {
    let image = picture(96, 96);
    let input = InputSettings { normalization: Normalization::Unit, ..InputSettings::new(96, 96) };
    let input = Tensor::new(Shape::new(1, 96, 96, 3), input.prepare(image).expect("a picture"));
    let engine = CpuEngine::new(Some(2)).expect("threads");
    let mut executor = engine.load(Arc::new(network.clone()), state).expect("a network");
    let logits = executor.infer(&input, Inference::Predict).expect("logits").swap_remove(0);
    let (count, classes) = (logits.shape.pixels() as f32, logits.shape.c);
    let bias = state.values.len() - classes;
    let weights =
        state.specs.iter().rfind(|spec| spec.shape.len() == 4).expect("a convolution").len() / classes;
    for class in 0..classes {
        let values = || logits.data.iter().skip(class).step_by(classes);
        let mean = values().sum::<f32>() / count;
        let scale = 2.0 / (values().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt();
        state.values[bias + class] = (state.values[bias + class] - mean) * scale;
        let first = bias - (classes - class) * weights;
        state.values[first..first + weights].iter_mut().for_each(|w| *w *= scale);
    }
}

/// Writes an image as a TIFF in strips, with where it lies.
pub fn write_tiff(path: &Path, image: &Raster, geo: bool) {
    let mut encoder = TiffEncoder::new(fs::File::create(path).expect("a file")).expect("a TIFF");
    let (width, height) = (image.width as u32, image.height as u32);
    let mut file = encoder.new_image::<colortype::RGB8>(width, height).expect("a TIFF");
    file.rows_per_strip(7).expect("strips");
    if geo {
        let directory = file.encoder();
        directory.write_tag(Tag::ModelPixelScaleTag, &[0.5, 0.25, 0.0][..]).expect("a tag");
        directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 300.0, 900.0, 0.0][..]).expect("a tag");
        let keys: [u16; 12] = [1, 1, 0, 2, 1025, 0, 1, 1, 3072, 0, 1, 32633];
        directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..]).expect("a tag");
    }
    file.write_data(&image.data).expect("a TIFF");
}
