//! Initial values from a file.

use super::saved::{check_saved, weights_file};
use super::{CheckpointError, ContentError, InitReport, init_from, read_state_dict};
use crate::NetConfig;
use dapple_graph::State;
use std::path::Path;

/// Takes over the weights of a file as [`init_from`] does. Optimisers' memories are not read, and neither are the fully
/// connected layers of VGG where the network has none. The path may be that of a folder which segmentation_models_pytorch
/// wrote.
///
/// # Errors
/// As [`check_saved`], [`read_state_dict`] and [`init_from`].
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
    let entries = read_state_dict(path, &wanted)?;
    init_from(state, config, &entries).map_err(|e| ContentError::from(e).of(path))
}
