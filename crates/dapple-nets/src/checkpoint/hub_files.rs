//! The files that transformers and segmentation_models_pytorch load a network from.

use super::error::ContentError;
use super::hugging_face::transformers_config_of;
use super::named_tensor::NamedTensor;
use super::published::published;
use super::saved::smp_config_of;
use super::state_dict::write_state_dict;
use crate::config::NetConfig;
use dapple_graph::State;
use serde_json::Value;

/// A network as files for another library.
#[derive(Clone, Debug)]
pub struct HubFiles {
    /// The library, `transformers` or `segmentation_models_pytorch`.
    pub library: &'static str,
    /// The settings, for `config.json`.
    pub config: Value,
    /// The weights, for `model.safetensors`.
    pub weights: Vec<u8>,
}

impl HubFiles {
    /// The files of a network with classes of these names.
    ///
    /// # Errors
    /// [`ContentError::Description`] for a network that neither library builds, or not with its settings.
    pub fn new(config: &NetConfig, state: &State, names: &[String]) -> Result<Self, ContentError> {
        config.check()?;
        let of_smp = || Some(("segmentation_models_pytorch", smp_config_of(config)?));
        let of_transformers =
            transformers_config_of(config, state, names).map(|config| ("transformers", config));
        let Some((library, settings)) = of_transformers.or_else(of_smp) else {
            return Err(ContentError::Description(format!(
                "neither transformers nor segmentation_models_pytorch builds `{}` with its settings (width, activation, dropout), \
                 so that there is no folder that they would load; --onnx and --torch write it",
                config.name
            )));
        };
        let mut entries = published(config, state)?;
        // Both libraries ask for the number of batches that each norm has seen.
        let norms = entries.iter().filter_map(|entry| entry.name.strip_suffix("running_mean"));
        let counts: Vec<NamedTensor> = norms
            .map(|norm| NamedTensor {
                name: format!("{norm}num_batches_tracked"),
                shape: Vec::new(),
                values: vec![0.0],
            })
            .collect();
        entries.extend(counts);
        Ok(Self { library, config: settings, weights: write_state_dict(&entries)? })
    }
}
