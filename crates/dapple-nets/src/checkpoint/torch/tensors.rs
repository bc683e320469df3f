//! Tensors of a pickle, gathered from their storages.

use super::value::{Id, Pickle, Storage, Tensor, Value};
use crate::checkpoint::named_tensor::NamedTensor;
use std::collections::{BTreeMap, HashSet};

/// The wanted tensors of a pickle, in its order; each storage is read once.
pub(super) fn tensors(
    pickle: &Pickle,
    file_len: u64,
    wanted: &dyn Fn(&str) -> bool,
    mut fetch: impl FnMut(&Storage) -> Result<Vec<u8>, String>,
) -> Result<Vec<NamedTensor>, String> {
    if let Some(problem) = problem_of_root(pickle) {
        return Err(problem);
    }
    let mut found = Vec::new();
    collect(pickle, pickle.root, "", 0, &mut HashSet::new(), &mut found);
    found.retain(|(name, _)| wanted(name));

    // Views may share storage, but a few bytes must not become gigabytes.
    let mut total = 0usize;
    for (name, tensor) in &found {
        let len = tensor.shape.iter().try_fold(1usize, |len, &extent| len.checked_mul(extent));
        total = len
            .and_then(|len| total.checked_add(len))
            .filter(|&total| total as u64 <= file_len)
            .ok_or_else(|| {
                format!("`{name}` {:?}: the tensors have more elements than the file has bytes", tensor.shape)
            })?;
    }

    let mut by_storage: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, (_, tensor)) in found.iter().enumerate() {
        by_storage.entry(&storage(pickle, tensor)?.key).or_default().push(index);
    }
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); found.len()];
    for indices in by_storage.values() {
        let bytes = fetch(storage(pickle, found[indices[0]].1)?)?;
        for &index in indices {
            let (name, tensor) = &found[index];
            values[index] =
                gather(tensor, storage(pickle, tensor)?, &bytes).map_err(|e| format!("`{name}`: {e}"))?;
        }
    }
    let entries = found.into_iter().zip(values);
    Ok(entries
        .map(|((name, tensor), values)| NamedTensor { name, shape: tensor.shape.clone(), values })
        .collect())
}

fn storage<'a>(pickle: &'a Pickle, tensor: &Tensor) -> Result<&'a Storage, String> {
    match &pickle.values[tensor.storage] {
        Value::Storage(storage) => Ok(storage),
        _ => Err("a tensor has no storage".into()),
    }
}

/// Greatest depth of nested containers; modules that were saved whole have two for each level of theirs.
const MAX_DEPTH: usize = 48;

/// Greatest length of a name, longer than that of any parameter. Many tensors can share a key, and each copies it.
const MAX_NAME: usize = 256;

/// The attributes of a module that hold its tensors and parts; their own names are no part of a parameter's.
const MODULE: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// Collects the tensors in dictionaries, lists and modules; keys and places are joined by dots.
fn collect<'a>(
    pickle: &'a Pickle,
    id: Id,
    prefix: &str,
    depth: usize,
    seen: &mut HashSet<Id>,
    found: &mut Vec<(String, &'a Tensor)>,
) {
    let value = &pickle.values[id];
    if let Value::Tensor(tensor) = value {
        found.push((prefix.to_owned(), tensor));
        return;
    }
    // Also ends cycles.
    if depth > MAX_DEPTH || !seen.insert(id) {
        return;
    }
    // An entry with a longer name is no parameter: the scores of files by their paths, for example.
    let joined = |key: &str| match prefix {
        _ if prefix.len() + key.len() >= MAX_NAME => None,
        "" => Some(key.to_owned()),
        prefix => Some(format!("{prefix}.{key}")),
    };
    match value {
        Value::Dict(items) => {
            for &(key, value) in items {
                let name = match &pickle.values[key] {
                    Value::Text(key) => joined(key),
                    Value::Int(key) => joined(&key.to_string()),
                    _ => None,
                };
                let Some(name) = name else { continue };
                collect(pickle, value, &name, depth + 1, seen, found);
            }
        }
        Value::List(items) | Value::Tuple(items) => {
            for (place, &item) in items.iter().enumerate() {
                let Some(name) = joined(&place.to_string()) else { continue };
                collect(pickle, item, &name, depth + 1, seen, found);
            }
        }
        Value::Object { attributes: Some(attributes), .. } => {
            let attributes = match &pickle.values[*attributes] {
                // The attributes with and without `__slots__`.
                Value::Tuple(both) if both.len() == 2 => both[0],
                _ => *attributes,
            };
            let Value::Dict(items) = &pickle.values[attributes] else { return };
            for &(key, value) in items {
                if matches!(&pickle.values[key], Value::Text(key) if MODULE.contains(&key.as_str())) {
                    collect(pickle, value, prefix, depth + 1, seen, found);
                }
            }
        }
        _ => {}
    }
}

/// The problem of a file whose object is nothing that can hold tensors.
fn problem_of_root(pickle: &Pickle) -> Option<String> {
    const REMEDY: &str = "save the weights alone: torch.save(model.state_dict(), path)";
    match &pickle.values[pickle.root] {
        Value::Dict(_) | Value::List(_) | Value::Tuple(_) => None,
        Value::Object { class, attributes } => match &pickle.values[*class] {
            Value::Unknown(name) if attributes.is_none() => Some(format!(
                "the file holds an object of `{name}`, which is not loaded for safety; {REMEDY}"
            )),
            _ => None,
        },
        _ => Some(format!("the file does not hold a dictionary of tensors; {REMEDY}")),
    }
}

/// The elements of a view in row-major order. The caller has bounded their number.
fn gather(tensor: &Tensor, storage: &Storage, bytes: &[u8]) -> Result<Vec<f32>, String> {
    let Tensor { offset, shape, strides, .. } = tensor;
    let size = storage.dtype.size();
    if shape.len() != strides.len() {
        return Err(format!("{} extents, but {} strides", shape.len(), strides.len()));
    }
    if storage.len.checked_mul(size) != Some(bytes.len()) {
        return Err(format!(
            "storage `{}` should have {} elements of {size} bytes, but has {} bytes",
            storage.key,
            storage.len,
            bytes.len()
        ));
    }
    if shape.contains(&0) {
        return Ok(Vec::new());
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (extent, stride)| last.checked_add((extent - 1).checked_mul(*stride)?));
    if last.is_none_or(|last| last >= storage.len) {
        return Err("the tensor extends past the end of its storage".into());
    }
    // Element by element in strides; all positions up to `last` are inside.
    let mut at = vec![0; shape.len()];
    let mut position = *offset;
    let mut picked = Vec::with_capacity(shape.iter().product::<usize>() * size);
    loop {
        picked.extend_from_slice(&bytes[position * size..(position + 1) * size]);
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return Ok(storage.dtype.decode(&picked));
            }
            axis -= 1;
            at[axis] += 1;
            position += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            position -= shape[axis] * strides[axis];
            at[axis] = 0;
        }
    }
}
