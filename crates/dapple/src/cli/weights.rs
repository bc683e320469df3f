//! `dapple weights`: published weights in the cache, and models that are part of the program.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dapple::graph::Engine;
use dapple::model::Model;
use dapple::models::load_with;
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::ModelFile;
use dapple::nets::registry::{NetworkEntry, networks};
use dapple::pretrained::imagenet_entry;
use dapple::weights::{
    CATALOGUE, CacheState, CatalogueEntry, SHIPPED, Shipped, Store, StoreSettings, find, find_shipped,
};
use dapple_base::nearest;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
use crate::environment;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple weights list
  dapple weights get vgg16_bn
  dapple train --data CamVid --recipe segnet-camvid --init imagenet --out runs/camvid

Files are kept in dapple/weights in the user's folder for caches, or in DAPPLE_CACHE/weights. Other settings from the
environment: HTTPS_PROXY and NO_PROXY, SSL_CERT_FILE, DAPPLE_OFFLINE=1, and DAPPLE_WEIGHTS_MIRROR, an address that has the
files under their names.")]
pub struct Weights {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the weights that are known by name
    List {
        /// As a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Print the card of a model that is part of the program: data, scores, limits
    Card {
        /// Its name
        name: String,
    },
    /// Download weights that are not here yet, and print where they are
    Get {
        /// Names from the list
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Download nothing; DAPPLE_OFFLINE=1 says the same
        #[arg(long)]
        offline: bool,
        /// Print nothing but the paths
        #[arg(long)]
        quiet: bool,
    },
}

pub fn run(arguments: &Weights) -> Result<(), Failure> {
    match &arguments.command {
        Command::List { json } => list(*json),
        Command::Card { name } => {
            let shipped = find_shipped(name).ok_or_else(|| {
                let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
                Failure::input(format!(
                    "no model `{name}` is part of the program; there are {}",
                    names.join(", ")
                ))
            })?;
            print!("{}", shipped.card);
            Ok(())
        }
        Command::Get { names, offline, quiet } => {
            // All names are looked up before the first, large, download.
            let entries = names.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
            let store = store(*offline)?;
            for entry in entries {
                println!("{}", get(&store, entry, *quiet)?.display());
            }
            Ok(())
        }
    }
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    purpose: &'static str,
    megabytes: f64,
    /// None for models that are part of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    present: bool,
}

fn list(json: bool) -> Result<(), Failure> {
    let store = store(false)?;
    if json {
        let row = |entry: &CatalogueEntry| Row {
            name: entry.name,
            purpose: entry.group.title(),
            megabytes: entry.megabytes.into(),
            url: Some(entry.url),
            path: Some(store.path(entry)),
            present: store.state(entry) == CacheState::Present,
        };
        let shipped = SHIPPED.iter().map(|model| Row {
            name: model.name,
            purpose: model.purpose,
            megabytes: megabytes(model),
            url: None,
            path: None,
            present: true,
        });
        let rows: Vec<Row> = shipped.chain(CATALOGUE.iter().map(row)).collect();
        println!("{}", serde_json::to_string_pretty(&rows).expect("rows are numbers and words"));
        return Ok(());
    }
    println!("{:30} {:>6}  {:12}  purpose", "name", "MB", "here");
    for model in &SHIPPED {
        let (name, purpose) = (model.name, model.purpose);
        println!("{name:30} {:>6.1}  {:12}  {purpose}", megabytes(model), "built in");
    }
    for entry in CATALOGUE {
        let here = match store.state(entry) {
            CacheState::Absent => String::new(),
            CacheState::Partial(bytes) => format!("{} MB", bytes / 1_000_000),
            CacheState::Present => "yes".into(),
        };
        println!("{:30} {:>6}  {here:12}  {}", entry.name, entry.megabytes, entry.group.title());
    }
    Ok(())
}

/// Its size in units of 1 000 000 bytes, to a tenth.
fn megabytes(model: &Shipped) -> f64 {
    (model.bytes.len() as f64 / 1e5).round() / 10.0
}

fn known(name: &str) -> Result<&'static CatalogueEntry, Failure> {
    find(name).ok_or_else(|| {
        let near = nearest(name, CATALOGUE.iter().map(|entry| entry.name));
        let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        Failure::input(format!("there are no weights `{name}`{near}; see `dapple weights list`"))
    })
}

/// The path of the weights that `--init` asks for: a file, a name of the list, or `imagenet` for the network's encoder.
pub fn initial_weights(
    init: &Path,
    network: &NetConfig,
    offline: bool,
    quiet: bool,
) -> Result<PathBuf, Failure> {
    let entry = match init.to_str() {
        Some("imagenet") => imagenet_entry(network).ok_or_else(|| no_encoder(network))?,
        // A file of that name comes first; what is neither is reported as a missing file.
        Some(name) if !init.exists() => match find(name) {
            Some(entry) => entry,
            None => return Ok(init.to_owned()),
        },
        _ => return Ok(init.to_owned()),
    };
    get(&store(offline)?, entry, quiet)
}

/// The models that a name stands for, see [`dapple::models`].
pub fn models(name: &Path, quiet: bool) -> Result<Vec<ModelFile>, Failure> {
    load_with(name, &|entry| get(&store(false)?, entry, quiet))
}

/// Ready to predict.
pub fn segmenters(name: &Path, engine: &dyn Engine, quiet: bool) -> Result<Vec<Model>, Failure> {
    let ready = |model| Ok(Model::new(model, engine)?);
    models(name, quiet)?.into_iter().map(ready).collect()
}

fn no_encoder(network: &NetConfig) -> Failure {
    let has_encoder = |entry: &&NetworkEntry| {
        imagenet_entry(&NetConfig { name: entry.name.clone(), ..network.clone() }).is_some()
    };
    let mut families: Vec<&str> = networks().iter().filter(has_encoder).map(|entry| entry.family).collect();
    families.dedup();
    Failure::input(format!(
        "--init imagenet: `{}` has no encoder with published ImageNet weights; networks with one are of the families {}",
        network.name,
        families.join(", ")
    ))
}

/// The store that the environment describes; `offline` forbids downloads in any case.
fn store(offline: bool) -> Result<Store, Failure> {
    let settings = environment::store_settings()?;
    Ok(Store::new(StoreSettings { offline: settings.offline || offline, ..settings }))
}

fn get(store: &Store, entry: &CatalogueEntry, quiet: bool) -> Result<PathBuf, Failure> {
    // Draws nothing without a terminal.
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let template =
        "{msg} [{bar:24.cyan/blue}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}, {eta}";
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
