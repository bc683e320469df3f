//! The models that are served.

use std::sync::Arc;

use dapple_model::ModelError;
use dapple_predict::Predictor;
use serde_json::{Value, json};

use crate::batcher::Batcher;
use crate::config::Limits;
use crate::error::ServeError;
use crate::metrics::Metrics;

/// A model with the name that requests use.
pub struct ServedModel {
    /// Its name.
    pub name: String,
    /// The model, or several that predict together.
    pub predictor: Predictor,
}

/// A model with the thread that batches its requests.
pub(crate) struct ModelWorker {
    pub name: String,
    pub predictor: Arc<Predictor>,
    pub batcher: Batcher,
    /// Its entry at `/models`.
    pub description: Value,
}

impl ModelWorker {
    pub fn start(served: ServedModel, limits: &Limits, metrics: &Arc<Metrics>) -> Result<Self, ServeError> {
        let ServedModel { name, predictor } = served;
        let description = describe(&name, &predictor)?;
        let predictor = Arc::new(predictor);
        let batcher = Batcher::start(Arc::clone(&predictor), limits, Arc::clone(metrics))
            .map_err(ServeError::Runtime)?;
        Ok(Self { name, predictor, batcher, description })
    }
}

fn describe(name: &str, predictor: &Predictor) -> Result<Value, ModelError> {
    use dapple_graph::{Network, summary};
    let mut networks = Vec::new();
    for model in predictor.models() {
        let card = model.card();
        let graph = card.network.build(card.network.example_input())?;
        let quantized = card.network.quantization.as_ref();
        networks.push(json!({
            "network": card.network.name,
            "int8_convolutions": quantized.map_or(0, |quantization| quantization.inputs.len()),
            "parameters": summary::parameters(&graph),
            "input": card.input_size,
            "channels": card.network.in_channels,
            "epoch": card.epoch,
        }));
    }
    let classes = predictor.classes();
    let classes: Value = classes
        .names
        .iter()
        .zip(&classes.colours)
        .map(|(name, [r, g, b])| json!({ "name": name, "colour": format!("#{r:02x}{g:02x}{b:02x}") }))
        .collect();
    Ok(json!({ "name": name, "classes": classes, "networks": networks }))
}
