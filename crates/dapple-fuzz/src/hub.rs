//! Descriptions of models of the Hugging Face hub.

use dapple_nets::checkpoint::{HubConfig, shard_names};

/// Parsing ends with a network that can be built and whose files lie in one folder, or with an error.
pub(crate) fn hub(bytes: &[u8]) {
    if let Ok(Some(config)) = HubConfig::parse(bytes) {
        assert!((2..=256).contains(&config.classes()) && (1..=64).contains(&config.in_channels()));
        assert!(config.labels.len() <= config.classes());
    }
    if let Ok(names) = shard_names(bytes) {
        assert!(names.iter().all(|name| !name.contains(['/', '\\', ':']) && !name.starts_with('.')));
    }
}

/// Two networks, and an index of weights.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../seeds/hub-segformer.json").to_vec(),
        include_bytes!("../seeds/hub-upernet.json").to_vec(),
        br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#
            .to_vec(),
    ]
}
