//! Weights to start from: models of this program, which describe themselves, and those that other programs saved.

use std::path::{Path, PathBuf};

use dapple_base::nearest;
use dapple_data::Classes;
use dapple_graph::State;
use dapple_model::model_path;
use dapple_nets::NetConfig;
use dapple_nets::checkpoint::{
    CheckpointError, ContentError, Ensemble, HubConfig, ModelFile, Normalization, check_saved,
    init_from_file, init_from_model, saved_network,
};
use dapple_weights::{CATALOGUE, SHIPPED, find_shipped};

use crate::config::settings;
use crate::error::TrainError;

/// Weights to start from, found by the value of the setting `init`.
#[derive(Clone, Debug, PartialEq)]
pub struct Initial {
    /// The value of the setting.
    init: PathBuf,
    is_built_in: bool,
    source: Source,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A model of this program.
    Model(Box<ModelFile>),
    /// A file or folder of another program.
    Foreign,
}

impl Initial {
    /// The weights of a run's folder, a file, a folder that segmentation_models_pytorch saved, or a built-in model's name.
    /// Files, and folders with a model, come before names.
    ///
    /// # Errors
    /// [`TrainError::Config`] for a path that does not exist and is no name, and for a run without a model;
    /// [`TrainError::Checkpoint`] for a damaged or a quantized model, and for several in one file.
    pub fn find(init: &Path) -> Result<Self, TrainError> {
        let found = |source| Ok(Self { init: init.to_owned(), is_built_in: false, source });
        let file = model_path(init);
        if file.is_file() {
            return match Ensemble::load(&file) {
                Ok(ensemble) => found(Source::Model(Box::new(one_of(ensemble, &file)?))),
                Err(error) if file == init && is_foreign(&error) => found(Source::Foreign),
                Err(error) => Err(error.into()),
            };
        }
        let name = init.to_str().unwrap_or_default();
        let saved = ["model.safetensors", "pytorch_model.bin"].iter().any(|name| init.join(name).is_file());
        match find_shipped(name).filter(|_| !saved) {
            Some(shipped) => {
                let ensemble = Ensemble::from_bytes(shipped.bytes).map_err(|error| error.of(init))?;
                let source = Source::Model(Box::new(one_of(ensemble, init)?));
                Ok(Self { init: init.to_owned(), is_built_in: true, source })
            }
            None if init.join("config.toml").is_file() && !saved => Err(TrainError::Config(format!(
                "{}: the run has no model yet, which is written when its first epoch ends; let it train longer, or start \
                 from other weights",
                init.display()
            ))),
            None if init.exists() => found(Source::Foreign),
            None => Err(unknown(init)),
        }
    }

    /// The value of the setting for a file of settings: an absolute path, or the name of a built-in model.
    pub fn setting(&self) -> PathBuf {
        match self.is_built_in {
            true => self.init.clone(),
            false => std::path::absolute(&self.init).unwrap_or_else(|_| self.init.clone()),
        }
    }

    /// The network that the weights name; `None` for files that other programs saved without a description.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] for a description that cannot be read or has settings that no network has.
    pub fn network(&self) -> Result<Option<NetConfig>, TrainError> {
        match &self.source {
            Source::Model(model) => Ok(Some(model.card.network.clone())),
            Source::Foreign => Ok(match saved_network(&self.init)? {
                Some(network) => Some(network),
                // A description of another network says nothing about one that takes an encoder from it.
                None => {
                    HubConfig::of_folder(&self.init).ok().flatten().and_then(|config| config.registered())
                }
            }),
        }
    }

    /// The normalization that a model of this program was trained with.
    pub fn normalization(&self) -> Option<Normalization> {
        match &self.source {
            Source::Model(model) => Some(model.card.normalisation),
            Source::Foreign => None,
        }
    }

    /// Checks that a network is the one that the weights name. That of a model of this program may have other classes,
    /// dropout and strides, but no other shapes.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the first setting that differs, in the model and here; [`TrainError::Checkpoint`] for the
    /// weights of another network that segmentation_models_pytorch saved.
    pub fn check(&self, network: &NetConfig) -> Result<(), TrainError> {
        let Source::Model(model) = &self.source else { return Ok(check_saved(&self.init, network)?) };
        let there = &model.card.network;
        let head = |network: &NetConfig| {
            let head = serde_json::to_value(network.head).unwrap_or_default();
            head.as_str().unwrap_or("the paper's").to_owned()
        };
        let both = [
            ("network.name", [network, there].map(|network| network.name.clone())),
            ("network.width", [network, there].map(|network| network.width.to_string())),
            ("network.in_channels", [network, there].map(|network| network.in_channels.to_string())),
            ("network.head", [network, there].map(head)),
        ];
        let Some((key, [here, there])) = both.into_iter().find(|(_, [here, there])| here != there) else {
            return Ok(());
        };
        let flag = settings::flags().find(|(setting, _)| setting.key == key);
        let given = flag.map_or_else(String::new, |(_, flag)| format!(" (--{})", flag.name));
        Err(TrainError::Config(format!(
            "{}: the weights are those of a network with {key} = {there}, but the settings ask for {here}{given}; leave the \
             setting out, which takes the network of the weights, or start from other weights",
            self.init.display()
        )))
    }

    /// Fills the state of a network for data of these classes, and lists the values that were taken over.
    pub(crate) fn fill(
        &self,
        network: &NetConfig,
        classes: &Classes,
        state: &mut State,
    ) -> Result<String, TrainError> {
        self.check(network)?;
        let path = &self.init;
        let text = match &self.source {
            Source::Model(model) => {
                // Without names of their own, classes are called by their numbers, and a foreground by this name.
                let count = classes.len();
                let unnamed =
                    *classes == Classes::numbered(count) || *classes == Classes::binary("foreground");
                let names = Some(&classes.names[..]).filter(|_| !unnamed);
                let (report, head) = init_from_model(state, network, names, model)
                    .map_err(|error| ContentError::from(error).of(path))?;
                format!("{report}\n{head}")
            }
            Source::Foreign => {
                let report = init_from_file(state, network, path)?;
                let heads = network.entry()?.heads;
                let is_head = |name: &String| heads.iter().any(|prefix| name.starts_with(prefix));
                let described = HubConfig::of_folder(path).ok().flatten();
                let labels = described.map(|config| config.labels).filter(|labels| !labels.is_empty());
                let note = match (report.loaded.iter().any(is_head), labels) {
                    (true, Some(labels)) => format!(
                        "\nhead: taken over in the order of the labels, which are called {} there{}",
                        labels[..labels.len().min(6)].join(", "),
                        if labels.len() > 6 { " and so on" } else { "" }
                    ),
                    (true, None) => {
                        "\nhead: taken over in the order of the labels, because these weights name no classes"
                            .to_owned()
                    }
                    (false, _) => String::new(),
                };
                format!("{report}{note}")
            }
        };
        Ok(format!("{}: {text}", path.display()))
    }
}

/// Whether a file is none of this program.
fn is_foreign(error: &CheckpointError) -> bool {
    let CheckpointError::Content { why, .. } = error else { return false };
    matches!(**why, ContentError::NotAModel | ContentError::Unreadable(_))
}

/// The only model of a file.
fn one_of(mut ensemble: Ensemble, file: &Path) -> Result<ModelFile, CheckpointError> {
    match (ensemble.members.pop(), ensemble.members.len()) {
        (Some(model), 0) if model.card.network.quantization.is_some() => {
            Err(ContentError::Quantized.of(file))
        }
        (Some(model), 0) => Ok(model),
        _ => Err(ContentError::Several.of(file)),
    }
}

fn unknown(init: &Path) -> TrainError {
    let name = init.display().to_string();
    let built_in = SHIPPED.iter().map(|shipped| shipped.name);
    let names = built_in.clone().chain(CATALOGUE.iter().map(|entry| entry.name));
    let hint = nearest(&name, names).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    TrainError::Config(format!(
        "{name}: no such file or folder to start from, and no weights of that name{hint}; give a run's folder, a file of \
         weights, a built-in model ({}), or a name of `dapple weights list`",
        built_in.collect::<Vec<_>>().join(", ")
    ))
}
