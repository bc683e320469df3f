//! The classes of segmentation_models_pytorch, and the values of their settings that dapple supports.

use serde_json::Value;

/// The supported value of a setting.
#[derive(Clone, Copy)]
pub enum Want {
    Number(u64),
    Numbers(&'static [u64]),
    /// This number of channels, or another, with which the decoder's others scale.
    Channels(u64),
    /// These numbers of channels, or all of them times one factor.
    AllChannels(&'static [u64]),
    Word(&'static str),
    Truth(bool),
    /// Null, or this word.
    NothingOrWord(&'static str),
    /// Batch norm, which is a string, a Boolean or an object in different versions.
    BatchNorm,
    /// Null, or the output stride.
    NothingOrStride,
}

/// The most channels of a layer that is read.
const MOST: u64 = 1 << 16;

/// A class of segmentation_models_pytorch.
pub struct SmpClass {
    pub name: &'static str,
    /// dapple's decoder.
    pub family: &'static str,
    /// Settings with their only supported values.
    pub wants: &'static [(&'static str, Want)],
    /// The published output stride, if there is a choice.
    pub stride: Option<u64>,
    /// Name and published value of the dropout setting.
    pub dropout: Option<(&'static str, f64)>,
}

/// Settings of the U-Nets; the channels of U-Net++ follow from the encoder's in part.
const UNET: &[(&str, Want)] = &skips(Want::AllChannels(STEPS));
const UNETPLUSPLUS: &[(&str, Want)] = &skips(Want::Numbers(STEPS));
const STEPS: &[u64] = &[256, 128, 64, 32, 16];
const fn skips(channels: Want) -> [(&'static str, Want); 6] {
    [
        ("encoder_depth", Want::Number(5)),
        ("decoder_channels", channels),
        ("decoder_attention_type", Want::NothingOrWord("scse")),
        ("decoder_interpolation", Want::Word("nearest")),
        ("decoder_use_norm", Want::BatchNorm),
        ("decoder_use_batchnorm", Want::BatchNorm),
    ]
}
const DEPTH: (&str, Want) = ("encoder_depth", Want::Number(5));
const RATES: (&str, Want) = ("decoder_atrous_rates", Want::Numbers(&[12, 24, 36]));
const CHANNELS: (&str, Want) = ("decoder_channels", Want::Channels(256));
const UP_BY_4: (&str, Want) = ("upsampling", Want::Number(4));
const PLAIN: SmpClass = SmpClass { name: "", family: "", wants: &[DEPTH], stride: None, dropout: None };

/// All supported classes.
pub const CLASSES: [SmpClass; 10] = [
    SmpClass { name: "Unet", family: "unet", wants: UNET, ..PLAIN },
    SmpClass { name: "UnetPlusPlus", family: "unetplusplus", wants: UNETPLUSPLUS, ..PLAIN },
    SmpClass {
        name: "Linknet",
        family: "linknet",
        wants: &[DEPTH, ("decoder_use_norm", Want::BatchNorm), ("decoder_use_batchnorm", Want::BatchNorm)],
        ..PLAIN
    },
    SmpClass {
        name: "FPN",
        family: "fpn",
        wants: &[
            DEPTH,
            ("decoder_pyramid_channels", Want::Channels(256)),
            ("decoder_segmentation_channels", Want::Channels(128)),
            ("decoder_merge_policy", Want::Word("add")),
            ("decoder_interpolation", Want::Word("nearest")),
            UP_BY_4,
        ],
        dropout: Some(("decoder_dropout", 0.2)),
        ..PLAIN
    },
    SmpClass {
        name: "PSPNet",
        family: "pspnet",
        wants: &[
            ("encoder_depth", Want::Number(3)),
            ("psp_out_channels", Want::Channels(512)),
            ("psp_use_batchnorm", Want::BatchNorm),
            ("decoder_use_norm", Want::BatchNorm),
            ("upsampling", Want::Number(8)),
        ],
        dropout: Some(("psp_dropout", 0.2)),
        ..PLAIN
    },
    SmpClass {
        name: "PAN",
        family: "pan",
        wants: &[
            DEPTH,
            ("decoder_channels", Want::Channels(32)),
            ("decoder_interpolation", Want::Word("bilinear")),
            UP_BY_4,
        ],
        stride: Some(16),
        ..PLAIN
    },
    SmpClass {
        name: "DeepLabV3",
        family: "deeplabv3-smp",
        wants: &[
            DEPTH,
            CHANNELS,
            RATES,
            ("decoder_aspp_separable", Want::Truth(false)),
            ("upsampling", Want::NothingOrStride),
        ],
        stride: Some(8),
        dropout: Some(("decoder_aspp_dropout", 0.5)),
    },
    SmpClass {
        name: "DeepLabV3Plus",
        family: "deeplabv3plus",
        // Its finest map has 48 channels, whatever the others have.
        wants: &[
            DEPTH,
            ("decoder_channels", Want::Number(256)),
            RATES,
            ("decoder_aspp_separable", Want::Truth(true)),
            UP_BY_4,
        ],
        stride: Some(16),
        dropout: Some(("decoder_aspp_dropout", 0.5)),
    },
    SmpClass {
        name: "UPerNet",
        family: "upernet",
        wants: &[DEPTH, CHANNELS, ("decoder_use_norm", Want::BatchNorm), UP_BY_4],
        ..PLAIN
    },
    SmpClass {
        name: "Segformer",
        family: "segformer",
        wants: &[DEPTH, ("decoder_segmentation_channels", Want::Channels(256)), UP_BY_4],
        ..PLAIN
    },
];

/// Settings without effect on the segmentation: the initial weights of the encoder, and a second head for classification.
pub const WITHOUT_EFFECT: [&str; 2] = ["encoder_weights", "aux_params"];

impl Want {
    /// Whether a value is the supported one; `stride` is the output stride.
    pub fn is(self, value: &Value, stride: Option<u64>) -> bool {
        match self {
            Self::Number(number) => value.as_u64() == Some(number),
            Self::Numbers(numbers) => value.as_array().is_some_and(|values| {
                values.len() == numbers.len()
                    && values.iter().zip(numbers).all(|(value, &number)| value.as_u64() == Some(number))
            }),
            Self::Channels(_) | Self::AllChannels(_) => self.factor(value).is_some(),
            Self::Word(word) => value.as_str() == Some(word),
            Self::Truth(truth) => value.as_bool() == Some(truth),
            Self::NothingOrWord(word) => value.is_null() || value.as_str() == Some(word),
            Self::BatchNorm => match value {
                Value::Bool(on) => *on,
                Value::String(name) => name == "batchnorm",
                // With its defaults.
                Value::Object(norm) => {
                    norm.len() == 1 && norm.get("type").and_then(Value::as_str) == Some("batchnorm")
                }
                _ => false,
            },
            Self::NothingOrStride => value.is_null() || (stride.is_some() && value.as_u64() == stride),
        }
    }

    /// The factor of a decoder's channels, as their number and the published one.
    pub fn factor(self, value: &Value) -> Option<(u64, u64)> {
        let count = |value: &Value| value.as_u64().filter(|count| (1..=MOST).contains(count));
        match self {
            Self::Channels(published) => Some((count(value)?, published)),
            Self::AllChannels(published) => {
                let counts = value.as_array()?.iter().map(count).collect::<Option<Vec<u64>>>()?;
                let (&first, &ours) = (counts.first()?, published.first()?);
                let is_one = counts.iter().zip(published).all(|(&there, &here)| there * ours == first * here);
                (counts.len() == published.len() && is_one).then_some((first, ours))
            }
            _ => None,
        }
    }

    /// The supported value as JSON.
    pub fn shown(self, stride: Option<u64>) -> String {
        match (self, stride) {
            (Self::Number(number), _) => number.to_string(),
            (Self::Numbers(numbers), _) => format!("{numbers:?}"),
            (Self::Channels(number), _) => format!("a number of channels such as {number}"),
            (Self::AllChannels(numbers), _) => format!("{numbers:?} or all of them times one factor"),
            (Self::Word(word), _) => format!("{word:?}"),
            (Self::Truth(truth), _) => truth.to_string(),
            (Self::BatchNorm, _) => "\"batchnorm\"".to_owned(),
            (Self::NothingOrWord(word), _) => format!("null or {word:?}"),
            (Self::NothingOrStride, Some(stride)) => format!("null or {stride}"),
            (Self::NothingOrStride, None) => "null".to_owned(),
        }
    }
}

/// A value as JSON on one line, cut where it is long.
pub fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

/// The beginning of a long text.
pub fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
