//! The model files of runs: weights with all that is needed to use and to measure them again.

use std::path::{Path, PathBuf};

use dapple_data::{Classes, Dataset, Format, InputSettings, LabelCoding, Normalise};
use dapple_graph::{Loss, State};
use dapple_metrics::Scores;
use dapple_nets::NetConfig;
use dapple_nets::checkpoint::{
    CheckpointError, Class, Ensemble, InitReport, ModelCard, ModelFile, Normalisation, init_from_file,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EpochRecord, Evaluation, TrainConfig, TrainError};

/// Which weights of a training a model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// As they are.
    #[default]
    Raw,
    /// Their moving average.
    Average,
}

/// What a training keeps with a model besides its description.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The loss it was trained with, class weights in numbers.
    pub loss: Loss,
    /// What the values of the mask files meant.
    pub coding: LabelCoding,
    /// The format of the folder it learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The recipe that the training began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Whether the weights are those of a step or their average.
    #[serde(default)]
    pub weights: Weights,
    /// The names of the samples that it was validated with, in files that are meant to be used away from their run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<String>,
}

impl Provenance {
    /// That of a model; `None` for one that no training of this program wrote.
    pub fn of(card: &ModelCard) -> Option<Self> {
        serde_json::from_value(Value::Object(card.extra.clone())).ok()
    }

    /// Notes the samples that a model was validated with.
    pub fn note_validation(card: &mut ModelCard, names: &[String]) {
        card.extra.insert("validation".to_owned(), names.into());
    }
}

/// The file of a model: for a folder the best of a run, or the ensemble of its folds; otherwise the file itself.
pub fn model_path(run_or_file: &Path) -> PathBuf {
    if !run_or_file.is_dir() {
        return run_or_file.to_owned();
    }
    let ensemble = run_or_file.join("ensemble.safetensors");
    if ensemble.exists() { ensemble } else { run_or_file.join("best.safetensors") }
}

/// Reads a file of one model or of several, or that of a folder.
///
/// # Errors
/// [`TrainError::Checkpoint`] if it cannot be read or is no model.
pub fn load_models(run_or_file: &Path) -> Result<Vec<ModelFile>, TrainError> {
    Ok(Ensemble::load(&model_path(run_or_file))?.members)
}

/// Reads a model file, or the best model of a run's folder.
///
/// # Errors
/// [`TrainError::Checkpoint`] if it cannot be read or is no model.
pub fn load_model(run_or_file: &Path) -> Result<ModelFile, TrainError> {
    Ok(ModelFile::load(&model_path(run_or_file))?)
}

/// What the network of a model sees of an image.
///
/// # Errors
/// [`TrainError::Data`] for a number of channels that images cannot have.
pub fn input_of(card: &ModelCard) -> Result<InputSettings, TrainError> {
    let [height, width] = card.input_size;
    let normalise = match card.normalisation {
        Normalisation::ImageNet => Normalise::ImageNet,
        Normalisation::Unit => Normalise::Unit,
        Normalisation::U2Net => Normalise::U2Net,
    };
    let input = InputSettings { height, width, channels: card.network.in_channels, normalise };
    input.validate()?;
    Ok(input)
}

/// Names and colours of a model's classes.
pub fn classes_of(card: &ModelCard) -> Classes {
    Classes {
        names: card.classes.iter().map(|class| class.name.clone()).collect(),
        colours: card.classes.iter().map(|class| class.colour).collect(),
    }
}

/// Writes a model with the scores of its epoch.
pub(crate) fn save(
    path: &Path,
    config: &TrainConfig,
    dataset: &Dataset,
    loss: &Loss,
    (state, weights): (State, Weights),
    record: &EpochRecord,
    evaluation: Option<&Evaluation>,
) -> Result<(), TrainError> {
    let classes = dataset.classes();
    let named = classes.names.iter().zip(&classes.colours);
    let provenance = Provenance {
        loss: loss.clone(),
        format: dataset.format(),
        coding: dataset.coding(),
        recipe: config.recipe.clone(),
        weights,
        validation: Vec::new(),
    };
    let card = ModelCard {
        network: config.network.clone(),
        classes: named.map(|(name, &colour)| Class { name: name.clone(), colour }).collect(),
        ignore: dataset.ignore(),
        input_size: [config.input.height, config.input.width],
        normalisation: match config.input.normalise {
            Normalise::ImageNet => Normalisation::ImageNet,
            Normalise::Unit => Normalisation::Unit,
            Normalise::U2Net => Normalisation::U2Net,
        },
        seed: config.seed,
        epoch: record.epoch,
        scores: evaluation.map(card_scores).unwrap_or_default(),
        extra: object(&provenance),
    };
    ModelFile { card, state }.save(path).map_err(|error| match error {
        CheckpointError::Write(error) => error.into(),
        error => error.into(),
    })
}

/// The validation's loss and scores, without those of each image.
fn card_scores(evaluation: &Evaluation) -> Map<String, Value> {
    let scores = Scores { images_detail: None, policies: Vec::new(), ..evaluation.scores.clone() };
    let mut validation = object(&scores);
    validation.insert("loss".into(), evaluation.loss.into());
    Map::from_iter([("validation".to_owned(), Value::Object(validation))])
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => unreachable!("structures of numbers and words become JSON objects"),
    }
}

/// Takes over weights from a file; says in words what was taken.
pub(crate) fn init_from(path: &Path, network: &NetConfig, state: &mut State) -> Result<String, TrainError> {
    let report: InitReport = init_from_file(state, network, path)?;
    Ok(format!("{}: {report}", path.display()))
}
