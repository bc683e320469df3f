//! `config.json` of transformers for networks of the registry.

use super::config::HubConfig;
use crate::config::NetConfig;
use dapple_graph::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The `config.json` with which transformers builds a network, with the names of its classes; `None` for a network that it does not
/// have, or not with these settings.
pub(in crate::checkpoint) fn config_of(config: &NetConfig, state: &State, names: &[String]) -> Option<Value> {
    let entry = config.entry().ok()?;
    if !entry.family.starts_with("segformer-b") {
        return None;
    }
    let channels = |name: &str| Some(state.specs.iter().find(|spec| spec.name == name)?.shape[0]);
    let widths: Vec<usize> =
        (1..=4).map(|stage| channels(&format!("encoder.norm{stage}.weight"))).collect::<Option<_>>()?;
    let depth = |stage: usize| {
        let start = format!("encoder.block{stage}.");
        let numbers = state.specs.iter().filter_map(|spec| spec.name.strip_prefix(&start)?.split('.').next());
        numbers.collect::<BTreeSet<&str>>().len()
    };
    let depths: Vec<usize> = (1..=4).map(depth).collect();
    // A single logit is that of the second class.
    let names = &names[names.len().checked_sub(config.logits())?..];
    let labels = |pair: fn(usize, &String) -> (String, Value)| -> Value {
        Value::Object(names.iter().enumerate().map(|(label, name)| pair(label, name)).collect())
    };
    let written = json!({
        "architectures": ["SegformerForSemanticSegmentation"],
        "model_type": "segformer",
        "num_channels": config.in_channels,
        "num_encoder_blocks": 4,
        "hidden_sizes": widths,
        "depths": depths,
        "num_attention_heads": [1, 2, 5, 8],
        "sr_ratios": [8, 4, 2, 1],
        "mlp_ratios": [4, 4, 4, 4],
        "patch_sizes": [7, 3, 3, 3],
        "strides": [4, 2, 2, 2],
        "hidden_act": "gelu",
        "decoder_hidden_size": channels("decode_head.linear_fuse.weight")?,
        "classifier_dropout_prob": config.dropout.map_or(0.1, shortest),
        "drop_path_rate": config.drop_path.map_or(0.1, shortest),
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "reshape_last_stage": true,
        "semantic_loss_ignore_index": 255,
        "id2label": labels(|label, name| (label.to_string(), name.as_str().into())),
        "label2id": labels(|label, name| (name.clone(), label.into())),
        "dtype": "float32"
    });
    // What is read back must be the same network.
    let read = HubConfig::parse(written.to_string().as_bytes()).ok()??.registered()?;
    let same = |config: &NetConfig| (config.name.clone(), config.width, config.classes, config.activation);
    (same(&read) == same(config)).then_some(written)
}

/// A rate as it was written by hand, not lengthened from single precision.
fn shortest(rate: f32) -> f64 {
    rate.to_string().parse().unwrap_or(f64::from(rate))
}
