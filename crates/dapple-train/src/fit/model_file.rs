//! Writing the model of an epoch.

use std::path::Path;

use dapple_data::Dataset;
use dapple_graph::{Loss, State};
use dapple_metrics::Scores;
use dapple_model::{Evaluation, Provenance, Weights};
use dapple_nets::checkpoint::{CheckpointError, Class, ModelCard, ModelFile};
use serde::Serialize;
use serde_json::{Map, Value};

use super::record::EpochRecord;
use crate::config::train_config::TrainConfig;
use crate::error::TrainError;

/// The model of a training, to be written with the weights of an epoch.
pub(super) struct Model<'a> {
    pub config: &'a TrainConfig,
    pub dataset: &'a Dataset,
    /// Class weights in numbers.
    pub loss: &'a Loss,
}

impl Model<'_> {
    /// Writes the model file with the scores of its epoch.
    pub fn save(
        &self,
        path: &Path,
        (state, weights): (State, Weights),
        record: &EpochRecord,
        evaluation: Option<&Evaluation>,
    ) -> Result<(), TrainError> {
        let Self { config, dataset, loss } = *self;
        let classes = dataset.classes();
        let named = classes.names.iter().zip(&classes.colours);
        let provenance = Provenance {
            loss: loss.clone(),
            format: dataset.format(),
            coding: dataset.stored_coding(),
            recipe: config.recipe.clone(),
            weights,
            validation: Vec::new(),
        };
        let card = ModelCard {
            network: config.network.clone(),
            classes: named.map(|(name, &colour)| Class { name: name.clone(), colour }).collect(),
            ignore: dataset.ignore(),
            input_size: [config.input.height, config.input.width],
            normalisation: config.input.normalization,
            images: Some(dataset.images().clone()),
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
