//! The configuration of a network, as files and command lines give it.

use crate::imported::ImportedNetwork;
use crate::models::Head;
use dapple_base::InputFault;
use dapple_graph::Quantization;
use serde::{Deserialize, Serialize};

/// The function from logits to probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// One class a pixel: softmax over one logit a class.
    Softmax,
    /// Each class against the rest: a sigmoid of each logit. Two classes (background, foreground) share the logit of the
    /// foreground; more classes have one logit each.
    Sigmoid,
}

/// The dilation of the first block of a stage whose stride is omitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dilation {
    /// All blocks of a stage have one dilation, as on segmentation_models_pytorch's own encoders.
    Stages,
    /// The first block still has the dilation of the stage before, as on timm's encoders.
    Later,
}

/// Attention within the blocks of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoderAttention {
    /// Squeeze and excitation of channels and of pixels (Roy et al., MICCAI 2018), as segmentation_models_pytorch has it.
    Scse,
}

/// A network with everything that the shapes of its parameters depend on.
///
/// ```
/// use dapple_nets::NetConfig;
/// let config: NetConfig = serde_json::from_str(
///     r#"{"name": "segnet", "in_channels": 3, "classes": 12, "activation": "softmax", "width": 64, "head": "dense"}"#,
/// )?;
/// assert_eq!(config.logits(), 12);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetConfig {
    /// Name in the [`registry`](crate::registry).
    pub name: String,
    /// Channels of the image: 3 for colour, 1 for grey.
    pub in_channels: usize,
    /// Classes of the data, 2 to 256, the background included. This is not always the number of output
    /// channels, see [`NetConfig::logits`].
    pub classes: usize,
    /// The function from logits to probabilities, which also determines the number of logits.
    pub activation: Activation,
    /// Channels of the first stage; all others scale with it.
    pub width: usize,
    /// SegNet's head; if absent, that of the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Largest stride of the encoder's feature maps, 8 or 16, for networks that dilate the stages after it; if absent, the
    /// published one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_stride: Option<usize>,
    /// The dilation of the first block of a dilated stage; if absent, the published one. It changes no shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Dilation>,
    /// Dropout rate, at least 0 and below 1; if absent, the published rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Largest rate of stochastic depth in the encoder's residual blocks, at least 0 and below 1; if absent, the published
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_path: Option<f32>,
    /// Width by which the decoder's channels scale, instead of the encoder's; if absent, [`NetConfig::width`]. Half of the
    /// published width makes a decoder with half of the channels under an encoder that takes published weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder_width: Option<usize>,
    /// Attention within the decoder's blocks, for U-Net and U-Net++ on an encoder; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder_attention: Option<DecoderAttention>,
    /// The convolutions that compute in integers of eight bits, of a quantized model. They change no shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// The network itself, where it came from a file of another program and is none of the registry. It is written nowhere.
    #[serde(skip)]
    pub imported: Option<ImportedNetwork>,
}

/// A configuration that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No network of that name.
    #[error("there is no network `{name}`{}; the networks are {} (`dapple models` lists the encoders)", did_you_mean(*nearest), known.join(", "))]
    UnknownNetwork {
        /// The unknown name.
        name: String,
        /// The most similar known name.
        nearest: Option<&'static str>,
        /// All names; those of decoders end in `-ENCODER`.
        known: Vec<String>,
    },
    /// A number out of range.
    #[error("network `{network}`: `{field}` is {value}, it must be {range}")]
    OutOfRange {
        /// Network.
        network: String,
        /// Field of [`NetConfig`].
        field: &'static str,
        /// Its value.
        value: usize,
        /// The allowed range.
        range: &'static str,
    },
    /// A head for a network without a choice of heads.
    #[error("network `{0}` has no choice of heads: leave `head` out (segnet has `conv3x3` and `dense`)")]
    NoHead(String),
    /// An output stride that the network does not offer.
    #[error("network `{network}`: `output_stride` is {value}, it {}", strides(allowed))]
    OutputStride {
        /// Network.
        network: String,
        /// The stride.
        value: usize,
        /// The strides that the network offers.
        allowed: &'static [usize],
    },
    /// A dilation for a network that does not dilate.
    #[error("network `{0}` has no dilated stages: leave `dilation` out")]
    NoDilation(String),
    /// A decoder's width for a network whose decoder has none of its own.
    #[error(
        "network `{0}` has no decoder whose channels could be set: leave `decoder_width` out, or take a network of an encoder \
         and a decoder, unet-resnet34 for example"
    )]
    NoDecoderWidth(String),
    /// Attention for a decoder that has none.
    #[error(
        "network `{0}` has no attention in its decoder: leave `decoder_attention` out, or take a U-Net or U-Net++ on an \
         encoder, unet-resnet34 for example"
    )]
    NoDecoderAttention(String),
    /// A network of a foreign file, which the registry does not have.
    #[error(
        "`{0}` was read from a file of another program and has no name among the networks here; use that file itself"
    )]
    Imported(String),
    /// A rate of dropout or stochastic depth that is out of range, or does not apply to the network.
    #[error("network `{network}`: `{field}` is {value}; {why}")]
    Rate {
        /// Network.
        network: String,
        /// Field of [`NetConfig`].
        field: &'static str,
        /// The rate.
        value: String,
        /// Reason.
        why: &'static str,
    },
}

impl InputFault for ConfigError {
    fn is_input_fault(&self) -> bool {
        true
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The rest of the message about an output stride.
fn strides(allowed: &[usize]) -> String {
    match allowed {
        [] => "does not apply to this network: leave it out".to_owned(),
        allowed => {
            let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
            format!("must be {}", allowed.join(" or "))
        }
    }
}

impl NetConfig {
    /// Number of output channels: one a class, but a single one (the foreground's) for two classes with
    /// [`Activation::Sigmoid`].
    pub fn logits(&self) -> usize {
        match (self.activation, self.classes) {
            (Activation::Sigmoid, 2) => 1,
            (_, classes) => classes,
        }
    }
}
