//! Models for other programs.

use dapple_base::InputFault;
use dapple_data::{Normalization, ValueRange};
use dapple_model::ModelError;
use dapple_model::input_of;
use dapple_nets::checkpoint::{ModelCard, ModelFile};
use dapple_nets::{Activation, NetConfig};
use dapple_onnx::{Exported, Options, OutputFunction, Preprocessing};
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
    /// Preprocessing takes images of 8-bit values.
    #[error(
        "the model was trained on images in which {0} is black to white, and preprocessing takes images of 8-bit values; \
         export without it, and prepare images as the metadata say"
    )]
    ValueRange(String),
    /// A model that the libraries of the Hugging Face hub do not have.
    #[error("no folder for the Hugging Face hub: {0}")]
    Hub(String),
}

impl InputFault for ExportError {
    fn is_input_fault(&self) -> bool {
        match self {
            Self::Onnx(_) | Self::ValueRange(_) | Self::Hub(_) => true,
            Self::Model(error) => error.is_input_fault(),
        }
    }
}

/// The primary output of an ONNX file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnnxOutput {
    /// Logits.
    #[default]
    Logits,
    /// Their softmax or sigmoid, as the model was trained.
    Probabilities,
    /// The class of every pixel of the input.
    Labels,
}

/// Settings of an ONNX file; see [`onnx`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxSettings {
    /// Version of ONNX's operator set, one of [`dapple_onnx::OPSETS`]; preprocessing needs 18.
    pub opset: i64,
    /// The primary output.
    pub output: OnnxOutput,
    /// Images as decoders give them are the input; the model resizes and normalizes them, and brings the primary output back
    /// to their size.
    pub preprocessing: bool,
    /// Side outputs too.
    pub all_outputs: bool,
    /// Batch norm folded into convolutions.
    pub fold_batch_norm: bool,
    /// Weights stored in half precision, where that holds them.
    pub half: bool,
    /// Convolutions of a quantized model in integers.
    pub int8: bool,
}

impl Default for OnnxSettings {
    /// Logits of the primary output, batch norm folded, single precision, the oldest opset.
    fn default() -> Self {
        let Options { opset, fold_batch_norm, all_outputs, half, int8, .. } = Options::default();
        let output = OnnxOutput::Logits;
        Self { opset, output, preprocessing: false, all_outputs, fold_batch_norm, half, int8 }
    }
}

/// An ONNX file of a model, for any batch, height and width, with [`metadata`].
///
/// # Errors
/// As [`dapple_onnx::export`], for a model that does not take images, and with preprocessing for one that takes images by a
/// range of values of their own.
pub fn onnx(model: &ModelFile, settings: &OnnxSettings) -> Result<Exported, ExportError> {
    let card = &model.card;
    let function = match (settings.output, card.network.activation) {
        (OnnxOutput::Logits, _) => None,
        (OnnxOutput::Labels, _) => Some(OutputFunction::Labels),
        (OnnxOutput::Probabilities, Activation::Softmax) => Some(OutputFunction::Softmax),
        (OnnxOutput::Probabilities, Activation::Sigmoid) => Some(OutputFunction::Sigmoid),
    };
    if let (true, Some(range)) = (settings.preprocessing, value_range(card)) {
        return Err(ExportError::ValueRange(range));
    }
    let input = input_of(card)?;
    let preprocessing =
        Preprocessing { size: [input.height, input.width], normalization: input.normalization };
    let options = Options {
        opset: settings.opset,
        fold_batch_norm: settings.fold_batch_norm,
        half: settings.half,
        int8: settings.int8,
        all_outputs: settings.all_outputs,
        preprocessing: settings.preprocessing.then_some(preprocessing),
        function,
        metadata: metadata(card, settings)?,
    };
    Ok(dapple_onnx::export(&card.network, &model.state, &options)?)
}

/// The values that become black and white, where the images have others than those of 8 bits.
fn value_range(card: &ModelCard) -> Option<String> {
    let range = card.images.as_ref().map(|images| &images.range);
    range.filter(|range| **range != ValueRange::Type).map(ValueRange::to_string)
}

/// The metadata of an ONNX file, by key; structures are JSON.
///
/// - `task`, `dapple_version`, `network` (name and settings);
/// - `preprocessing`: `size` (`[height, width]` of the images in training; the model accepts other sizes), `resize` (the
///   filter, whether it averages where it makes smaller, and whether it keeps the aspect ratio), `channels` (`RGB`, `grey`,
///   or a number), `value_range` where the images have more than 8 bits
///   (`LOW..HIGH`, for each channel with commas between: `(value - LOW) / (HIGH - LOW) * 255`, clipped to 0 to 255 and
///   rounded, gives the value), then `(value / divisor - mean) / std` for each channel,
///   where the divisor is 255 or `image maximum`; `included` where the model itself does all of this;
/// - `output` (`logits`, `probabilities` or `labels`) and `activation`, which maps logits to probabilities: `softmax`, or `sigmoid`,
///   where a single channel is the foreground of two classes;
/// - `postprocessing`: `resize` (the filter that brings the logits back to the size of the image, and its alignment),
///   `decide` (`argmax`, or `threshold` with the probability above which a pixel is of the second class); `included` lists
///   those of the two that the model itself does;
/// - `classes` (names and colours in the order of their labels), `ignore_label` where there is one;
/// - `epoch` and `scores` of the training.
///
/// # Errors
/// For a model that does not take images.
pub fn metadata(card: &ModelCard, settings: &OnnxSettings) -> Result<Vec<(String, String)>, ModelError> {
    let activation = match card.network.activation {
        Activation::Softmax => "softmax",
        Activation::Sigmoid => "sigmoid",
    };
    let output = match settings.output {
        OnnxOutput::Logits => "logits",
        OnnxOutput::Probabilities => "probabilities",
        OnnxOutput::Labels => "labels",
    };
    // The ranges of a quantized model stand in the nodes.
    let network = NetConfig { quantization: None, ..card.network.clone() };
    let mut entries = vec![
        ("task", "semantic-segmentation".to_owned()),
        ("dapple_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("network", json!(network).to_string()),
        ("preprocessing", preprocessing(card, settings.preprocessing)?),
        ("output", output.to_owned()),
        ("activation", activation.to_owned()),
        ("postprocessing", postprocessing(card, settings)),
        ("classes", json!(card.classes).to_string()),
    ];
    entries.extend(card.ignore.map(|label| ("ignore_label", label.to_string())));
    entries.push(("epoch", card.epoch.to_string()));
    entries.push(("scores", Value::Object(card.scores.clone()).to_string()));
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// From the network's output to labels.
fn postprocessing(card: &ModelCard, settings: &OnnxSettings) -> String {
    let resize = json!({"filter": "bilinear", "alignment": "half-pixel", "of": "logits"});
    let decide = match card.network.logits() {
        1 => json!({"threshold": 0.5}),
        _ => json!("argmax"),
    };
    let resizes = settings.preprocessing.then_some("resize");
    let decides = (settings.output == OnnxOutput::Labels).then_some("decide");
    let included: Vec<&str> = resizes.into_iter().chain(decides).collect();
    json!({"resize": resize, "decide": decide, "included": included}).to_string()
}

/// The preprocessing of an image.
#[derive(Serialize)]
struct Steps {
    size: [usize; 2],
    resize: Value,
    channels: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_range: Option<String>,
    divisor: Value,
    mean: Vec<f32>,
    std: Vec<f32>,
    included: bool,
}

fn preprocessing(card: &ModelCard, included: bool) -> Result<String, ModelError> {
    let input = input_of(card)?;
    let [mean, std] = input.normalization.moments(input.channels);
    let channels = match input.channels {
        3 => json!("RGB"),
        1 => json!("grey"),
        number => json!(number),
    };
    let divisor = match input.normalization {
        Normalization::ImageNet | Normalization::Unit | Normalization::Lite => json!(255),
        Normalization::U2Net => json!("image maximum"),
    };
    let value_range = value_range(card);
    let resize = json!({"filter": "bilinear", "antialias": true, "keep_aspect_ratio": false});
    let size = [input.height, input.width];
    let steps = Steps { size, resize, channels, value_range, divisor, mean, std, included };
    // From the numbers as they are: `json!` would lengthen 0.485 to the nearest f64.
    Ok(serde_json::to_string(&steps).expect("numbers and words become JSON"))
}
