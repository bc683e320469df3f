//! Initial values from a file.

use super::report::InitReport;
use super::state_dict::init_from;
use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::checkpoint::saved::{check_saved, weights_file};
use crate::checkpoint::shards::read_weights;
use crate::config::NetConfig;
use dapple_graph::State;
use std::path::Path;

/// Initializes a state from the weights of a file as [`init_from`] does. The state of an optimizer is not read, and the
/// fully connected layers of VGG only if the network has them. The path may also be a folder that
/// segmentation_models_pytorch wrote.
///
/// # Errors
/// As [`check_saved`], [`read_state_dict`](crate::checkpoint::read_state_dict) and [`init_from`].
pub fn init_from_file(
    state: &mut State,
    config: &NetConfig,
    path: &Path,
) -> Result<InitReport, CheckpointError> {
    check_saved(path, config)?;
    let path = &weights_file(path)?;
    let has = |part: &str| state.specs.iter().any(|spec| spec.name.contains(part));
    let skips_dense = has("features.") && !has("classifier") && !has("fc6.weight");
    let skipped = |name: &str| name.contains("optimizer") || (skips_dense && name.contains("classifier."));
    let wanted = |name: &str| !skipped(name);
    let entries = read_weights(path, &wanted)?;
    init_from(state, config, &entries).map_err(|e| ContentError::from(e).of(path))
}
