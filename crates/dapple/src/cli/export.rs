//! `dapple export`: models for other programs, and for other people.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use dapple::data::Split;
use dapple::export::{OnnxOutput, OnnxSettings, onnx};
use dapple::hub_export::hub_folder;
use dapple::model::{ModelError, Provenance, model_path};
use dapple::nets::checkpoint::{Ensemble, ModelFile, Storage, published, write_state_dict};
use dapple::onnx::OPSETS;
use dapple::run::grouped;
use dapple_base::write_atomic;

use super::common::models::{Foreign, load};
use super::common::written::{Own, check_apart, check_written};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple export horse
  dapple export runs/horses --onnx horses.onnx --probabilities
  dapple export runs/horses --onnx horses.onnx --half
  dapple export horse --onnx horse.onnx --with-preprocessing --argmax
  dapple export horse-int8.safetensors --onnx horse-int8.onnx --int8
  dapple export model.safetensors --torch horses-torch.safetensors
  dapple export --model runs/horses --dapple horses.safetensors --half
  dapple export runs/street --hub street --licence apache-2.0

The ONNX model has the input `input`, float32 [batch, channels, height, width], of any size that the network accepts, and \
returns logits. Its metadata has the preprocessing, the classes with their colours and the scores; in Python:
  session.get_modelmeta().custom_metadata_map
With --with-preprocessing --argmax it has the input `image`, uint8 [batch, height, width, channels] as decoders give it, \
and returns `labels`, uint8 [batch, height, width]:
  labels, = session.run(None, {\"image\": numpy.asarray(photo)[None]})

Weights for PyTorch have the names of the published checkpoints:
  weights = safetensors.torch.load_file(\"horses-torch.safetensors\")
  model.load_state_dict(weights)")]
pub struct Export {
    /// A run's folder, a model file, or the name of a model (see `dapple weights list`)
    #[arg(value_name = "MODEL", required_unless_present = "model", conflicts_with = "model")]
    pub named: Option<PathBuf>,
    /// The same as a flag
    #[arg(long, value_name = "RUN|FILE|NAME")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub foreign: Foreign,
    /// Write an ONNX model [default, without --torch and --dapple: the model's name with .onnx]
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// Write only the weights, as a state dict in safetensors
    #[arg(long, value_name = "FILE")]
    pub torch: Option<PathBuf>,
    /// Write a model file for use without the run; it names the validation images, so that `dapple eval` finds them
    #[arg(long, value_name = "FILE")]
    pub dapple: Option<PathBuf>,
    /// Write a folder for the Hugging Face hub, which transformers (SegFormer) or segmentation_models_pytorch loads: config.json,
    /// model.safetensors, preprocessor_config.json and a model card
    #[arg(long, value_name = "DIR")]
    pub hub: Option<PathBuf>,
    /// The licence that the model card states, an identifier of SPDX; without it, the card says that none is stated
    #[arg(long, value_name = "SPDX", requires = "hub")]
    pub licence: Option<String>,
    /// Store the weights of layers in half precision: half the file, computed with in single precision
    #[arg(long)]
    pub half: bool,
    /// Store the weights of layers in the model file as integers of eight bits with a scale for each output channel (of
    /// transposed convolutions for each input channel): a quarter of the file, computed with in single precision
    #[arg(long, conflicts_with = "half", requires = "dapple")]
    pub int8_weights: bool,
    /// Write the convolutions of a quantized model (`dapple quantize`) with QuantizeLinear and DequantizeLinear, from which
    /// runtimes make kernels of integers
    #[arg(long)]
    pub int8: bool,
    /// Take images as decoders give them (uint8, [batch, height, width, channels], of any size), resize and normalize them in
    /// the model, and return results at their size; needs opset 18
    #[arg(long, conflicts_with = "all_outputs")]
    pub with_preprocessing: bool,
    /// Return the class of each pixel instead of logits: uint8, [batch, height, width]
    #[arg(long, conflicts_with = "probabilities")]
    pub argmax: bool,
    /// Return probabilities (softmax or sigmoid, as the model was trained) instead of logits
    #[arg(long)]
    pub probabilities: bool,
    /// Return the side outputs too, if the network has any
    #[arg(long)]
    pub all_outputs: bool,
    /// Keep batch norm instead of folding it into the convolutions
    #[arg(long)]
    pub keep_batch_norm: bool,
    /// Version of the ONNX operator set, 17 to 22 [default: 17; 18 with --with-preprocessing]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(OPSETS))]
    pub opset: Option<i64>,
    /// Replace existing files
    #[arg(long)]
    pub force: bool,
}

impl Export {
    /// Refuses settings of ONNX models where none is written.
    fn check_without_onnx(&self) -> Result<(), Failure> {
        let given = [
            (self.probabilities, "--probabilities"),
            (self.argmax, "--argmax"),
            (self.with_preprocessing, "--with-preprocessing"),
            (self.all_outputs, "--all-outputs"),
            (self.keep_batch_norm, "--keep-batch-norm"),
            (self.int8, "--int8"),
            (self.opset.is_some(), "--opset"),
        ];
        if let Some((_, flag)) = given.iter().find(|(given, _)| *given) {
            return Err(Failure::input(format!("{flag} is for ONNX models: give --onnx FILE")));
        }
        if self.half && self.dapple.is_none() {
            let why = "--half is for ONNX models and model files: give --onnx FILE or --dapple FILE";
            return Err(Failure::input(why));
        }
        Ok(())
    }

    fn onnx_settings(&self) -> OnnxSettings {
        let oldest = if self.with_preprocessing { 18 } else { *OPSETS.start() };
        OnnxSettings {
            opset: self.opset.unwrap_or(oldest),
            output: match (self.probabilities, self.argmax) {
                (true, _) => OnnxOutput::Probabilities,
                (_, true) => OnnxOutput::Labels,
                _ => OnnxOutput::Logits,
            },
            preprocessing: self.with_preprocessing,
            all_outputs: self.all_outputs,
            fold_batch_norm: !self.keep_batch_norm,
            half: self.half,
            int8: self.int8,
        }
    }
}

pub fn run(arguments: &Export) -> Result<(), Failure> {
    let model = arguments.named.as_deref().or(arguments.model.as_deref()).expect("clap asks for one of them");
    let source = model_path(model);
    let onnx_path = match (&arguments.onnx, &arguments.torch, &arguments.dapple, &arguments.hub) {
        (None, None, None, None) => Some(default_onnx(model)),
        (path, ..) => path.clone(),
    };
    if onnx_path.is_none() {
        arguments.check_without_onnx()?;
    }
    let hub_paths: Vec<PathBuf> = match &arguments.hub {
        Some(folder) => HUB_FILES.iter().map(|name| folder.join(name)).collect(),
        None => Vec::new(),
    };
    let named = [&arguments.dapple, &onnx_path, &arguments.torch].map(Option::as_deref);
    let outputs: Vec<Option<&Path>> =
        named.into_iter().chain(hub_paths.iter().map(|path| Some(path.as_path()))).collect();
    check_apart(&outputs)?;
    for path in outputs.into_iter().flatten() {
        check_written(path, Own::Never, &[&source], Some(arguments.force))?;
    }
    if let Some(path) = &arguments.dapple {
        let storage = match (arguments.half, arguments.int8_weights) {
            (true, _) => Storage::Half,
            (_, true) => Storage::Integers,
            _ => Storage::Single,
        };
        write(path, &portable(model, &arguments.foreign, storage)?)?;
        if storage == Storage::Integers {
            note!("note: its weights are rounded to eight bits; `dapple eval` says what that costs");
        }
    }
    if onnx_path.is_none() && arguments.torch.is_none() && arguments.hub.is_none() {
        return Ok(());
    }
    let mut models = load(model, &arguments.foreign, false)?;
    if models.len() > 1 {
        return Err(Failure::input(
            "the file has several models that predict together; export each of them by itself",
        ));
    }
    let model = models.swap_remove(0);
    if let Some(folder) = &arguments.hub {
        // All of it is made before the first file is written.
        let files = hub_folder(&model, arguments.licence.as_deref())?;
        fs::create_dir_all(folder)
            .map_err(|error| Failure::input(format!("{}: {error}", folder.display())))?;
        for (name, bytes) in files {
            write(&folder.join(name), &bytes)?;
        }
    }
    if let Some(path) = &onnx_path {
        if model.card.network.quantization.is_some() && !arguments.int8 {
            note!("note: the model is quantized; without --int8, its rounded weights are written as fp32");
        }
        let exported = onnx(&model, &arguments.onnx_settings())?;
        write(path, &exported.bytes)?;
        for name in &exported.kept_single {
            note!(
                "{}: {name} stays in single precision: half precision does not hold its values",
                path.display()
            );
        }
        if !exported.left_out.is_empty() {
            let how = if arguments.with_preprocessing { "" } else { "; --all-outputs writes them" };
            note!("note: the side outputs are left out ({}){how}", exported.left_out.join(", "));
        }
    }
    if let Some(path) = &arguments.torch {
        if model.card.network.quantization.is_some() {
            note!(
                "note: {} has the rounded weights of the quantized model, but not the ranges of its feature maps",
                path.display()
            );
        }
        if arguments.half {
            note!("note: {} stays in single precision; --half is for the other files", path.display());
        }
        let entries = published(&model.card.network, &model.state)?;
        write(path, &write_state_dict(&entries).map_err(Failure::other)?)?;
    }
    Ok(())
}

/// The files of a folder for the hub.
const HUB_FILES: [&str; 4] = ["config.json", "preprocessor_config.json", "README.md", "model.safetensors"];

/// The name of the ONNX model of a run's folder, a file or a name, in this folder.
fn default_onnx(model: &Path) -> PathBuf {
    let path = std::path::absolute(model).unwrap_or_else(|_| model.to_owned());
    let name = if model.is_dir() { path.file_name() } else { path.file_stem() };
    let mut name = name.unwrap_or("model".as_ref()).to_owned();
    name.push(".onnx");
    name.into()
}

/// The content of a model file, also of an ensemble, with the names of the validation images.
fn portable(model: &Path, foreign: &Foreign, storage: Storage) -> Result<Vec<u8>, Failure> {
    let (path, mut members) = (model_path(model), load(model, foreign, false)?);
    let split = path.with_file_name("split.json");
    if split.exists() {
        let names = Split::load(&split)?.val;
        members.iter_mut().for_each(|member| Provenance::note_validation(&mut member.card, &names));
    }
    let bytes = match <[ModelFile; 1]>::try_from(members) {
        Ok([model]) => model.to_bytes_as(storage),
        // Only a file has several models.
        Err(members) => {
            let scores = Ensemble::load(&path).map_err(ModelError::from)?.scores;
            Ensemble { members, scores }.to_bytes_as(storage)
        }
    };
    bytes.map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_atomic(path, bytes)?;
    say!("{}: {} bytes", path.display(), grouped(bytes.len() as u64));
    Ok(())
}
