//! Models and weights by path or name, with a progress bar for downloads.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::graph::Engine;
use dapple::model::Model;
use dapple::models::load_with;
use dapple::nets::checkpoint::ModelFile;
use dapple::weights::{CatalogueEntry, Store, StoreSettings};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::failure::Failure;
use crate::environment;

/// The network of weights that another program saved.
#[derive(Clone, Debug, Default, Args)]
pub struct Foreign {
    /// Network of weights that another program saved, where the model is a file of PyTorch (.pth) or a state dict;
    /// `dapple import` keeps more settings
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
}

/// The models that a path or a name stands for, see [`dapple::models`].
pub fn load(name: &Path, foreign: &Foreign, quiet: bool) -> Result<Vec<ModelFile>, Failure> {
    let found = load_with(name, foreign.network.as_deref(), &|entry| fetch(&store(false)?, entry, quiet))?;
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
    // Draws nothing without a terminal.
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let template =
        "{msg} [{wide_bar:.cyan/blue}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta}";
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(entry.name);
    let path = store.get(entry, &mut |progress| {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.received);
    });
    bar.finish_and_clear();
    Ok(path?)
}
