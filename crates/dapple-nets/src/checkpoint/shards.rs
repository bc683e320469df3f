//! Weights in several files, with an index that names the file of each tensor.

use super::error::{CheckpointError, ContentError};
use super::named_tensor::NamedTensor;
use super::state_dict::read_state_dict;
use dapple_base::{json_fault, read_regular};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// The end of an index's name.
const INDEX: &str = ".index.json";

/// Largest index.
const LARGEST: u64 = 64 << 20;

/// Most files of one model.
const MOST: usize = 1000;

/// The tensors with `wanted` names of a file of weights, or of all files of an index.
///
/// # Errors
/// As [`read_state_dict`], for an index that cannot be read, and for a tensor in two files.
pub(super) fn read_weights(
    path: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, CheckpointError> {
    if !path.to_string_lossy().ends_with(INDEX) {
        return read_state_dict(path, wanted);
    }
    let bytes = read_regular(path, LARGEST).map_err(CheckpointError::io(path))?;
    let files = shard_names(&bytes).map_err(|error| error.of(path))?;
    let mut entries = Vec::new();
    for file in files {
        entries.extend(read_state_dict(&path.with_file_name(file), wanted)?);
    }
    let mut names = HashSet::new();
    if let Some(twice) = entries.iter().find(|entry| !names.insert(entry.name.as_str())) {
        let why = format!("`{}` is in two of its files", twice.name.escape_debug());
        return Err(ContentError::Unreadable(why).of(path));
    }
    Ok(entries)
}

/// The names of the files in an index, `{"weight_map": {TENSOR: FILE}}`. They lie beside it.
///
/// # Errors
/// For an index of another form, and for names that lead to other folders.
pub fn shard_names(index: &[u8]) -> Result<Vec<String>, ContentError> {
    let unreadable = ContentError::Unreadable;
    let index: Value = serde_json::from_slice(index).map_err(|error| unreadable(json_fault(&error)))?;
    let map = index["weight_map"].as_object();
    let map = map.ok_or_else(|| unreadable("an index of weights without `weight_map`".to_owned()))?;
    let mut names = BTreeSet::new();
    for file in map.values() {
        let name = file.as_str().filter(|name| is_plain(name)).ok_or_else(|| {
            let shown: String = file.to_string().chars().take(60).collect();
            unreadable(format!("its `weight_map` has {shown} for the name of a file beside it"))
        })?;
        names.insert(name.to_owned());
    }
    match names.len() {
        0 => Err(unreadable("its `weight_map` names no files".to_owned())),
        count if count > MOST => Err(unreadable(format!("its `weight_map` names {count} files"))),
        _ => Ok(names.into_iter().collect()),
    }
}

/// Whether a name is that of a file of weights in the same folder.
fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_weights = [".safetensors", ".bin"].iter().any(|ending| name.ends_with(ending));
    is_weights && name.len() <= 96 && !name.starts_with(['.', '-']) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_an_index_lead_nowhere_else() {
        let names = br#"{"weight_map": {"a": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors",
            "c": "model-00002-of-00002.safetensors"}}"#;
        let names = shard_names(names).expect("an index");
        assert_eq!(names, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
        for wrong in [
            "",
            "[]",
            r#"{"weight_map": {}}"#,
            r#"{"weight_map": {"a": 1}}"#,
            r#"{"weight_map": {"a": "../model.safetensors"}}"#,
            r#"{"weight_map": {"a": "/etc/model.bin"}}"#,
            r#"{"weight_map": {"a": "C:\\model.bin"}}"#,
            r#"{"weight_map": {"a": "model.py"}}"#,
        ] {
            shard_names(wrong.as_bytes()).expect_err(wrong);
        }
    }
}
