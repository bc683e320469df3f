//! `dapple export`: models for other programs.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::data::write_atomic;
use dapple::export::{OnnxSettings, onnx};
use dapple::nets::checkpoint::{published, write_state_dict};
use dapple::onnx::OPSETS;
use dapple::train::{grouped, load_model};

use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple export --model runs/horses --onnx horses.onnx
  dapple export --model runs/horses --onnx horses.onnx --probabilities
  dapple export --model model.safetensors --torch horses-torch.safetensors

The ONNX model takes `input`, float32 [batch, channels, height, width] of any size that the network takes, and gives
logits. How to prepare images, the classes with their colours and the scores are in its metadata; in Python:
  session.get_modelmeta().custom_metadata_map

Weights for PyTorch carry the names of the published checkpoints:
  model.load_state_dict(safetensors.torch.load_file(\"horses-torch.safetensors\"))")]
pub struct Export {
    /// A run's folder, or a model file
    #[arg(long, value_name = "RUN|FILE")]
    pub model: PathBuf,
    /// Write an ONNX model
    #[arg(long, value_name = "FILE", required_unless_present = "torch")]
    pub onnx: Option<PathBuf>,
    /// Write the weights alone as a state dict in safetensors
    #[arg(long, value_name = "FILE")]
    pub torch: Option<PathBuf>,
    /// Give probabilities (softmax, or sigmoid as the model was trained) instead of logits
    #[arg(long, requires = "onnx")]
    pub probabilities: bool,
    /// Give the side outputs too, where the network has some
    #[arg(long, requires = "onnx")]
    pub all_outputs: bool,
    /// Keep batch norm apart instead of folding it into the convolutions
    #[arg(long, requires = "onnx")]
    pub keep_batch_norm: bool,
    /// Version of ONNX's operator set, 17 to 22
    #[arg(long, value_name = "N", requires = "onnx", default_value_t = *OPSETS.start(),
        value_parser = clap::value_parser!(i64).range(OPSETS))]
    pub opset: i64,
}

pub fn run(arguments: &Export) -> Result<(), Failure> {
    let model = load_model(&arguments.model)?;
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

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_atomic(path, bytes)?;
    println!("{}: {} bytes", path.display(), grouped(bytes.len() as u64));
    Ok(())
}
