//! `dapple weights`: published weights in the cache, and the models that are part of the program.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dapple::hub::HubUse;
use dapple::weights::{CATALOGUE, CacheState, CatalogueEntry, HubName, SHIPPED, Shipped, find, find_shipped};
use dapple_base::nearest;
use serde::Serialize;

use super::common::json::print_json;
use super::common::models::{fetch, fetch_hub, store};
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple weights list
  dapple weights get vgg16_bn
  dapple train --data CamVid --recipe segnet-camvid --init imagenet \\
      --out runs/camvid

Files are kept in dapple/weights in the user's cache folder, or in DAPPLE_CACHE/weights. Further environment variables: \
HTTPS_PROXY and NO_PROXY, SSL_CERT_FILE, DAPPLE_OFFLINE=1, and DAPPLE_WEIGHTS_MIRROR, the address of a mirror with the same \
file names. For models of the Hugging Face hub: HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE=1.")]
pub struct Weights {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the weights known by name
    List {
        /// Print a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Print the model card of a built-in model: data, scores, limits
    Card {
        /// Name of the model
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Download weights that are not in the cache, and print their paths
    Get {
        /// Names from the list, or hf://OWNER/NAME for the newest commit of a model of the Hugging Face hub
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Download nothing, like DAPPLE_OFFLINE=1
        #[arg(long)]
        offline: bool,
        /// Print the paths only
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
                Failure::input(format!("there is no built-in model `{name}`; there are {}", names.join(", ")))
            })?;
            say_text!("{}", shipped.card);
            Ok(())
        }
        Command::Get { names, offline, quiet } => {
            // All names are looked up before the first, large, download.
            let all = names.iter().map(|name| Named::find(name)).collect::<Result<Vec<_>, _>>()?;
            let store = store(*offline)?;
            for named in all {
                let path = match named {
                    Named::Entry(entry) => fetch(&store, entry, *quiet)?,
                    Named::Hub(name) => {
                        // Its revision may have moved on since its first use.
                        if !store.hub().is_offline() {
                            store.hub().ask(&name)?;
                        }
                        fetch_hub(&store, &name, HubUse::Start, *quiet)?
                    }
                };
                say!("{}", path.display());
            }
            Ok(())
        }
    }
}

/// Something to get.
enum Named {
    Entry(&'static CatalogueEntry),
    Hub(HubName),
}

impl Named {
    fn find(name: &str) -> Result<Self, Failure> {
        match HubName::parse(name) {
            Some(repository) => Ok(Self::Hub(repository?)),
            None => known(name).map(Self::Entry),
        }
    }
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    purpose: &'static str,
    megabytes: f64,
    /// `None` for built-in models, whose card names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<&'static str>,
    /// Top-1 accuracy on ImageNet in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    imagenet_accuracy: Option<f64>,
    /// `None` for built-in models.
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
            purpose: entry.purpose.title(),
            megabytes: entry.megabytes.into(),
            licence: Some(entry.licence),
            imagenet_accuracy: entry.accuracy.map(tenths),
            url: Some(entry.url),
            path: Some(store.path(entry)),
            present: store.state(entry) == CacheState::Present,
        };
        let shipped = SHIPPED.iter().map(|model| Row {
            name: model.name,
            purpose: model.purpose,
            megabytes: megabytes(model),
            licence: None,
            imagenet_accuracy: None,
            url: None,
            path: None,
            present: true,
        });
        let rows: Vec<Row> = shipped.chain(CATALOGUE.iter().map(row)).collect();
        return print_json(&rows);
    }
    say!("{:30} {:>6}  {:8}  {:12}  {:>8}  purpose", "name", "MB", "here", "licence", "ImageNet");
    for model in &SHIPPED {
        let (name, purpose) = (model.name, model.purpose);
        say!(
            "{name:30} {:>6.1}  {:8}  {:12}  {:>8}  {purpose}",
            megabytes(model),
            "built in",
            "see card",
            ""
        );
    }
    for entry in CATALOGUE {
        let here = match store.state(entry) {
            CacheState::Absent => String::new(),
            CacheState::Partial(bytes) => format!("{} MB", bytes / 1_000_000),
            CacheState::Present => "yes".into(),
        };
        let accuracy = entry.accuracy.map(|percent| format!("{percent:.1} %")).unwrap_or_default();
        let CatalogueEntry { name, megabytes, licence, purpose, .. } = entry;
        say!("{name:30} {megabytes:>6}  {here:8}  {licence:12}  {accuracy:>8}  {}", purpose.title());
    }
    Ok(())
}

/// A percentage as it is printed, not lengthened from single precision.
fn tenths(percent: f32) -> f64 {
    (f64::from(percent) * 10.0).round() / 10.0
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
