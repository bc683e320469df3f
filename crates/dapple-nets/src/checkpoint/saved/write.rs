//! `config.json` of segmentation_models_pytorch for networks of the registry.

use super::classes::{CLASSES, Want};
use super::parse::parse;
use crate::config::{Dilation, NetConfig};
use serde_json::{Map, Value, json};

/// The `config.json` with which segmentation_models_pytorch builds a network; `None` for a network that it does not have, or not with
/// these settings.
pub(in crate::checkpoint) fn config_of(config: &NetConfig) -> Option<Value> {
    let entry = config.entry().ok()?;
    let class = CLASSES.iter().find(|class| class.family == entry.family)?;
    let encoder = encoder_of(entry.encoder?.name, config.dilation == Some(Dilation::Later));
    let mut written: Map<String, Value> = class
        .wants
        .iter()
        // The former name of `decoder_use_norm`.
        .filter(|(key, _)| !key.ends_with("use_batchnorm"))
        .map(|(key, want)| ((*key).to_owned(), want.value()))
        .collect();
    written.insert("_model_class".to_owned(), class.name.into());
    written.insert("encoder_name".to_owned(), encoder.into());
    written.insert("encoder_weights".to_owned(), Value::Null);
    written.insert("in_channels".to_owned(), config.in_channels.into());
    written.insert("classes".to_owned(), config.logits().into());
    written.insert("activation".to_owned(), Value::Null);
    written.insert("aux_params".to_owned(), Value::Null);
    if let Some(published) = class.stride {
        let stride = config.output_stride.map_or(published, |stride| stride as u64);
        written.insert("encoder_output_stride".to_owned(), stride.into());
    }
    if let Some((key, published)) = class.dropout {
        let rate =
            config.dropout.map_or(published, |rate| rate.to_string().parse().unwrap_or(f64::from(rate)));
        written.insert(key.to_owned(), rate.into());
    }
    let written = Value::Object(written);
    // What is read back must be the same network; stochastic depth has no setting there and changes no prediction.
    let read = parse(written.to_string().as_bytes()).ok()??;
    let same = |config: &NetConfig| NetConfig {
        drop_path: None,
        quantization: None,
        output_stride: config.output_stride.or(class.stride.map(|stride| stride as usize)),
        dropout: config.dropout.or(class.dropout.map(|(_, rate)| rate as f32)),
        ..config.clone()
    };
    (same(&read) == same(config)).then_some(written)
}

/// Its name of an encoder; `universal` stands for timm's EfficientNet as timm dilates it.
fn encoder_of(name: &str, universal: bool) -> String {
    let timms = |name: &str| format!("tu-{}", name.replace('-', "_"));
    if name.starts_with("efficientnet-lite") {
        format!("tu-tf_{}", name.replace('-', "_"))
    } else if name.starts_with("efficientnet-b") && !universal {
        format!("timm-{name}")
    } else if name == "mobilenetv3-large" {
        "tu-mobilenetv3_large_100".to_owned()
    } else if name.starts_with("efficientnet-b") || name.starts_with("convnext-") {
        timms(name)
    } else {
        name.replace('-', "_")
    }
}

impl Want {
    /// The supported value as JSON.
    fn value(self) -> Value {
        match self {
            Self::Number(number) => number.into(),
            Self::Numbers(numbers) => json!(numbers),
            Self::Word(word) => word.into(),
            Self::Truth(truth) => truth.into(),
            Self::BatchNorm => "batchnorm".into(),
            Self::Nothing | Self::NothingOrStride => Value::Null,
        }
    }
}
