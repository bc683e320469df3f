//! `dapple train`: a new run, or going on with one.

use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dapple::data::{Dataset, OpenOptions};
use dapple::device::{engine, engine_within};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{check_saved, saved_network};
use dapple::train::{
    ByteSize, Outcome, RunFolder, StopFlag, TrainConfig, Training, best_epoch, open_dataset, recipe,
};

use super::arguments::{Device, Train};
use super::failure::Failure;
use super::progress::Progress;
use super::weights::initial_weights;

pub fn run(arguments: &Train) -> Result<(), Failure> {
    let training = match &arguments.resume {
        Some(folder) => Training::resume(folder)?,
        None => start(arguments)?,
    };
    train(training, &arguments.device, arguments.memory_limit, arguments.quiet).map(|_| ())
}

/// Runs a training to its end or to an interruption, and says what to do next.
pub fn train(
    training: Training,
    device: &Device,
    memory_limit: Option<ByteSize>,
    quiet: bool,
) -> Result<Outcome, Failure> {
    let config = training.config();
    let name = device.device.as_deref().unwrap_or(&config.device);
    let memory_limit = memory_limit.or(config.memory_limit).map(|size| size.0);
    let engine = engine_within(name, device.threads.or(config.threads), memory_limit)?;
    let folder = training.folder().path().to_owned();
    warn_of_skipped(training.dataset());

    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this batch; once more to stop at once, without saving")?;

    let outcome = training.run(engine.as_ref(), &mut Progress::new(quiet), &stop)?;
    if !quiet {
        say_how_it_ended(&outcome, &folder);
    }
    Ok(outcome)
}

/// The first Ctrl-C (or request to terminate) raises the flag and says what then happens, the second one ends the program.
pub fn stop_on_signal(stop: StopFlag, said: &'static str) -> Result<(), Failure> {
    /// Some supervisors send a signal to a program and to its group, which then arrives twice.
    const SAME_SIGNAL: Duration = Duration::from_millis(500);
    let mut first: Option<Instant> = None;
    let handler = move || match first {
        Some(first) if first.elapsed() > SAME_SIGNAL => process::exit(130),
        Some(_) => {}
        None => {
            first = Some(Instant::now());
            stop.raise();
            eprintln!("\n{said}");
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Failure::Other(format!("cannot listen for Ctrl-C: {e}")))
}

fn say_how_it_ended(outcome: &Outcome, folder: &Path) {
    let folder = folder.display();
    match outcome {
        Outcome::Interrupted { epochs_done, batches_done } => {
            println!("interrupted after {epochs_done} epochs and {batches_done} batches; the state is saved");
            println!("go on with: dapple train --resume {folder}");
        }
        Outcome::Finished { records } => {
            if let Some(best) = best_epoch(records) {
                let score = best.selection_score().unwrap_or(f64::NAN);
                let what = if best.val_foreground_iou.is_some() { "foreground IoU" } else { "mIoU" };
                println!("best epoch {}: validation {what} {score:.6}", best.epoch);
            }
            println!("written to {folder}: best.safetensors, metrics.csv, curves.png, samples/, strips/");
        }
    }
}

/// Says what was odd about the data, and names the pairs that were left out.
pub fn warn_of_skipped(dataset: &Dataset) {
    for warning in dataset.warnings() {
        eprintln!("warning: {warning}");
    }
    for error in dataset.skipped() {
        eprintln!("warning: {error}");
    }
    if !dataset.skipped().is_empty() {
        eprintln!("warning: {} bad pairs were left out", dataset.skipped().len());
    }
}

/// Puts the settings together, opens the data and makes the folder.
fn start(arguments: &Train) -> Result<Training, Failure> {
    let (mut config, dataset) = match &arguments.config {
        Some(path) => {
            let mut config = TrainConfig::load(path)?;
            if let Some(data) = &arguments.data {
                config.data.dir.clone_from(data);
            }
            config.data.skip_bad |= arguments.settings.skip_bad;
            config.data.format = arguments.settings.format.or(config.data.format);
            let dataset = open_dataset(&config)?;
            (config, dataset)
        }
        None => begin(arguments)?,
    };
    arguments.settings.apply(&mut config);
    if let Some(init) = &arguments.settings.init {
        let init = initial_weights(init, &config.network, arguments.offline, arguments.quiet)?;
        // Checked before the folder is made, and again when the weights are read.
        check_saved(&init, &config.network).map_err(Failure::input)?;
        config.init = Some(std::path::absolute(&init).unwrap_or(init));
    }
    if let Some(device) = &arguments.device.device {
        config.device.clone_from(device);
    }
    config.threads = arguments.device.threads.or(config.threads);
    config.memory_limit = arguments.memory_limit.or(config.memory_limit);
    // Checked before the folder is made, and again with the data.
    engine(&config.device, config.threads)?;
    config.check()?;
    config.data.dir = std::path::absolute(&config.data.dir).unwrap_or(config.data.dir);
    let out = arguments.out.as_deref().expect("clap asks for --out without --resume");
    Ok(Training::start(config, dataset, RunFolder::claim(out, arguments.force)?)?)
}

/// The defaults or the recipe, and the data, which say how many classes there are.
fn begin(arguments: &Train) -> Result<(TrainConfig, Arc<Dataset>), Failure> {
    let settings = &arguments.settings;
    let dir = arguments.data.as_deref().expect("clap asks for --data without --config");
    let recipe = arguments.recipe.as_deref().map(recipe::find).transpose()?;
    let model = match (&arguments.model, &arguments.encoder) {
        (Some(model), Some(encoder)) => Some(format!("{model}-{encoder}")),
        (model, _) => model.clone(),
    };
    let named = match (recipe, model.as_deref()) {
        (Some(recipe), model) => Some(recipe.network(model)?),
        (None, Some(model)) => Some(dapple::nets::registry::find(model)?.name.as_str()),
        (None, None) => None,
    };
    // Settings of the network that the weights come from are taken over with them.
    let saved = match settings.init.as_deref() {
        Some(init) => saved_network(init).map_err(Failure::input)?,
        None => None,
    };
    let network = match (named, &saved) {
        (Some(name), _) => name,
        (None, Some(saved)) => saved.name.as_str(),
        (None, None) => return Err(Failure::input(NO_NETWORK)),
    };
    let options = OpenOptions {
        format: settings.format,
        classes: settings.classes.or(recipe.map(|recipe| recipe.classes)),
        ignore: settings.ignore.or(recipe.and_then(|recipe| recipe.ignore)),
        coding: None,
        skip_bad: settings.skip_bad,
    };
    let dataset = Arc::new(Dataset::open(dir, &options)?);
    let classes = dataset.classes().len();
    let mut config = match (recipe, &saved) {
        (Some(recipe), _) => recipe.config_for(network, classes, dir)?,
        (None, Some(saved)) if saved.name == network => {
            TrainConfig::for_config(with_classes(saved, classes)?, dir)?
        }
        (None, _) => TrainConfig::for_network(network, classes, dir)?,
    };
    config.data.format = dataset.format();
    config.data.ignore = dataset.ignore();
    config.data.coding = Some(dataset.coding());
    config.data.skip_bad = settings.skip_bad;
    Ok((config, dataset))
}

const NO_NETWORK: &str = "give --model or --recipe, or --init with a folder that segmentation_models_pytorch saved, whose \
    config.json names the network";

/// The network for so many classes; it has the activation of the weights' network only if that has as many.
fn with_classes(saved: &NetConfig, classes: usize) -> Result<NetConfig, Failure> {
    let activation = if saved.classes == classes { saved.activation } else { saved.entry()?.activation };
    Ok(NetConfig { classes, activation, ..saved.clone() })
}
