//! `dapple train`: starts a run, or resumes one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use dapple::data::{Dataset, OpenOptions, SampleKind};
use dapple::device::engine;
use dapple::graph::Engine;
use dapple::pretrained::StartWeights;
use dapple::run::sweep::Sweep;
use dapple::run::{Run, RunFolder};
use dapple::train::auto::{self, Choice, Chosen, DataFacts, MachineFacts, Pretrained, Wishes};
use dapple::train::{Outcome, TrainConfig, open_dataset, recipe};
use dapple_base::{ByteSize, StopFlag, file_part};

use super::arguments::Train;
use super::common::cluster::Cluster;
use super::common::data::{validation_warning, warn_of_skipped, warn_of_validation, warnings_of};
use super::common::device::{Device, engine_options};
use super::common::progress::{Progress, print_outcome};
use super::common::signal::stop_on_signal;
use super::common::values::{shell_word, shortened};
use super::common::written::{Own, check_written};
use super::failure::Failure;
use super::initial::{Start, check_apart};
use super::pretrained::PretrainedStart;
use super::settings::Settings;
use super::{find_rate, train_many, train_together};

/// The value of `--recipe` for settings that are the same for all data.
const PLAIN: &str = "plain";

/// A training that is ready to run.
pub struct StartedTraining {
    /// The training in its folder.
    pub run: Run,
    /// The engine that its settings choose.
    pub engine: Box<dyn Engine>,
    /// The warnings that `dapple train` begins with.
    pub warnings: Vec<String>,
}

/// Runs the command; `words` are its arguments as they were given.
pub fn run(arguments: &Train, words: &[OsString]) -> Result<(), Failure> {
    let cluster = Cluster::join()?;
    if !cluster.is_many() {
        return run_alone(arguments, words);
    }
    let done = match cluster.ranks().is_first() {
        true => lead(&cluster, arguments),
        false => train_together::follow(&cluster, arguments),
    };
    if let Err(failure) = &done {
        // Ends the processes that wait for this one, too.
        cluster.ranks().end(&failure.to_string(), failure.code());
    }
    done
}

/// Trains as the first of several processes.
fn lead(cluster: &Cluster, arguments: &Train) -> Result<(), Failure> {
    let run = one_run(arguments, train_together::ONE_MODEL)?;
    let device = cluster.device(&arguments.device, run.config());
    if !arguments.quiet {
        say!("{} processes, each with its part of every batch", cluster.ranks().size());
    }
    train_to_use(train_together::led(cluster, run)?, &device, arguments.memory_limit, arguments.quiet)
}

fn run_alone(arguments: &Train, words: &[OsString]) -> Result<(), Failure> {
    let Train { device, memory_limit, quiet, .. } = arguments;
    if let Some(folder) = &arguments.resume {
        if Sweep::is_at(folder) {
            let mut sweep = Sweep::open(folder)?;
            if let Some(data) = &arguments.data {
                sweep.move_data(data)?;
            }
            return train_many::run(&sweep, &sweep.dataset()?, device, *memory_limit, *quiet);
        }
        let run = Run::resume_with(folder, arguments.data.as_deref(), None)?;
        return train_to_use(run, device, *memory_limit, *quiet);
    }
    let Prepared { config, dataset, .. } = prepare(arguments)?;
    if let Some(plot) = arguments.plot() {
        check_written(plot, Own::Never, &[], Some(arguments.force))?;
        return find_rate::run(&config, &dataset, plot, *quiet, words);
    }
    let out = &folder_for(arguments, &config)?;
    match train_many::kind(arguments, &config)? {
        Some(kind) => {
            let sweep = Sweep::start(out, config, kind, arguments.force)?;
            warn_of_skipped(&dataset);
            train_many::run(&sweep, &dataset, device, *memory_limit, *quiet)
        }
        None => {
            let training = Run::start(config, dataset, RunFolder::claim(out, arguments.force)?)?;
            train_to_use(training, device, *memory_limit, *quiet)
        }
    }
}

/// The training of one model that the arguments ask for, begun or resumed.
pub fn start(arguments: &Train) -> Result<StartedTraining, Failure> {
    let run = one_run(arguments, ONE_MODEL)?;
    let engine = arguments.device.engine_for(run.config(), arguments.memory_limit, true)?;
    let mut warnings = warnings_of(run.dataset());
    warnings.extend(validation_warning(run.dataset(), run.split())?);
    warnings.extend(run.warnings().iter().cloned());
    Ok(StartedTraining { run, engine, warnings })
}

/// The run of one model, begun or resumed; `refusal` is said where the arguments ask for anything else.
fn one_run(arguments: &Train, refusal: &str) -> Result<Run, Failure> {
    match &arguments.resume {
        Some(folder) if Sweep::is_at(folder) => {
            Err(Failure::input(format!("{}: {refusal}", folder.display())))
        }
        Some(folder) => Ok(Run::resume_with(folder, arguments.data.as_deref(), None)?),
        None if arguments.find_lr.is_some() => Err(Failure::input(refusal)),
        None => {
            let Prepared { config, dataset, .. } = prepare(arguments)?;
            if train_many::kind(arguments, &config)?.is_some() {
                return Err(Failure::input(refusal));
            }
            let out = folder_for(arguments, &config)?;
            Ok(Run::start(config, dataset, RunFolder::claim(&out, arguments.force)?)?)
        }
    }
}

/// The folder of a new run, which must not hold the weights to start from.
fn folder_for(arguments: &Train, config: &TrainConfig) -> Result<PathBuf, Failure> {
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&config.data.dir));
    check_apart(config, &out)?;
    Ok(out)
}

/// Runs a training, and prints what its model can be used for.
fn train_to_use(
    training: Run,
    device: &Device,
    memory_limit: Option<ByteSize>,
    quiet: bool,
) -> Result<(), Failure> {
    let folder = training.folder().path().to_owned();
    let data = shortened(&training.config().data.dir);
    let outcome = train(training, device, memory_limit, quiet)?;
    if !quiet && matches!(outcome, Outcome::Finished { .. }) {
        let (folder, data) = (shell_word(&folder), shell_word(&data));
        say!("next:");
        say!("  dapple predict {folder} photo.jpg --kind overlay");
        say!("  dapple eval {folder} {data}");
        say!("  dapple serve {folder}");
    }
    Ok(())
}

/// Runs a training to its end or to an interruption.
pub fn train(
    training: Run,
    device: &Device,
    memory_limit: Option<ByteSize>,
    quiet: bool,
) -> Result<Outcome, Failure> {
    let config = training.config();
    let engine = device.engine_for(config, memory_limit, quiet)?;
    let folder = training.folder().path().to_owned();
    if !quiet {
        for folders in training.dataset().first_folders() {
            say!("{folders}");
        }
    }
    warn_of_skipped(training.dataset());
    warn_of_validation(training.dataset(), training.split())?;
    training.warnings().iter().for_each(|warning| note!("warning: {warning}"));

    let stop = StopFlag::new();
    stop_on_signal(stop.clone(), "stopping after this batch; once more to stop at once, without saving")?;

    let outcome = training.train(engine.as_ref(), &mut Progress::new(quiet), &stop)?;
    if !quiet {
        print_outcome(&outcome, &folder);
    }
    Ok(outcome)
}

/// The folder of a run without `--out`: after the data, with the first free number.
fn default_out(data: &Path) -> PathBuf {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let name = data.file_name().map_or("run".into(), |name| name.to_string_lossy());
    let runs = Path::new("runs");
    let free = |number: &usize| !runs.join(format!("{}-{number}", file_part(&name))).exists();
    let number = (1..).find(free).expect("there are more numbers than folders");
    runs.join(format!("{}-{number}", file_part(&name)))
}

/// A training before its folder is made.
pub struct Prepared {
    /// The settings.
    pub config: TrainConfig,
    /// The data, opened.
    pub dataset: Arc<Dataset>,
    /// The choices of the automatic recipe that stand.
    pub choices: Vec<Choice>,
}

/// Puts the settings together and opens the data.
pub fn prepare(arguments: &Train) -> Result<Prepared, Failure> {
    let init = arguments.settings.given("init");
    let find = |init: &Path| Start::find(init, arguments.offline, arguments.quiet);
    let mut start = init.map(|init| find(Path::new(init))).transpose()?;
    let (mut config, chosen, dataset) = match &arguments.config {
        Some(path) => {
            let mut config = TrainConfig::load(path)?;
            if let Some(data) = arguments.data() {
                config.data.dir = data.to_owned();
            }
            arguments.settings.apply(&mut config)?;
            if start.is_none() {
                start = config.init.as_deref().map(find).transpose()?;
            }
            let dataset = open_dataset(&config)?;
            (config, None, dataset)
        }
        None => begin(arguments, start.as_ref())?,
    };
    // Kept, so that the training is resumed with the same values, whatever is added to the images.
    let images = dataset.images();
    if images.values != SampleKind::BYTE {
        config.data.value_range = Some(images.range.clone());
    }
    let choices = chosen.map(|chosen| chosen.standing(&config)).unwrap_or_default();
    for choice in &choices {
        if !arguments.quiet {
            say!("{choice}");
        }
        config.reasons.push((choice.key.to_owned(), choice.reason.clone()));
    }
    if let Some(start) = &start {
        config.init = Some(start.place(&config.network, arguments.offline, arguments.quiet)?);
    }
    if let Some(device) = &arguments.device.device {
        config.device.clone_from(device);
    }
    config.precision = arguments.device.precision.unwrap_or(config.precision);
    config.threads = arguments.device.threads.or(config.threads);
    config.memory_limit = arguments.memory_limit.or(config.memory_limit);
    // Checked before the folder is created, and again with the data.
    engine(&config.device, &engine_options(&config)?)?;
    config.check()?;
    config.data.dir = std::path::absolute(&config.data.dir).unwrap_or(config.data.dir);
    Ok(Prepared { config, dataset, choices })
}

/// The defaults or the recipe, the choices of the automatic recipe, and the data, which determine the number of classes.
fn begin(
    arguments: &Train,
    start: Option<&Start>,
) -> Result<(TrainConfig, Option<Chosen>, Arc<Dataset>), Failure> {
    let settings = &arguments.settings;
    let dir = arguments.data().ok_or_else(|| {
        Failure::input("give the folder of images and masks: dapple train DIR, or dapple train --data DIR")
    })?;
    if RunFolder::holds(&dir.join("config.toml")) {
        return Err(Failure::input(format!(
            "{0}: the folder of a run, not of images and masks; dapple train --resume {1} goes on with it",
            dir.display(),
            shell_word(dir)
        )));
    }
    let named = |name: &&str| ![auto::NAME, PLAIN].contains(name);
    let recipe = arguments.recipe.as_deref().filter(named).map(recipe::find).transpose()?;
    if let Some(weights) = &arguments.weights {
        let is_auto = arguments.recipe.as_deref().is_none_or(|recipe| recipe == auto::NAME);
        if settings.given("init").is_some() || (!is_auto && *weights != StartWeights::Random) {
            return Err(Failure::input(WEIGHTS_OF_AUTO));
        }
    }
    let model = match (&arguments.model, &arguments.encoder) {
        (Some(model), Some(encoder)) => Some(format!("{model}-{encoder}")),
        (model, _) => model.clone(),
    };
    let named = match (recipe, model.as_deref()) {
        (Some(recipe), model) => Some(recipe.network(model)?),
        (None, Some(model)) => Some(dapple::nets::registry::find(model)?.name.as_str()),
        (None, None) => None,
    };
    // The settings of a network come with its weights.
    let saved = start.and_then(|start| start.network.as_ref());
    let network = named.or(saved.map(|saved| saved.name.as_str()));
    if network.is_none() && start.is_some() {
        return Err(Failure::input(NO_NETWORK));
    }
    let options = OpenOptions {
        format: given(settings, "format"),
        classes: given(settings, "classes").or(recipe.map(|recipe| recipe.classes)),
        ignore: given(settings, "ignore").or(recipe.and_then(|recipe| recipe.ignore)),
        coding: None,
        mask_orientation: given(settings, "mask-orientation"),
        mask_suffix: given(settings, "mask-suffix"),
        skip_bad: settings.given("skip-bad").is_some(),
        value_range: given(settings, "value-range"),
        training: None,
    };
    let dataset = Arc::new(Dataset::open(dir, &options)?);
    let classes = dataset.classes().len();
    let (mut config, chosen) = match (recipe, network) {
        (Some(recipe), Some(network)) => (recipe.config_for(network, classes, dir)?, None),
        (None, Some(network)) if arguments.recipe.as_deref() == Some(PLAIN) => {
            (TrainConfig::for_network(network, classes, dir)?, None)
        }
        (None, None) if arguments.recipe.as_deref() == Some(PLAIN) => {
            return Err(Failure::input("--recipe plain needs --model; `dapple models` lists the networks"));
        }
        (_, network) => {
            let width = saved.filter(|saved| Some(saved.name.as_str()) == network).map(|saved| saved.width);
            let chosen = automatic(arguments, (network, width), &dataset, dir)?;
            (chosen.config.clone(), Some(chosen))
        }
    };
    if let Some(start) = start {
        start.describe(&mut config, recipe.is_some())?;
    }
    config.data.format = dataset.format();
    config.data.ignore = dataset.ignore();
    config.data.coding = dataset.stored_coding();
    settings.apply(&mut config)?;
    let bands = dataset.images().bands;
    if settings.given("channels").is_none() && !matches!(bands, 1 | 3) && config.input.channels != bands {
        let seen = config.input.channels;
        let remedy = match start.is_some_and(Start::is_model) {
            true if seen == 3 => "--channels 3 takes the first three as red, green and blue".to_owned(),
            true => format!(
                "the network of --init takes images of {seen}; give images of as many, or other weights"
            ),
            false => format!(
                "--channels {bands} takes all of them, --channels 3 the first three as red, green and blue"
            ),
        };
        return Err(Failure::input(format!(
            "{}: the images have {bands} channels (alpha apart), and nothing says which the network is to see: {remedy}",
            dir.display()
        )));
    }
    Ok((config, chosen, dataset))
}

/// The value of a flag, whose text was checked when the arguments were read.
fn given<T: FromStr>(settings: &Settings, flag: &str) -> Option<T> {
    settings.given(flag)?.parse().ok()
}

/// The settings for these data and this machine.
fn automatic(
    arguments: &Train,
    (network, width): (Option<&str>, Option<usize>),
    dataset: &Dataset,
    dir: &Path,
) -> Result<Chosen, Failure> {
    let settings = &arguments.settings;
    // As the flags divide the data.
    let mut plain = TrainConfig::for_network(network.unwrap_or("unet"), dataset.classes().len(), dir)?;
    settings.apply(&mut plain)?;
    let facts = DataFacts::of(dataset, &plain.data.divide(dataset)?)?;
    let wishes = Wishes {
        network: network.map(str::to_owned),
        width: settings.given("width").map(|_| plain.network.width).or(width),
        size: settings.given("size").map(|_| (plain.input.height, plain.input.width)),
        batch: settings.given("batch").map(|_| plain.batch),
        epochs: settings.given("epochs").map(|_| plain.epochs),
        profile: arguments.profile.unwrap_or_default(),
        time_budget: plain.time_budget,
        pretrained: Vec::new(),
    };
    let machine = MachineFacts::here(arguments.device.threads);
    let choose = |pretrained: Vec<Pretrained>| -> Result<Chosen, Failure> {
        Ok(auto::choose(&facts, &machine, &Wishes { pretrained, ..wishes.clone() }, dir)?)
    };
    if settings.given("init").is_some() {
        return choose(Vec::new());
    }
    let start = PretrainedStart {
        weights: &arguments.weights.clone().unwrap_or_default(),
        network,
        published: wishes.width.is_none(),
        offline: arguments.offline,
        quiet: arguments.quiet,
    };
    start.choose(&choose)
}

const ONE_MODEL: &str = "this trains one model; several trainings (--fold all, --seeds) and --find-lr are for the command \
    `dapple train`";

const WEIGHTS_OF_AUTO: &str = "--weights is for --recipe auto without --init: give one of --weights and --init, and with another \
    recipe --init, which takes names and files too";

const NO_NETWORK: &str = "give --model: these weights do not name their network; a run's folder, its best.safetensors, and \
    a folder saved by segmentation_models_pytorch, with its config.json, do";
