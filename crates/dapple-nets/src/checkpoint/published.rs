//! Weights under their published names.

use super::named_tensor::NamedTensor;
use super::naming::{Naming, Translator, is_translated, published_shape};
use crate::config::{ConfigError, NetConfig};
use dapple_graph::State;
use std::collections::HashMap;

/// A network's weights under the names and with the shapes of its published checkpoints.
///
/// # Errors
/// If the network is unknown.
pub fn published(config: &NetConfig, state: &State) -> Result<Vec<NamedTensor>, ConfigError> {
    let network = config.entry()?;
    let naming = if is_translated(network) { Naming::Published } else { Naming::Own };
    let translator = Translator::new(network, naming, state);
    let mut entries: Vec<NamedTensor> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, spec) in state.specs.iter().enumerate() {
        let Some(source) = translator.source(spec) else { continue };
        let mut shape = published_shape(spec);
        match places.get(&source.name) {
            // Parts follow each other in order.
            Some(&at) => entries[at].values.extend(state.slice(index)),
            None => {
                shape[0] *= source.parts;
                places.insert(source.name.clone(), entries.len());
                entries.push(NamedTensor { name: source.name, shape, values: state.slice(index).to_vec() });
            }
        }
    }
    Ok(entries)
}
