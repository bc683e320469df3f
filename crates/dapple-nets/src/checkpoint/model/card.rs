//! The description of a model.

use crate::checkpoint::error::ContentError;
use crate::config::NetConfig;
use dapple_base::{Normalization, Size, TrainingImages};
use dapple_graph::{Graph, Network, ParamSpec, Shape};
use serde::{Deserialize, Serialize};

/// One class of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Name.
    pub name: String,
    /// Colour in masks and pictures: red, green, blue.
    pub colour: [u8; 3],
}

/// The description of a model: everything but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The network. Its activation gives the function from logits to probabilities.
    pub network: NetConfig,
    /// The classes in the order of their labels, as many as the network's.
    pub classes: Vec<Class>,
    /// Label of pixels that training and scores ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u8>,
    /// Height and width in pixels of the resized images.
    pub input_size: [usize; 2],
    /// Normalization of the input.
    pub normalisation: Normalization,
    /// The images of the training; without them, images are read by the range of their type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<TrainingImages>,
    /// Seed of the run.
    pub seed: u64,
    /// Number of epochs that these weights were trained for.
    pub epoch: usize,
    /// Scores by name, for instance `{"validation": {"mean_iou": 0.9}}`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub scores: serde_json::Map<String, serde_json::Value>,
    /// Other data to keep with the model, such as the recipe.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl ModelCard {
    /// Checks that the description is consistent.
    pub(super) fn check(&self) -> Result<(), ContentError> {
        self.network.check()?;
        if self.classes.len() != self.network.classes {
            return Err(ContentError::Description(format!(
                "{} classes are named, the network has {}",
                self.classes.len(),
                self.network.classes
            )));
        }
        if self.input_size.iter().any(|side| !(1..=1 << 16).contains(side)) {
            let [h, w] = self.input_size;
            return Err(ContentError::Description(format!("its input has {h} x {w} pixels")));
        }
        let [height, width] = self.input_size;
        if height.saturating_mul(width) as u64 > Size::MOST_INPUT_PIXELS {
            return Err(ContentError::Description(format!(
                "its input has {height} x {width} pixels, more than 4096 x 4096 in all, the most that networks are run with"
            )));
        }
        Ok(())
    }

    /// Whether a parameter is stored as integers.
    pub(super) fn is_quantized(&self, spec: &ParamSpec) -> bool {
        self.network.quantization.as_ref().is_some_and(|q| q.inputs.contains_key(&spec.name))
    }

    /// The network for its smallest input, which has all parameters.
    pub(super) fn graph(&self) -> Result<Graph, ContentError> {
        let side = self.network.entry()?.smallest;
        let graph = self.network.build(Shape::new(1, side, side, self.network.in_channels))?;
        if let Some(quantization) = &self.network.quantization {
            quantization.check(&graph).map_err(ContentError::Description)?;
        }
        Ok(graph)
    }
}
