//! Whole networks that other programs saved.

use super::error::{CheckpointError, ContentError};
use super::init::{InitError, InitReport, init_from, shaped_like};
use super::saved::{check_saved, saved_network, weights_file};
use super::shards::read_weights;
use crate::config::NetConfig;
use dapple_graph::{Network, Shape, State};
use std::path::Path;

/// A network with weights that another program saved.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignNetwork {
    /// The network with the channels, classes and width of the weights.
    pub config: NetConfig,
    /// All its parameters.
    pub state: State,
    /// How the weights were read.
    pub report: InitReport,
}

/// Reads a whole network from a file of PyTorch or safetensors, or from a folder that segmentation_models_pytorch saved.
/// `name` is that of the network in the registry; a folder names its own.
///
/// # Errors
/// [`ContentError::NotAModel`] without a name, those of [`saved_network`], of reading weights and of [`init_from`], and for
/// weights of a part of the network only.
pub fn read_foreign(path: &Path, name: Option<&str>) -> Result<ForeignNetwork, CheckpointError> {
    let saved = saved_network(path)?;
    let file = weights_file(path)?;
    let name = match (name, &saved) {
        (Some(name), _) => name,
        (None, Some(saved)) => &saved.name,
        (None, None) => return Err(ContentError::NotAModel.of(path)),
    };
    let entries = read_weights(&file, &|name| !name.contains("optimizer"))?;
    let shaped = shaped_like(name, &entries).map_err(|error| ContentError::from(error).of(&file))?;
    let config = match &saved {
        Some(saved) => NetConfig { width: shaped.width, ..saved.clone() },
        None => shaped,
    };
    check_saved(path, &NetConfig { name: name.to_owned(), ..config.clone() })?;
    let of_file = |error: ContentError| error.of(&file);
    let side = config.entry().map_err(|error| of_file(error.into()))?.smallest;
    let graph = config.build(Shape::new(1, side, side, config.in_channels)).map_err(|e| of_file(e.into()))?;
    let mut state = State::init(&graph, 0);
    let report = init_from(&mut state, &config, &entries).map_err(|error| of_file(error.into()))?;
    let needed = state.specs.iter().zip(graph.used_params()).filter(|(_, used)| *used);
    let absent = needed.filter(|(spec, _)| !report.loaded.contains(&spec.name)).count();
    if absent > 0 {
        let why = format!(
            "{absent} of its {} parameters are not in the file, so that it cannot predict; `dapple train --init` starts from \
             the others",
            state.specs.len()
        );
        let error = InitError { network: config.name, width: config.width, why, report: Box::new(report) };
        return Err(of_file(error.into()));
    }
    Ok(ForeignNetwork { config, state, report })
}
