//! The two formats of `torch.save`.
//!
//! Since PyTorch 1.6 (2020): a zip archive of uncompressed entries, `NAME/data.pkl` and a raw file
//! `NAME/data/KEY` for each storage. Before: four pickles one after another (magic number, protocol, system, the
//! object, keys of the storages), then for each key the number of elements and the raw elements.

use super::dtype::Dtype;
use super::pickle;
use super::state_dict::Entry;
use super::value::{Id, Pickle, Storage, Tensor, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use zip::ZipArchive;

/// What zip archives start with.
pub(super) const ZIP: &[u8] = b"PK\x03\x04";

/// What the older files start with: protocol 2 and the magic number 0x1950a86a20f9469cfc6c as a pickle.
pub(super) const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Reads a zip archive of `len` bytes.
pub(super) fn read_zip(
    source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Entry>, String> {
    let mut archive = ZipArchive::new(source).map_err(|e| format!("a damaged zip archive: {e}"))?;
    let mut names = archive.file_names().filter_map(Result::ok);
    let name = names.find(|name| *name == "data.pkl" || name.ends_with("/data.pkl")).map(Into::into);
    let name: String = name.ok_or("a zip archive without data.pkl, so not of torch.save")?;
    drop(names);
    let folder = name.trim_end_matches("data.pkl").to_owned();
    if archive.index_for_name(&format!("{folder}byteorder")).is_some()
        && read_entry(&mut archive, &format!("{folder}byteorder"))? != b"little"
    {
        return Err("the tensors are stored in big-endian order".into());
    }
    let pickle = {
        let entry = archive.by_name(&name).map_err(|e| format!("{name}: {e}"))?;
        pickle::read(&mut BufReader::new(entry))?
    };
    // The checksum is verified at an entry's end only, which lies behind the pickle's.
    read_entry(&mut archive, &name)?;
    tensors(&pickle, len, wanted, |storage| {
        read_entry(&mut archive, &format!("{folder}data/{}", storage.key))
    })
}

fn read_entry(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Vec<u8>, String> {
    let mut entry = archive.by_name(name).map_err(|e| format!("{name}: {e}"))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
    Ok(bytes)
}

/// Reads a file of `len` bytes in the older format.
pub(super) fn read_legacy(
    mut source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Entry>, String> {
    source.seek(SeekFrom::Start(LEGACY.len() as u64)).map_err(|e| e.to_string())?;
    pickle::read(&mut source)?;
    pickle::read(&mut source)?;
    let object = pickle::read(&mut source)?;
    let keys = pickle::read(&mut source)?;
    let Value::List(ids) = &keys.values[keys.root] else {
        return Err("the list of storages is missing".into());
    };
    let dtypes: HashMap<&str, Dtype> = object
        .values
        .iter()
        .filter_map(|value| match value {
            Value::Storage(storage) => Some((storage.key.as_str(), storage.dtype)),
            _ => None,
        })
        .collect();

    let mut places = HashMap::new();
    for &id in ids {
        let Value::Text(key) = &keys.values[id] else {
            return Err("a storage's key is not a string".into());
        };
        let dtype = dtypes.get(key.as_str()).ok_or_else(|| format!("nobody uses storage `{key}`"))?;
        let mut count = [0; 8];
        source.read_exact(&mut count).map_err(|e| format!("storage `{key}`: {e}"))?;
        let bytes = u64::from_le_bytes(count).checked_mul(dtype.size() as u64);
        let start = source.stream_position().map_err(|e| e.to_string())?;
        let end = bytes.and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= len);
        let end = end.ok_or_else(|| format!("storage `{key}` reaches behind the file's end"))?;
        places.insert(key.clone(), start..end);
        source.seek(SeekFrom::Start(end)).map_err(|e| e.to_string())?;
    }
    tensors(&object, len, wanted, |storage| {
        let place =
            places.get(&storage.key).ok_or_else(|| format!("storage `{}` is missing", storage.key))?;
        source.seek(SeekFrom::Start(place.start)).map_err(|e| e.to_string())?;
        let mut bytes = Vec::new();
        source.by_ref().take(place.end - place.start).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes)
    })
}

/// The wanted tensors of a pickle, in its order; each storage is fetched once.
fn tensors(
    pickle: &Pickle,
    file_len: u64,
    wanted: &dyn Fn(&str) -> bool,
    mut fetch: impl FnMut(&Storage) -> Result<Vec<u8>, String>,
) -> Result<Vec<Entry>, String> {
    let mut found = Vec::new();
    collect(pickle, pickle.root, "", 0, &mut HashSet::new(), &mut found)?;
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
    Ok(entries.map(|((name, tensor), values)| Entry { name, shape: tensor.shape.clone(), values }).collect())
}

fn storage<'a>(pickle: &'a Pickle, tensor: &Tensor) -> Result<&'a Storage, String> {
    match &pickle.values[tensor.storage] {
        Value::Storage(storage) => Ok(storage),
        _ => Err("a tensor has no storage".into()),
    }
}

/// Deeper than any checkpoint nests its dictionaries.
const MAX_DEPTH: usize = 8;

/// Longer than any parameter's name. A key can be shared by many tensors, each of which copies it.
const MAX_NAME: usize = 256;

/// The tensors below a dictionary, with the keys on the way joined by dots.
fn collect<'a>(
    pickle: &'a Pickle,
    id: Id,
    prefix: &str,
    depth: usize,
    seen: &mut HashSet<Id>,
    found: &mut Vec<(String, &'a Tensor)>,
) -> Result<(), String> {
    let Value::Dict(items) = &pickle.values[id] else {
        return match depth {
            0 => Err("the file holds no dictionary of tensors; save model.state_dict()".into()),
            _ => Ok(()),
        };
    };
    // Also ends cycles.
    if depth > MAX_DEPTH || !seen.insert(id) {
        return Ok(());
    }
    for &(key, value) in items {
        let key = match &pickle.values[key] {
            Value::Text(key) => key.clone(),
            Value::Int(key) => key.to_string(),
            _ => continue,
        };
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        if name.len() > MAX_NAME {
            return Err(format!("a key is longer than {MAX_NAME} bytes"));
        }
        match &pickle.values[value] {
            Value::Tensor(tensor) => found.push((name, tensor)),
            _ => collect(pickle, value, &name, depth + 1, seen, found)?,
        }
    }
    Ok(())
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
        return Err("the tensor reaches behind the end of its storage".into());
    }
    // Element by element in strides; everything below `last` is inside.
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
