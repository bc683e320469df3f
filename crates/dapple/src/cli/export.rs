//! `dapple export`: models for other programs, and for other people.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::data::Split;
use dapple::export::{OnnxSettings, onnx};
use dapple::model::{ModelError, Provenance, model_path};
use dapple::nets::checkpoint::{Ensemble, ModelFile, Storage, published, write_state_dict};
use dapple::onnx::OPSETS;
use dapple::run::grouped;
use dapple_base::write_atomic;

use super::common::models::load;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple export --model runs/horses --onnx horses.onnx
  dapple export --model runs/horses --onnx horses.onnx --probabilities
  dapple export --model model.safetensors --torch horses-torch.safetensors
  dapple export --model runs/horses --dapple horses.safetensors --half

The ONNX model has the input `input`, float32 [batch, channels, height, width], of any size that the network accepts, and \
returns logits. Its metadata has the preprocessing, the classes with their colours and the scores; in Python:
  session.get_modelmeta().custom_metadata_map

Weights for PyTorch have the names of the published checkpoints:
  weights = safetensors.torch.load_file(\"horses-torch.safetensors\")
  model.load_state_dict(weights)")]
pub struct Export {
    /// A run's folder, or a model file
    #[arg(long, value_name = "RUN|FILE")]
    pub model: PathBuf,
    /// Write an ONNX model
    #[arg(long, value_name = "FILE", required_unless_present_any = ["torch", "dapple"])]
    pub onnx: Option<PathBuf>,
    /// Write only the weights, as a state dict in safetensors
    #[arg(long, value_name = "FILE")]
    pub torch: Option<PathBuf>,
    /// Write a model file for use without the run; it names the validation images, so that `dapple eval` finds them
    #[arg(long, value_name = "FILE")]
    pub dapple: Option<PathBuf>,
    /// Store its weights in half precision
    #[arg(long, requires = "dapple")]
    pub half: bool,
    /// Return probabilities (softmax or sigmoid, as the model was trained) instead of logits
    #[arg(long, requires = "onnx")]
    pub probabilities: bool,
    /// Return the side outputs too, if the network has any
    #[arg(long, requires = "onnx")]
    pub all_outputs: bool,
    /// Keep batch norm instead of folding it into the convolutions
    #[arg(long, requires = "onnx")]
    pub keep_batch_norm: bool,
    /// Version of the ONNX operator set, 17 to 22
    #[arg(long, value_name = "N", requires = "onnx", default_value_t = *OPSETS.start(),
        value_parser = clap::value_parser!(i64).range(OPSETS))]
    pub opset: i64,
}

pub fn run(arguments: &Export) -> Result<(), Failure> {
    if let Some(path) = &arguments.dapple {
        let storage = if arguments.half { Storage::Half } else { Storage::Single };
        write(path, &portable(&arguments.model, storage)?)?;
    }
    if arguments.onnx.is_none() && arguments.torch.is_none() {
        return Ok(());
    }
    let mut models = load(&arguments.model, false)?;
    if models.len() > 1 {
        return Err(Failure::input(
            "the file has several models that predict together; export each of them by itself",
        ));
    }
    let model = models.swap_remove(0);
    if let Some(path) = &arguments.onnx {
        let settings = OnnxSettings {
            opset: arguments.opset,
            probabilities: arguments.probabilities,
            all_outputs: arguments.all_outputs,
            fold_batch_norm: !arguments.keep_batch_norm,
        };
        write(path, &onnx(&model, &settings)?)?;
    }
    if let Some(path) = &arguments.torch {
        let entries = published(&model.card.network, &model.state)?;
        write(path, &write_state_dict(&entries).map_err(Failure::other)?)?;
    }
    Ok(())
}

/// The content of a model file, also of an ensemble, with the names of the validation images.
fn portable(model: &Path, storage: Storage) -> Result<Vec<u8>, Failure> {
    let (path, mut members) = (model_path(model), load(model, false)?);
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
    println!("{}: {} bytes", path.display(), grouped(bytes.len() as u64));
    Ok(())
}
