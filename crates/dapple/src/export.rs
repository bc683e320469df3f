//! Models for other programs.

use dapple_data::Normalization;
use dapple_model::ModelError;
use dapple_model::input_of;
use dapple_nets::Activation;
use dapple_nets::checkpoint::{ModelCard, ModelFile};
use dapple_onnx::{Options, Probabilities};
use serde::Serialize;
use serde_json::{Value, json};

/// A model that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Its network cannot be written.
    #[error(transparent)]
    Onnx(#[from] dapple_onnx::ExportError),
    /// Its description cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What an ONNX file of a model is to have; see [`onnx`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxSettings {
    /// Version of ONNX's operator set, one of [`dapple_onnx::OPSETS`].
    pub opset: i64,
    /// Probabilities instead of the primary output's logits.
    pub probabilities: bool,
    /// Side outputs too.
    pub all_outputs: bool,
    /// Batch norm folded into convolutions.
    pub fold_batch_norm: bool,
}

impl Default for OnnxSettings {
    /// Logits of the primary output, batch norm folded, the oldest opset.
    fn default() -> Self {
        let Options { opset, fold_batch_norm, all_outputs, probabilities, .. } = Options::default();
        Self { opset, probabilities: probabilities.is_some(), all_outputs, fold_batch_norm }
    }
}

/// A model as the content of an ONNX file, for any batch, height and width, with [`metadata`].
///
/// # Errors
/// As [`dapple_onnx::export`], and for a model that takes no images.
pub fn onnx(model: &ModelFile, settings: &OnnxSettings) -> Result<Vec<u8>, ExportError> {
    let probabilities = match model.card.network.activation {
        Activation::Softmax => Probabilities::Softmax,
        Activation::Sigmoid => Probabilities::Sigmoid,
    };
    let options = Options {
        opset: settings.opset,
        fold_batch_norm: settings.fold_batch_norm,
        all_outputs: settings.all_outputs,
        probabilities: settings.probabilities.then_some(probabilities),
        metadata: metadata(&model.card, settings.probabilities)?,
    };
    Ok(dapple_onnx::export(&model.card.network, &model.state, &options)?)
}

/// What an ONNX file says about its model, by key; structures are JSON.
///
/// - `task`, `dapple_version`, `network` (name and settings);
/// - `preprocessing`: `size` (`[height, width]` that images were resized to in training, bilinear with antialiasing; others
///   can be run), `channels` (`RGB`, `grey`, or a number), then `(value / divisor - mean) / std` for each channel, where the
///   divisor is 255 or `image maximum`;
/// - `output` (`logits` or `probabilities`) and `activation`, which makes one of the other: `softmax`, or `sigmoid`, where
///   a single channel is the foreground of two classes;
/// - `classes` (names and colours in the order of their labels), `ignore_label` where there is one;
/// - `epoch` and `scores` of the training.
///
/// # Errors
/// For a model that takes no images.
pub fn metadata(card: &ModelCard, probabilities: bool) -> Result<Vec<(String, String)>, ModelError> {
    let activation = match card.network.activation {
        Activation::Softmax => "softmax",
        Activation::Sigmoid => "sigmoid",
    };
    let mut entries = vec![
        ("task", "semantic-segmentation".to_owned()),
        ("dapple_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("network", json!(card.network).to_string()),
        ("preprocessing", preprocessing(card)?),
        ("output", if probabilities { "probabilities" } else { "logits" }.to_owned()),
        ("activation", activation.to_owned()),
        ("classes", json!(card.classes).to_string()),
    ];
    entries.extend(card.ignore.map(|label| ("ignore_label", label.to_string())));
    entries.push(("epoch", card.epoch.to_string()));
    entries.push(("scores", Value::Object(card.scores.clone()).to_string()));
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// What happens to an image before the network sees it.
#[derive(Serialize)]
struct Preprocessing {
    size: [usize; 2],
    channels: Value,
    divisor: Value,
    mean: Vec<f32>,
    std: Vec<f32>,
}

fn preprocessing(card: &ModelCard) -> Result<String, ModelError> {
    let input = input_of(card)?;
    let [mean, std] = input.normalization.moments(input.channels);
    let channels = match input.channels {
        3 => json!("RGB"),
        1 => json!("grey"),
        number => json!(number),
    };
    let divisor = match input.normalization {
        Normalization::ImageNet | Normalization::Unit => json!(255),
        Normalization::U2Net => json!("image maximum"),
    };
    let preprocessing = Preprocessing { size: [input.height, input.width], channels, divisor, mean, std };
    // From the numbers as they are: `json!` would lengthen 0.485 to the nearest f64.
    Ok(serde_json::to_string(&preprocessing).expect("numbers and words become JSON"))
}
