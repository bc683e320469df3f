//! Models for other programs.

use dapple_base::InputFault;
use dapple_data::{Normalization, ValueRange};
use dapple_model::ModelError;
use dapple_model::input_of;
use dapple_nets::Activation;
use dapple_nets::checkpoint::{ModelCard, ModelFile};
use dapple_onnx::{Options, OutputFunction};
use serde::Serialize;
use serde_json::{Value, json};

/// The reason why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The network cannot be written.
    #[error(transparent)]
    Onnx(#[from] dapple_onnx::OnnxError),
    /// The model's description is unusable.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl InputFault for ExportError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Onnx(_) => true,
            Self::Model(error) => error.is_input_fault(),
        }
    }
}

/// Settings of an ONNX file; see [`onnx`].
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

/// The content of an ONNX file of a model, for any batch, height and width, with [`metadata`].
///
/// # Errors
/// As [`dapple_onnx::export`], and for a model that does not take images.
pub fn onnx(model: &ModelFile, settings: &OnnxSettings) -> Result<Vec<u8>, ExportError> {
    let probabilities = match model.card.network.activation {
        Activation::Softmax => OutputFunction::Softmax,
        Activation::Sigmoid => OutputFunction::Sigmoid,
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

/// The metadata of an ONNX file, by key; structures are JSON.
///
/// - `task`, `dapple_version`, `network` (name and settings);
/// - `preprocessing`: `size` (`[height, width]` of the images in training; the model accepts other sizes), `resize` (the
///   filter, whether it averages where it makes smaller, and whether it keeps the aspect ratio), `channels` (`RGB`, `grey`,
///   or a number), `value_range` where the images have more than 8 bits
///   (`LOW..HIGH`, for each channel with commas between: `(value - LOW) / (HIGH - LOW) * 255`, clipped to 0 to 255 and
///   rounded, gives the value), then `(value / divisor - mean) / std` for each channel,
///   where the divisor is 255 or `image maximum`;
/// - `output` (`logits` or `probabilities`) and `activation`, which maps logits to probabilities: `softmax`, or `sigmoid`,
///   where a single channel is the foreground of two classes;
/// - `postprocessing`: `resize` (the filter that brings the probabilities back to the size of the image, and its alignment),
///   `decide` (`argmax`, or `threshold` with its value, above which a pixel is of the second class);
/// - `classes` (names and colours in the order of their labels), `ignore_label` where there is one;
/// - `epoch` and `scores` of the training.
///
/// # Errors
/// For a model that does not take images.
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
        ("postprocessing", postprocessing(card)),
        ("classes", json!(card.classes).to_string()),
    ];
    entries.extend(card.ignore.map(|label| ("ignore_label", label.to_string())));
    entries.push(("epoch", card.epoch.to_string()));
    entries.push(("scores", Value::Object(card.scores.clone()).to_string()));
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// From the network's output to labels.
fn postprocessing(card: &ModelCard) -> String {
    let resize = json!({"filter": "bilinear", "alignment": "half-pixel", "of": "probabilities"});
    let decide = match card.network.logits() {
        1 => json!({"threshold": 0.5}),
        _ => json!("argmax"),
    };
    json!({"resize": resize, "decide": decide}).to_string()
}

/// The preprocessing of an image.
#[derive(Serialize)]
struct Preprocessing {
    size: [usize; 2],
    resize: Value,
    channels: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_range: Option<String>,
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
    let range = card.images.as_ref().map(|images| &images.range);
    let value_range = range.filter(|range| **range != ValueRange::Type).map(ValueRange::to_string);
    let resize = json!({"filter": "bilinear", "antialias": true, "keep_aspect_ratio": false});
    let size = [input.height, input.width];
    let preprocessing = Preprocessing { size, resize, channels, value_range, divisor, mean, std };
    // From the numbers as they are: `json!` would lengthen 0.485 to the nearest f64.
    Ok(serde_json::to_string(&preprocessing).expect("numbers and words become JSON"))
}
