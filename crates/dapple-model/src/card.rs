//! The card of a model file: classes, input, and the training that produced it.

use dapple_data::{Classes, Format, InputSettings, LabelCoding};
use dapple_graph::Loss;
use dapple_nets::checkpoint::ModelCard;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ModelError;

/// The weights of a training that a model file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// Those of the last step.
    #[default]
    Raw,
    /// The exponential moving average over the steps.
    Average,
}

/// The training that produced a model, kept in its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The loss, with class weights as numbers.
    pub loss: Loss,
    /// The meaning of the values in the mask files, where that is all that is needed to read them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coding: Option<LabelCoding>,
    /// The format of the training data's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The recipe that the training started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// Raw or averaged weights.
    #[serde(default)]
    pub weights: Weights,
    /// Names of the validation samples, in files that are meant for use apart from their run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<String>,
}

impl Provenance {
    /// The provenance in a card; `None` for a model not trained by this program.
    pub fn of(card: &ModelCard) -> Option<Self> {
        serde_json::from_value(Value::Object(card.extra.clone())).ok()
    }

    /// Writes the names of the validation samples into a card.
    pub fn note_validation(card: &mut ModelCard, names: &[String]) {
        card.extra.insert("validation".to_owned(), names.into());
    }
}

/// The input of a model's network.
///
/// # Errors
/// [`ModelError::Data`] for a number of channels that images cannot have.
pub fn input_of(card: &ModelCard) -> Result<InputSettings, ModelError> {
    let [height, width] = card.input_size;
    let (channels, normalization) = (card.network.in_channels, card.normalisation);
    let input = InputSettings { height, width, channels, normalization };
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
