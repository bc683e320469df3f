//! `dapple bench`: how fast a network runs here, as a whole and by operation, on one device or on several in turns.

mod report;
mod work;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dapple::cpu::CpuEngine;
use dapple::device::{self, EngineOptions};
use dapple::graph::{
    Engine, Executor, Graph, Loss, LossKind, Mode, Network, Optimizer, Precision, Shape, State, Tensor,
    Trainer, summary,
};
use dapple::nets::{NetConfig, checkpoint};
use dapple_base::ByteSize;
use dapple_base::machine::peak_memory;

use super::failure::Failure;
use report::{Compared, Layer, Measured};
use work::{Work, image, labels};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple bench unet --size 224 --batch 4 --train
  dapple bench unet --batch 4 --train --device cpu,cuda:0
  dapple bench u2net-lite --size 320 --layers
  dapple bench unet --batch 4 --train --memory-limit 1GiB
  dapple bench segnet --classes 12 --batch 2 --train --json -

Times are wall-clock medians after one run that is not counted. A training step is forward, loss, backward and
Adam. GFLOP/s count two operations for each multiply-add of the plain definition (three times as many in
training), whatever algorithm computes it. Several devices take turns, run by run, with the same weights and the
same input; a ratio is the median over the turns of the first device's time over the device's.")]
pub struct Bench {
    /// Network: see `dapple models`
    #[arg(value_name = "NAME")]
    pub network: String,
    /// Devices, separated by commas: cpu, cuda:0 … (`dapple devices` lists them), or auto for the fastest that is built in
    /// and there [default: auto; cpu with --layers]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub device: Vec<String>,
    /// What convolutions and attention are computed in: fp32, bf16 or fp16
    #[arg(long, value_name = "NAME", default_value_t = Precision::Fp32)]
    pub precision: Precision,
    /// Side of the input
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
    /// Classes, the background included
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub classes: usize,
    /// Print the time of each operation too, on the processor
    #[arg(long)]
    pub layers: bool,
    /// Runs that are counted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = super::arguments::at_least_one)]
    pub runs: usize,
    /// Threads of the engine [default: physical cores]
    #[arg(long, value_name = "N", value_parser = super::arguments::at_least_one)]
    pub threads: Option<usize>,
    /// Memory of the engine, 2GiB for instance: in training, maps are computed twice beyond it
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<ByteSize>,
    /// Weights to use: a model file, published weights, or a folder that segmentation_models_pytorch saved; random ones
    /// otherwise
    #[arg(long, value_name = "FILE|DIR")]
    pub init: Option<PathBuf>,
    /// Write the result as JSON: to a file, or - for standard output alone
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write input and first output [batch, height, width, channels] (in training: the losses) as safetensors, so
    /// that another program can repeat and compare them; of the first device
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
}

/// A network on a device.
enum Runner {
    Infer(Box<dyn Executor>),
    Train(Box<dyn Trainer>),
}

impl Runner {
    fn state(&self) -> State {
        match self {
            Self::Infer(executor) => executor.state(),
            Self::Train(trainer) => trainer.state(),
        }
    }
}

/// A network on a device, with what was measured of it.
struct Subject {
    device: String,
    runner: Runner,
    /// Losses of training steps.
    losses: Vec<f32>,
    /// Of the first inference.
    output: Option<Tensor>,
    seconds: Vec<f64>,
}

pub fn run(arguments: &Bench) -> Result<(), Failure> {
    let mut config = NetConfig::new(&arguments.network, 3, arguments.classes)?;
    if let Some(width) = arguments.width {
        config.width = width;
    }
    config.check()?;
    let shape = Shape::new(arguments.batch, arguments.size, arguments.size, 3);
    // More than 2^28 values (1 GiB) of input need more memory for activations than any machine has.
    let extents = [arguments.size, arguments.size, arguments.batch, 3];
    let values = extents.into_iter().try_fold(1usize, |product, extent| product.checked_mul(extent));
    if !values.is_some_and(|values| (1..=1 << 28).contains(&values)) {
        return Err(Failure::input("--size and --batch must be at least 1 and within memory"));
    }
    let graph = config.build(shape)?;
    let mut state = State::init(&graph, 0);
    if let Some(file) = &arguments.init {
        checkpoint::init_from_file(&mut state, &config, file).map_err(Failure::input)?;
    }
    let network: Arc<dyn Network> = Arc::new(config.clone());
    let mut subjects = Vec::new();
    for engine in engines(arguments)? {
        let runner = if arguments.train {
            Runner::Train(engine.load_trainer(network.clone(), &state, Optimizer::adam())?)
        } else {
            Runner::Infer(engine.load(network.clone(), &state)?)
        };
        subjects.push(Subject {
            device: engine.device(),
            runner,
            losses: Vec::new(),
            output: None,
            seconds: Vec::new(),
        });
    }
    // The engines have the values now; kept, they would be counted as their memory.
    drop(state);
    let kind = if config.logits() == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
    let work =
        Work { input: image(shape), loss: Loss::single(kind), labels: labels(shape, arguments.classes) };
    work.in_turns(&mut subjects, arguments.runs)?;
    let peak_rss_mb = peak_memory().map(|bytes| bytes as f64 / 1e6);

    if let Some(file) = &arguments.dump {
        work.dump(file, &subjects[0])?;
    }
    let mut measured = Vec::new();
    for subject in &subjects {
        let mut one = Measured::new(arguments, &graph, subject, peak_rss_mb);
        if subject.device == "cpu" {
            of_the_processor(arguments, &network, &work.input, subject, &mut one)?;
        }
        measured.push(one);
    }
    match <[Measured; 1]>::try_from(measured) {
        Ok([one]) => report::one(arguments, &one),
        Err(measured) => report::several(arguments, &Compared::new(measured, &subjects)),
    }
}

/// The engines that are asked for.
fn engines(arguments: &Bench) -> Result<Vec<Box<dyn Engine>>, Failure> {
    let options = EngineOptions {
        threads: arguments.threads,
        memory_limit: arguments.memory_limit.map(|size| size.0),
        precision: arguments.precision,
    };
    let names: Vec<&str> = match &arguments.device[..] {
        [] if arguments.layers => vec!["cpu"],
        [] => vec!["auto"],
        names => names.iter().map(String::as_str).collect(),
    };
    let mut engines = Vec::new();
    for name in names {
        let device = device::choose(name).device;
        if arguments.layers && device != "cpu" {
            let why = format!(
                "--layers times the steps of the processor's engine, not of `{device}`; give --device cpu"
            );
            return Err(Failure::input(why));
        }
        engines.push(device::engine(&device, &options)?);
    }
    Ok(engines)
}

/// What only the processor's engine tells: threads, instructions, planned memory and, if wanted, the steps.
fn of_the_processor(
    arguments: &Bench,
    network: &Arc<dyn Network>,
    input: &Tensor,
    subject: &Subject,
    measured: &mut Measured,
) -> Result<(), Failure> {
    let limit = arguments.memory_limit.map(|size| size.0);
    let engine = CpuEngine::new(arguments.threads)?.with_memory_limit(limit);
    measured.threads = Some(engine.threads());
    measured.simd = Some(engine.level().name());
    if arguments.train {
        let memory = engine.training_memory(network.clone(), Optimizer::adam(), input.shape)?;
        measured.planned_mb = Some(memory.planned as f64 / 1e6);
    }
    if arguments.layers {
        let mode = if arguments.train { Mode::Train } else { Mode::Predict };
        let steps = engine.profile(network.clone(), &subject.runner.state(), input, mode)?;
        measured.layers = Some(steps.into_iter().map(Layer::from).collect());
    }
    Ok(())
}

/// Multiply-adds of the plain definition, twice, in units of 10^9: of a pass, or of a training step, which is three.
fn giga_operations(graph: &Graph, train: bool) -> f64 {
    let passes = if train { 3.0 } else { 1.0 };
    2.0 * passes * summary::multiply_adds(graph) as f64 / 1e9
}
