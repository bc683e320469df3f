//! `config.json` of segmentation_models_pytorch for networks of the registry.

use super::classes::{CLASSES, Want};
use super::parse::parse;
use crate::config::NetConfig;
use serde_json::{Map, Value, json};

/// The `config.json` with which segmentation_models_pytorch builds a network; `None` for a network that it does not have, or not with
/// these settings.
pub(in crate::checkpoint) fn config_of(config: &NetConfig) -> Option<Value> {
    let entry = config.entry().ok()?;
    let class = CLASSES.iter().find(|class| class.family == entry.family)?;
    let encoder = entry.encoder?.name;
    let mut written: Map<String, Value> = class
        .wants
        .iter()
        // The former name of `decoder_use_norm`.
        .filter(|(key, _)| !key.ends_with("use_batchnorm"))
        .map(|(key, want)| ((*key).to_owned(), want.value(config)))
        .collect();
    written.insert("_model_class".to_owned(), class.name.into());
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
    // What is read back must be the same network; stochastic depth has no setting there and changes no prediction.
    let same = |config: &NetConfig| NetConfig {
        drop_path: None,
        quantization: None,
        output_stride: config.output_stride.or(class.stride.map(|stride| stride as usize)),
        dropout: config.dropout.or(class.dropout.map(|(_, rate)| rate as f32)),
        ..config.clone()
    };
    candidates(encoder).into_iter().find_map(|name| {
        written.insert("encoder_name".to_owned(), name.into());
        let text = Value::Object(written.clone());
        let read = parse(text.to_string().as_bytes()).ok()??;
        (same(&read) == same(config)).then_some(text)
    })
}

/// The names that an encoder may have there.
fn candidates(encoder: &str) -> Vec<String> {
    let underscored = encoder.replace('-', "_");
    vec![
        underscored.clone(),
        encoder.replace("efficientnet-smp-", "efficientnet-"),
        encoder.replace("mobilenetv2", "mobilenet_v2"),
        format!("timm-{encoder}"),
        format!("tu-{underscored}"),
        format!("tu-{underscored}_100"),
        format!("tu-tf_{underscored}"),
    ]
}

impl Want {
    /// The value for a network, as JSON.
    fn value(self, config: &NetConfig) -> Value {
        let width = config.width.max(1) as u64;
        let scaled =
            |channels: u64| channels * config.decoder_width.map_or(width, |here| here as u64) / width;
        match self {
            Self::Number(number) => number.into(),
            Self::Numbers(numbers) => json!(numbers),
            Self::Channels(channels) => scaled(channels).into(),
            Self::AllChannels(channels) => channels.iter().map(|&channels| scaled(channels)).collect(),
            Self::Word(word) => word.into(),
            Self::Truth(truth) => truth.into(),
            Self::BatchNorm => "batchnorm".into(),
            Self::NothingOrWord(word) if config.decoder_attention.is_some() => word.into(),
            Self::NothingOrWord(_) | Self::NothingOrStride => Value::Null,
        }
    }
}
