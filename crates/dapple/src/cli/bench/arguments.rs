//! The arguments of `dapple bench`.

use std::path::PathBuf;

use clap::Args;
use dapple::graph::Precision;
use dapple_base::ByteSize;

use crate::cli::common::values::{at_least_one, threads};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple bench unet --size 224 --batch 4 --train
  dapple bench unet --batch 4 --train --device cpu,cuda:0
  dapple bench u2net-lite --size 320 --layers --trace u2net.json
  dapple bench unet --batch 4 --train --memory-limit 1GiB
  dapple bench segnet --classes 12 --batch 2 --train --json -
  dapple bench model.onnx --size 512

Times are wall-clock medians after one uncounted run. A training step is forward, loss, backward and Adam. GFLOP/s count two \
operations for each multiply-add of the plain definition (three times as many in training), whatever algorithm computes it. \
Several devices take turns, run by run, with the same weights and input; a ratio is the median over the turns of the first \
device's time divided by the device's.

The steps of --layers are timed one by one, in as many passes as --runs says; times are medians. Operations are counted as above, \
bytes are those of the feature maps that a step reads and writes, each once, and of the weights of products.")]
pub struct Bench {
    /// Network: see `dapple models`; or an ONNX file, a folder of transformers, or hf://OWNER/NAME
    #[arg(value_name = "NAME")]
    pub network: String,
    /// Devices, separated by commas: cpu, cuda:0 … (`dapple devices` lists them), or auto for the fastest one available
    /// [default: auto; cpu with --layers and --trace]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Precision of convolutions and attention: fp32, bf16 or fp16
    #[arg(long, value_name = "NAME", default_value_t = Precision::Fp32)]
    pub precision: Precision,
    /// Side of the input in pixels
    #[arg(long, value_name = "N", default_value_t = 224)]
    pub size: usize,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: usize,
    /// Time training steps instead of inference
    #[arg(long)]
    pub train: bool,
    /// Channels of the network's first stage
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,
    /// Number of classes, the background included [default: 2]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Also print the steps with their times, shares, operations and bytes; on the CPU only
    #[arg(long)]
    pub layers: bool,
    /// Write the steps and the work of each thread in time, as a trace (JSON) for ui.perfetto.dev or chrome://tracing; on the
    /// CPU only
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Number of counted runs
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub runs: usize,
    /// Threads of the engine [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Memory limit of the engine, such as 2GiB: in training, activations beyond it are recomputed
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<ByteSize>,
    /// Weights: a model file (of a quantized one, width and classes too), published weights, or a folder saved by
    /// segmentation_models_pytorch [default: random]
    #[arg(long, value_name = "FILE|DIR")]
    pub init: Option<PathBuf>,
    /// Write the result as JSON; - writes it to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write the input and the first output [batch, height, width, channels] (in training: the losses) of the first device
    /// as safetensors, for comparisons with other programs
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
}

impl Bench {
    /// The first flag that asks for the times of single steps.
    pub fn steps(&self) -> Option<&'static str> {
        let trace = self.trace.as_ref().map(|_| "--trace");
        if self.layers { Some("--layers") } else { trace }
    }
}
