//! `dapple bench`: how fast a network runs here, as a whole and by operation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use dapple::cpu::{CpuEngine, StepTime};
use dapple::graph::{
    Engine, Executor, Loss, LossKind, Mode, Network, Optimizer, Shape, State, Tensor, summary,
};
use dapple::nets::{NetConfig, checkpoint};
use dapple::train::machine::peak_memory;
use dapple::train::{ByteSize, grouped};
use safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;

use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple bench unet --size 224 --batch 4 --train
  dapple bench u2net-lite --size 320 --layers
  dapple bench unet --batch 4 --train --memory-limit 1GiB
  dapple bench segnet --classes 12 --batch 2 --train --json -

Times are wall-clock medians after one run that is not counted. A training step is forward, loss, backward and
Adam. GFLOP/s count two operations for each multiply-add of the plain definition (three times as many in
training), whatever algorithm computes it.")]
pub struct Bench {
    /// Network: see `dapple models`
    #[arg(value_name = "NAME")]
    pub network: String,
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
    /// Print the time of each operation too
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
    /// that another program can repeat and compare them
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
}

/// What was measured.
#[derive(Serialize)]
struct Measured {
    network: String,
    parameters: usize,
    size: usize,
    batch: usize,
    train: bool,
    threads: usize,
    simd: &'static str,
    median_s: f64,
    images_per_s: f64,
    gflops: f64,
    peak_rss_mb: Option<f64>,
    /// Of the engine alone, as planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    planned_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Layer>>,
}

#[derive(Serialize)]
struct Layer {
    node: String,
    kernel: &'static str,
    backward: bool,
    seconds: f64,
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
    let limit = arguments.memory_limit.map(|size| size.0);
    let engine = CpuEngine::new(arguments.threads)?.with_memory_limit(limit);
    let network: Arc<dyn Network> = Arc::new(config.clone());
    let input = image(shape);

    let mut executor = engine.load(network.clone(), &state, Some(Optimizer::adam()))?;
    // The engine has the values now; kept, they would be counted as its memory.
    drop(state);
    let kind = if config.logits() == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
    let mut work = Work {
        arguments,
        loss: Loss::single(kind),
        labels: labels(shape, arguments.classes),
        losses: Vec::new(),
    };
    let mut first = work.once(&mut *executor, &input)?;
    let mut times = Vec::with_capacity(arguments.runs);
    for _ in 0..arguments.runs {
        let start = Instant::now();
        let output = work.once(&mut *executor, &input)?;
        times.push(start.elapsed().as_secs_f64());
        first = first.or(output);
    }
    let peak_rss_mb = peak_memory().map(|bytes| bytes as f64 / 1e6);
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let passes = if arguments.train { 3.0 } else { 1.0 };
    let state = arguments.layers.then(|| executor.state());
    drop(executor);

    let mode = if arguments.train { Mode::Train } else { Mode::Predict };
    let planned_mb = match arguments.train {
        true => Some(
            engine.training_memory(network.clone(), Some(Optimizer::adam()), shape)?.planned as f64 / 1e6,
        ),
        false => None,
    };
    let layers = match state {
        Some(state) => Some(engine.profile(network, &state, &input, mode)?),
        None => None,
    };
    let measured = Measured {
        network: arguments.network.clone(),
        parameters: summary::parameters(&graph),
        size: arguments.size,
        batch: arguments.batch,
        train: arguments.train,
        threads: engine.threads(),
        simd: engine.level().name(),
        median_s: median,
        images_per_s: arguments.batch as f64 / median,
        gflops: 2.0 * passes * summary::multiply_adds(&graph) as f64 / median / 1e9,
        peak_rss_mb,
        planned_mb,
        layers: layers.map(|steps| steps.into_iter().map(Layer::from).collect()),
    };
    if let Some(file) = &arguments.dump {
        dump(file, &input, first.as_ref(), &work.losses)?;
    }
    report(arguments, &measured)
}

/// What is timed.
struct Work<'a> {
    arguments: &'a Bench,
    loss: Loss,
    labels: Vec<u8>,
    losses: Vec<f32>,
}

impl Work<'_> {
    /// One training step, or one inference with its output.
    fn once(&mut self, executor: &mut dyn Executor, input: &Tensor) -> Result<Option<Tensor>, Failure> {
        if self.arguments.train {
            self.losses.push(executor.accumulate(input, &self.labels, &self.loss, 1.0)? as f32);
            executor.step(1e-4, None)?;
            return Ok(None);
        }
        Ok(executor.forward(input, Mode::Predict)?.into_iter().next())
    }
}

impl From<StepTime> for Layer {
    fn from(step: StepTime) -> Self {
        Self { node: step.node, kernel: step.kernel, backward: step.backward, seconds: step.seconds }
    }
}

/// Pixels that look like nothing in particular: a fixed sequence in -2 to 2 (Knuth's multiplicative hash).
fn image(shape: Shape) -> Tensor {
    let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 4_194_304.0 - 2.0;
    Tensor::new(shape, (0..shape.len()).map(value).collect())
}

/// Squares of 16 pixels of all classes in turn.
fn labels(shape: Shape, classes: usize) -> Vec<u8> {
    let label = |pixel: usize| ((pixel / shape.w % shape.h / 16 + pixel % shape.w / 16) % classes) as u8;
    (0..shape.pixels()).map(label).collect()
}

fn dump(file: &Path, input: &Tensor, output: Option<&Tensor>, losses: &[f32]) -> Result<(), Failure> {
    let le = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let dims = |s: Shape| vec![s.n, s.h, s.w, s.c];
    let (name, shape, result) = match output {
        Some(output) => ("output", dims(output.shape), le(&output.data)),
        None => ("losses", vec![losses.len()], le(losses)),
    };
    let input_values = le(&input.data);
    let view = |shape, values| TensorView::new(Dtype::F32, shape, values).map_err(Failure::other);
    let tensors = [("input", view(dims(input.shape), &input_values)?), (name, view(shape, &result)?)];
    let bytes = safetensors::serialize(tensors, None).map_err(Failure::other)?;
    dapple::data::write_atomic(file, &bytes)?;
    Ok(())
}

fn report(arguments: &Bench, m: &Measured) -> Result<(), Failure> {
    if let Some(target) = &arguments.json {
        let text = serde_json::to_string_pretty(m).expect("measurements are numbers and words");
        if target.as_os_str() == "-" {
            println!("{text}");
            return Ok(());
        }
        dapple::data::write_atomic(target, text.as_bytes())?;
    }
    let what = if m.train { "training step" } else { "inference" };
    println!(
        "{}, {} parameters, {what}, batch {}, {} x {}, {} threads, {}",
        m.network,
        grouped(m.parameters as u64),
        m.batch,
        m.size,
        m.size,
        m.threads,
        m.simd
    );
    println!(
        "median {:.1} ms   {:.2} images/s   {:.0} GFLOP/s   peak memory {}",
        m.median_s * 1e3,
        m.images_per_s,
        m.gflops,
        m.peak_rss_mb.map_or("unknown".to_owned(), |mb| format!("{mb:.0} MB"))
    );
    if let Some(mb) = m.planned_mb {
        println!("the engine's own memory as planned: {mb:.0} MB");
    }
    if let Some(layers) = &m.layers {
        print_layers(layers);
    }
    Ok(())
}

fn print_layers(layers: &[Layer]) {
    println!("\n{:44} {:26} {:>10}", "operation", "kernel", "ms");
    for layer in layers {
        println!("{:44} {:26} {:>10.3}", layer.node, layer.kernel, layer.seconds * 1e3);
    }
    let mut kinds: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for layer in layers {
        let kind = kinds.entry(layer.kernel).or_default();
        kind.0 += 1;
        kind.1 += layer.seconds;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    println!("\n{:26} {:>6} {:>10}", "kernel", "count", "ms");
    for (kernel, (count, seconds)) in kinds {
        println!("{kernel:26} {count:>6} {:>10.2}", seconds * 1e3);
    }
}
