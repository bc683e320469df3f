//! A model on an engine: from an image of any size to logits, probabilities and labels of that size.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dapple_base::Digest;
use dapple_data::{Classes, InputSettings, Raster};
use dapple_graph::{DropoutState, Engine, Executor, Inference, Network, Op, Shape, Tensor};
use dapple_nets::checkpoint::{ModelCard, ModelFile};
use dapple_nets::{NetConfig, monte_carlo};

use crate::card::{classes_of, input_of};
use crate::decide;
use crate::error::ModelError;
use crate::load::load_model;
use crate::logits::ImageLogits;

/// A model ready to predict. It may be shared between threads, which take turns with the network.
pub struct Model {
    card: ModelCard,
    input: InputSettings,
    executor: Mutex<Box<dyn Executor>>,
    fingerprint: String,
}

impl Model {
    /// Loads a model file, or the best model of a run's folder.
    ///
    /// # Errors
    /// [`ModelError::Checkpoint`] if it cannot be read or is not a model, [`ModelError::Engine`] from the engine.
    pub fn load(run_or_file: &Path, engine: &dyn Engine) -> Result<Self, ModelError> {
        Self::new(load_model(run_or_file)?, engine)
    }

    /// A model on an engine.
    ///
    /// # Errors
    /// [`ModelError::Engine`] from the engine, [`ModelError::Data`] for a model whose input is not an image.
    pub fn new(model: ModelFile, engine: &dyn Engine) -> Result<Self, ModelError> {
        let input = input_of(&model.card)?;
        let executor = engine.load(Arc::new(model.card.network.clone()), &model.state)?;
        let fingerprint = fingerprint(&model);
        Ok(Self { card: model.card, input, executor: Mutex::new(executor), fingerprint })
    }

    /// The description that the model file carries.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The fingerprint of its description and weights: the same for the same model, whatever its file is called.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Names and colours of its classes.
    pub fn classes(&self) -> Classes {
        classes_of(&self.card)
    }

    /// The network's input.
    pub fn input(&self) -> InputSettings {
        self.input
    }

    /// Predicts one image: it is resized to the network's input as in training, and the logits are resized back to the
    /// image's size, bilinearly.
    ///
    /// # Errors
    /// [`ModelError::Engine`] from the engine.
    pub fn predict(&self, image: &Raster) -> Result<ImageLogits, ModelError> {
        let InputSettings { height, width, channels, .. } = self.input;
        let input = Tensor::new(Shape::new(1, height, width, channels), self.input.prepare(image.clone())?);
        Ok(self.image_logits(self.logits(&input)?, image.width, image.height))
    }

    /// Runs the network on a batch of prepared inputs, `[n, h, w, channels]` of any size that it accepts; returns the
    /// logits of its first output, `[n, h, w, k]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] from the engine.
    pub fn logits(&self, input: &Tensor) -> Result<Tensor, ModelError> {
        // A forward pass reads no state that a panic of another thread could have left inconsistent.
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = executor.infer(input, Inference::Predict)?;
        Ok(outputs.swap_remove(0))
    }

    /// Whether the network has dropout, so that samples of it differ.
    ///
    /// # Errors
    /// [`ModelError::Graph`] for a network that cannot be built.
    pub fn has_dropout(&self) -> Result<bool, ModelError> {
        let network = &self.card.network;
        let graph = network.build(network.example_input())?;
        Ok(graph.nodes().iter().any(|node| matches!(node.op, Op::Dropout { rate, .. } if rate > 0.0)))
    }

    /// Runs the network `samples` times with dropout on a batch of prepared inputs, as [`monte_carlo`] does, starting at a
    /// given dropout state; returns logits, `[n, h, w, k]`, whose probabilities are the means of the samples'.
    ///
    /// # Errors
    /// [`ModelError::Engine`] from the engine, and for no samples.
    pub fn sample(&self, input: &Tensor, samples: usize, from: DropoutState) -> Result<Tensor, ModelError> {
        let activation = self.card.network.activation;
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        executor.set_dropout_state(from);
        let sampled = monte_carlo(executor.as_mut(), input, samples, activation)?;
        Ok(decide::logits(sampled.mean, activation))
    }

    /// The logits of one image, `[1, h, w, k]`, for the image's own size.
    pub fn image_logits(&self, logits: Tensor, width: usize, height: usize) -> ImageLogits {
        let NetConfig { activation, classes, .. } = self.card.network;
        ImageLogits { logits, activation, classes, width, height }
    }
}

fn fingerprint(model: &ModelFile) -> String {
    let mut digest = Digest::new();
    // A description is numbers and words, which always become JSON.
    digest.part(&serde_json::to_vec(&model.card).unwrap_or_default());
    for values in [&model.state.values, &model.state.statistics] {
        digest.floats(values);
    }
    digest.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Model>();
    }
}
