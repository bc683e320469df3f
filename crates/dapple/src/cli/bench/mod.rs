//! `dapple bench`: the speed of a network, as a whole and by operation, on one device or several in turns.

mod arguments;
mod layers;
mod report;
mod subject;
mod trace;
mod work;

use std::path::Path;
use std::sync::Arc;

use dapple::device::{self, EngineOptions};
use dapple::graph::{Engine, Loss, LossKind, Mode, Network, Optimizer, Shape, State, Tensor};
use dapple::model::model_path;
use dapple::models::FindModelError;
use dapple::nets::checkpoint::ModelFile;
use dapple::nets::{NetConfig, checkpoint};
use dapple::onnx_model::{OnnxSettings, PixelSettings, is_onnx, onnx_model};
use dapple::weights::HubName;
use dapple_base::machine::peak_memory;

use super::common::json::check_json;
use super::common::models::{Foreign, load};
use super::common::written::{Own, check_apart, check_written};
use super::failure::Failure;
use crate::environment;
pub use arguments::Bench;
use report::{Compared, Measured};
use subject::{Runner, Subject};
use work::{Work, image, labels};

pub fn run(arguments: &Bench) -> Result<(), Failure> {
    let own = Own::Json(if arguments.device.len() > 1 {
        &["devices", "ratios"]
    } else {
        &["precision", "median_s"]
    });
    check_apart(&[arguments.json.as_deref(), arguments.dump.as_deref(), arguments.trace.as_deref()])?;
    check_json(arguments.json.as_deref(), own, &[])?;
    if let Some(path) = &arguments.dump {
        check_written(path, Own::Never, &[], None)?;
    }
    if let Some(path) = &arguments.trace {
        check_written(path, Own::Json(trace::KEYS), &[], None)?;
    }
    let Timed { config, weights, targets } = timed(arguments)?;
    let channels = config.in_channels;
    let shape = Shape::new(arguments.batch, arguments.size, arguments.size, channels);
    // An input of more than 2^28 values (1 GiB) needs more memory for activations than any machine has.
    let extents = [arguments.size, arguments.size, arguments.batch, channels];
    let values = extents.into_iter().try_fold(1usize, |product, extent| product.checked_mul(extent));
    if !values.is_some_and(|values| (1..=1 << 28).contains(&values)) {
        return Err(Failure::input("--size and --batch must be at least 1 and within memory"));
    }
    let graph = config.build(shape)?;
    let is_whole = weights.is_some();
    let mut state = weights.unwrap_or_else(|| State::init(&graph, 0));
    if let Some(file) = arguments.init.as_ref().filter(|_| !is_whole) {
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
    // The engines have copies; kept, these values would count as their memory.
    drop(state);
    let kind = if config.logits() == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
    let loss = targets(Loss::single(kind));
    let work = Work { input: image(shape), loss, labels: labels(shape, config.classes) };
    work.in_turns(&mut subjects, arguments.runs)?;
    let peak_rss_mb = peak_memory().map(|bytes| bytes as f64 / 1e6);

    if let Some(file) = &arguments.dump {
        work.dump(file, &subjects[0])?;
    }
    let mut measured = Vec::new();
    for subject in &subjects {
        let mut one = Measured::new(arguments, &graph, subject, peak_rss_mb);
        if subject.device == "cpu" {
            of_the_cpu(arguments, &network, &work.input, subject, &mut one)?;
        }
        measured.push(one);
    }
    match <[Measured; 1]>::try_from(measured) {
        Ok([one]) => report::one(arguments, &one),
        Err(measured) => report::several(arguments, &Compared::new(measured, &subjects)),
    }
}

/// The quantized model in a file, whose network must be the one to time; its classes and width are its own.
fn quantized(file: &Path, config: &NetConfig) -> Result<Option<ModelFile>, Failure> {
    let model = ModelFile::load(&model_path(file)).ok();
    let Some(model) = model.filter(|model| model.card.network.quantization.is_some()) else {
        return Ok(None);
    };
    let network = &model.card.network;
    if network.name != config.name || network.in_channels != config.in_channels {
        return Err(Failure::input(format!(
            "{}: a quantized model of {} for images of {} channels, where {} for colour images is to be timed; give the name of \
             its network",
            file.display(),
            network.name,
            network.in_channels,
            config.name
        )));
    }
    Ok(Some(model))
}

/// The network that is timed.
struct Timed {
    config: NetConfig,
    /// Those of an ONNX file, or of a quantized model.
    weights: Option<State>,
    /// Gives a loss the targets of the network's outputs.
    targets: Box<dyn Fn(Loss) -> Loss>,
}

/// A network of the registry, or that of an ONNX file, a folder or a model of the hub, whose values of pixels do not matter here.
fn timed(arguments: &Bench) -> Result<Timed, Failure> {
    let path = Path::new(&arguments.network);
    let is_saved = HubName::parse(&arguments.network).is_some() || path.join("config.json").is_file();
    if (is_saved || is_onnx(path))
        && (arguments.train
            || [arguments.init.is_some(), arguments.width.is_some(), arguments.classes.is_some()]
                .contains(&true))
    {
        return Err(Failure::input(format!(
            "{}: a model of another program is timed as it is, without --train, --init, --width and --classes",
            arguments.network
        )));
    }
    if is_saved {
        // One folder has one model.
        let model = load(path, &Foreign::default(), true)?.swap_remove(0);
        let targets = Box::new(|loss: Loss| loss);
        return Ok(Timed { config: model.card.network, weights: Some(model.state), targets });
    }
    if is_onnx(path) {
        let size = Some((arguments.size, arguments.size));
        let settings =
            |pixels: PixelSettings<'static>| OnnxSettings { pixels, size, ..OnnxSettings::default() };
        let (model, notes) = match onnx_model(path, &settings(PixelSettings::default())) {
            // A file that does not tell its values of pixels takes no other time for them.
            Err(FindModelError::Preprocessing(_) | FindModelError::Pixels(_)) => {
                let range = Some([0.0, 1.0]);
                onnx_model(path, &settings(PixelSettings { range, ..PixelSettings::default() }))?
            }
            other => other?,
        };
        notes.iter().for_each(|assumption| note!("note: {assumption}"));
        let targets = Box::new(|loss: Loss| loss);
        return Ok(Timed { config: model.card.network, weights: Some(model.state), targets });
    }
    let mut config = NetConfig::new(&arguments.network, 3, arguments.classes.unwrap_or(2))?;
    let quantized = arguments.init.as_deref().map(|file| quantized(file, &config)).transpose()?.flatten();
    if let Some(own) = quantized.as_ref().map(|model| &model.card.network) {
        let others = [(arguments.classes, own.classes, "--classes"), (arguments.width, own.width, "--width")];
        for (given, own, flag) in others {
            if given.is_some_and(|given| given != own) {
                return Err(Failure::input(format!(
                    "{flag}: the quantized model of --init has {own} of its own; leave the flag out"
                )));
            }
        }
    }
    if let Some(width) = arguments.width {
        config.width = width;
    }
    let mut weights = None;
    if let Some(model) = quantized {
        (config, weights) = (model.card.network, Some(model.state));
    }
    let entry = config.check()?;
    Ok(Timed { config, weights, targets: Box::new(move |loss| entry.with_targets(loss)) })
}

/// The engines' options.
fn options(arguments: &Bench) -> Result<EngineOptions, Failure> {
    Ok(EngineOptions {
        threads: arguments.threads,
        memory_limit: arguments.memory_limit.map(|size| size.0),
        precision: arguments.precision,
        ..environment::engine_options()?
    })
}

/// The engines of the devices.
fn engines(arguments: &Bench) -> Result<Vec<Box<dyn Engine>>, Failure> {
    let options = options(arguments)?;
    let names: Vec<&str> = match &arguments.device[..] {
        [] if arguments.steps().is_some() => vec!["cpu"],
        [] => vec!["auto"],
        names => names.iter().map(String::as_str).collect(),
    };
    let mut engines = Vec::new();
    for name in names {
        let device = device::choose(name).device;
        if let Some(flag) = arguments.steps().filter(|_| device != "cpu") {
            let why =
                format!("{flag} times the steps of the CPU engine, not of `{device}`; give --device cpu");
            return Err(Failure::input(why));
        }
        engines.push(device::engine(&device, &options)?);
    }
    Ok(engines)
}

/// Measurements of the CPU engine only: threads, vector instructions, planned memory and, with `--layers`, the steps.
fn of_the_cpu(
    arguments: &Bench,
    network: &Arc<dyn Network>,
    input: &Tensor,
    subject: &Subject,
    measured: &mut Measured,
) -> Result<(), Failure> {
    let engine = device::cpu_engine(&options(arguments)?)?;
    measured.threads = Some(engine.threads());
    measured.simd = Some(engine.level().name());
    if arguments.train {
        let memory = engine.training_memory(network, Optimizer::adam(), input.shape)?;
        let [planned, smallest, kept] = [memory.planned, memory.smallest, memory.kept];
        [measured.planned_mb, measured.smallest_mb, measured.kept_mb] =
            [planned, smallest, kept].map(|bytes| Some(bytes as f64 / 1e6));
    }
    if arguments.steps().is_some() {
        let mode = if arguments.train { Mode::Train } else { Mode::Predict };
        let state = subject.runner.state();
        let profile = engine.profile(network.clone(), &state, input, mode, arguments.runs)?;
        if let Some(path) = &arguments.trace {
            trace::write(path, &measured.head(), &profile)?;
        }
        measured.layers = arguments.layers.then(|| layers::of(&profile));
    }
    Ok(())
}
