//! Models and weights by path or name, with a progress bar for downloads.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::ForeignInput;
use dapple::foreign::ForeignSettings;
use dapple::graph::Engine;
use dapple::hub::{HubListener, HubUse, hub_folder};
use dapple::model::Model;
use dapple::models::{Wanted, load_with};
use dapple::nets::checkpoint::ModelFile;
use dapple::onnx::Layout;
use dapple::weights::{CatalogueEntry, DownloadProgress, HubName, Store, StoreSettings};
use dapple_base::read_regular;
use indicatif::{ProgressBar, ProgressStyle};

use super::values::size;
use crate::cli::failure::Failure;
use crate::environment;

/// The heading of the flags below.
const FOREIGN: &str = "Models of other programs";

/// What models of other programs do not tell themselves.
#[derive(Clone, Debug, Default, Args)]
pub struct Foreign {
    /// Network of weights that another program saved, where the model is a file of PyTorch (.pth) or a state dict;
    /// `dapple import` keeps more settings
    #[arg(long, value_name = "NAME", help_heading = FOREIGN)]
    pub network: Option<String>,
    /// Mean of each channel that an ONNX file takes pixels by, in units of --range
    #[arg(long, value_name = "X,…", value_delimiter = ',', allow_hyphen_values = true, help_heading = FOREIGN)]
    pub mean: Vec<f32>,
    /// Deviation of each channel, likewise
    #[arg(long, value_name = "X,…", value_delimiter = ',', help_heading = FOREIGN)]
    pub std: Vec<f32>,
    /// Values of black and white that an ONNX file takes, before --mean and --std: 0..1 or 0..255 [default: as the file's
    /// metadata say; 0..1 with --mean or --std]
    #[arg(long, value_name = "LOW..HIGH", value_parser = range, allow_hyphen_values = true, help_heading = FOREIGN)]
    pub range: Option<[f32; 2]>,
    /// Order of the axes of an ONNX file's input: nchw or nhwc [default: as the number of channels tells]
    #[arg(long, value_name = "ORDER", value_parser = layout, help_heading = FOREIGN)]
    pub layout: Option<Layout>,
    /// The ONNX file takes blue, green, red; --mean and --std are in this order
    #[arg(long, help_heading = FOREIGN)]
    pub bgr: bool,
    /// Size to which images are resized for an ONNX file that takes any, or for weights of another program
    #[arg(long, value_name = "N|HxW", value_parser = size, help_heading = FOREIGN)]
    pub input_size: Option<(usize, usize)>,
    /// Text file with the names of the classes, one a line in the order of their labels
    #[arg(long, value_name = "FILE", help_heading = FOREIGN)]
    pub classes_file: Option<PathBuf>,
}

impl Foreign {
    /// Whether the values of pixels, or the classes, are given.
    pub fn describes_pixels_or_classes(&self) -> bool {
        !self.mean.is_empty() || !self.std.is_empty() || self.range.is_some() || self.classes_file.is_some()
    }

    /// The same for the library, with the names of the classes read.
    fn input(&self) -> Result<ForeignInput, Failure> {
        let classes = match &self.classes_file {
            None => Vec::new(),
            Some(path) => {
                let named = |error: std::io::Error| Failure::input(format!("{}: {error}", path.display()));
                let bytes = read_regular(path, MOST_NAMES).map_err(named)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| Failure::input(format!("{}: it is no text in UTF-8", path.display())))?;
                let names: Vec<String> =
                    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
                if names.is_empty() {
                    return Err(Failure::input(format!("{}: it names no class", path.display())));
                }
                names
            }
        };
        Ok(ForeignInput {
            mean: self.mean.clone(),
            std: self.std.clone(),
            range: self.range,
            layout: self.layout,
            reversed: self.bgr,
            size: self.input_size,
            classes,
        })
    }
}

/// Most bytes of a file of names.
const MOST_NAMES: u64 = 1 << 20;

/// `LOW..HIGH`.
fn range(text: &str) -> Result<[f32; 2], String> {
    let bounds = text.split_once("..").map(|(low, high)| (low.trim().parse(), high.trim().parse()));
    match bounds {
        Some((Ok(low), Ok(high))) => Ok([low, high]),
        _ => Err("give two numbers such as 0..1 or 0..255".into()),
    }
}

/// The order of the axes of a batch of images.
fn layout(text: &str) -> Result<Layout, String> {
    match text.to_ascii_lowercase().as_str() {
        "nchw" => Ok(Layout::Nchw),
        "nhwc" => Ok(Layout::Nhwc),
        _ => {
            Err("give nchw (batch, channels, height, width) or nhwc (batch, height, width, channels)".into())
        }
    }
}

/// The models that a path or a name stands for, see [`dapple::models`].
pub fn load(name: &Path, foreign: &Foreign, quiet: bool) -> Result<Vec<ModelFile>, Failure> {
    let input = foreign.input()?;
    let settings = ForeignSettings { network: foreign.network.as_deref(), ..input.settings() };
    let found = load_with(name, &settings, &|wanted| match wanted {
        Wanted::Entry(entry) => fetch(&store(false)?, entry, quiet),
        Wanted::Hub(name) => fetch_hub(&store(false)?, name, HubUse::Model, quiet),
    })?;
    found.notes.iter().for_each(|assumption| note!("note: {assumption}"));
    Ok(found.models)
}

/// The same, on an engine.
pub fn load_on(
    name: &Path,
    foreign: &Foreign,
    engine: &dyn Engine,
    quiet: bool,
) -> Result<Vec<Model>, Failure> {
    let ready = |model| Ok(Model::new(model, engine)?);
    let models = load(name, foreign, quiet)?;
    note_quantized(&models, engine);
    models.into_iter().map(ready).collect()
}

/// Says where a quantized model gains nothing.
pub fn note_quantized(models: &[ModelFile], engine: &dyn Engine) {
    let is_quantized = models.iter().any(|model| model.card.network.quantization.is_some());
    if is_quantized && engine.device() != "cpu" {
        note!(
            "note: {} runs the rounded weights of the quantized model in floating point; only the CPU computes in integers",
            engine.device()
        );
    }
}

/// The store that the environment describes; `offline` forbids downloads in any case.
pub fn store(offline: bool) -> Result<Store, Failure> {
    let settings = environment::store_settings()?;
    Ok(Store::new(StoreSettings { offline: settings.offline || offline, ..settings }))
}

/// The path of published weights, downloaded if they are not in the cache.
pub fn fetch(store: &Store, entry: &CatalogueEntry, quiet: bool) -> Result<PathBuf, Failure> {
    let bar = bar(quiet);
    bar.set_message(entry.name);
    let path = store.get(entry, &mut |progress| advance(&bar, progress));
    bar.finish_and_clear();
    Ok(path?)
}

/// The folder of a model of the hub, downloaded if it is not in the cache.
pub fn fetch_hub(store: &Store, name: &HubName, purpose: HubUse, quiet: bool) -> Result<PathBuf, Failure> {
    let mut shown = Shown(bar(quiet));
    let folder = hub_folder(store, name, purpose, &mut shown);
    shown.0.finish_and_clear();
    Ok(folder?)
}

/// Shows downloads from the hub.
struct Shown(ProgressBar);

impl HubListener for Shown {
    /// Whatever is kept quiet: it may be large, and is from elsewhere.
    fn announce(&mut self, what: &str) {
        note!("{what}");
    }

    fn progress(&mut self, file: &str, progress: DownloadProgress) {
        self.0.set_message(file.to_owned());
        advance(&self.0, progress);
    }
}

fn advance(bar: &ProgressBar, progress: DownloadProgress) {
    if let Some(total) = progress.total {
        bar.set_length(total);
    }
    bar.set_position(progress.received);
}

/// A bar for downloads.
fn bar(quiet: bool) -> ProgressBar {
    // Draws nothing without a terminal.
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let template =
        "{msg} [{wide_bar:.cyan/blue}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    bar.set_style(style.progress_chars("=> "));
    bar
}
