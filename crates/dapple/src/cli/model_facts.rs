//! `dapple models show`: what is known about a model.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::data::Classes;
use dapple::graph::{Network, summary};
use dapple::model::{Provenance, classes_of};
use dapple::models::{FindModelError, Origin, origin, published_classes, published_network};
use dapple::nets::checkpoint::{ModelFile, Normalization};
use dapple::nets::registry;
use dapple::onnx_model::{OnnxSettings, PixelSettings, is_onnx, onnx_model};
use dapple::run::grouped;
use dapple::weights::{CatalogueEntry, find};

use super::common::models::{Foreign, load};
use super::failure::Failure;

#[derive(Debug, Args)]
pub struct Show {
    /// A run's folder, a model file, an ONNX file, a folder of transformers, hf://OWNER/NAME, or the name of a model, of
    /// published weights or of a network
    #[arg(value_name = "NAME|FILE")]
    pub model: PathBuf,
    #[command(flatten)]
    pub foreign: Foreign,
}

pub fn run(arguments: &Show) -> Result<(), Failure> {
    let Show { model, foreign } = arguments;
    match origin(model) {
        Ok(Origin::Shipped(shipped)) => {
            say_text!("{}", shipped.card);
            say!();
            show_all(&load(model, foreign, false)?)
        }
        Ok(Origin::Published(entry)) => {
            weights(entry);
            Ok(())
        }
        Ok(Origin::File(path)) => file(&path, foreign),
        Ok(Origin::Hub(_)) => show_all(&load(model, foreign, false)?),
        Err(FindModelError::Encoder(name)) => {
            // It was found under this name.
            find(name).into_iter().for_each(weights);
            Ok(())
        }
        Err(error) => match model.to_str().and_then(|name| registry::find(name).ok()) {
            Some(network) => {
                say!("{}: {}", network.name, network.title);
                say!("source: {}", network.source);
                say!("a network without weights; `dapple models {}` counts its parameters", network.name);
                Ok(())
            }
            None => Err(error.into()),
        },
    }
}

/// A file, or the folder of a run. An ONNX file is shown whether or not it tells how pixels are prepared.
fn file(path: &Path, foreign: &Foreign) -> Result<(), Failure> {
    match load(path, foreign, false) {
        Err(_) if is_onnx(path) && !foreign.describes_pixels_or_classes() => {
            let pixels =
                PixelSettings { range: Some([0.0, 1.0]), layout: foreign.layout, ..PixelSettings::default() };
            let settings = OnnxSettings { pixels, size: foreign.input_size, ..OnnxSettings::default() };
            let (model, notes) = onnx_model(path, &settings)?;
            notes.iter().for_each(|assumption| note!("note: {assumption}"));
            note!("note: the file does not tell how pixels are prepared; `dapple predict` asks for it");
            show_all(&[model])
        }
        Err(error) => Err(error),
        Ok(models) => show_all(&models),
    }
}

/// The facts of each of several models that predict together.
fn show_all(models: &[ModelFile]) -> Result<(), Failure> {
    for (index, model) in models.iter().enumerate() {
        if models.len() > 1 {
            say!("model {} of {}:", index + 1, models.len());
        }
        show(model)?;
    }
    Ok(())
}

fn show(model: &ModelFile) -> Result<(), Failure> {
    let card = &model.card;
    let graph = card.network.build(card.network.example_input())?;
    let [height, width] = card.input_size;
    say!("network: {}", card.network.name);
    say!("parameters: {}", grouped(summary::parameters(&graph) as u64));
    if let Some(quantization) = &card.network.quantization {
        say!("quantized: {} convolutions compute in integers of eight bits", quantization.inputs.len());
    }
    say!("input: {height} x {width} pixels, {} channels", card.network.in_channels);
    if card.network.imported.is_none() {
        say!("normalization: {}", normalization(card.normalisation));
    }
    classes(&classes_of(card));
    if let Some(label) = card.ignore {
        say!("ignored label: {label}");
    }
    if card.epoch > 0 {
        say!("epochs: {}", card.epoch);
    }
    if let Some(recipe) = Provenance::of(card).and_then(|provenance| provenance.recipe) {
        say!("recipe: {recipe}");
    }
    if let Some(source) = card.extra.get("source").and_then(|source| source.as_str()) {
        say!("source: {source}");
    }
    if !card.scores.is_empty() {
        say!("scores: {}", serde_json::Value::Object(card.scores.clone()));
    }
    Ok(())
}

fn weights(entry: &'static CatalogueEntry) {
    let CatalogueEntry { name, purpose, megabytes, licence, url, accuracy, .. } = entry;
    say!("{name}: {}", purpose.title());
    if let Some((network, normalized)) = published_network(entry) {
        say!("network: {}", network.name);
        say!("normalization: {}", normalization(normalized));
    }
    if let Some(named) = published_classes(entry) {
        classes(&named);
    }
    if let Some(percent) = accuracy {
        say!("ImageNet accuracy: {percent:.1} %");
    }
    say!("size: {megabytes} MB");
    say!("licence: {licence}");
    say!("source: {url}");
}

fn classes(classes: &Classes) {
    say!("classes:");
    for (label, (name, [r, g, b])) in classes.names.iter().zip(&classes.colours).enumerate() {
        say!("  {label:>3}  #{r:02x}{g:02x}{b:02x}  {name}");
    }
}

fn normalization(normalization: Normalization) -> &'static str {
    match normalization {
        Normalization::ImageNet => "imagenet",
        Normalization::Unit => "unit",
        Normalization::U2Net => "u2net",
        Normalization::Lite => "lite",
    }
}
