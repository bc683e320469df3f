//! The two formats of `torch.save`.
//!
//! Since PyTorch 1.6 (2020): a zip archive of uncompressed entries, `NAME/data.pkl` and a raw file
//! `NAME/data/KEY` for each storage. Before: four pickles one after another (magic number, protocol, system, the
//! object, keys of the storages), then for each key the number of elements and the raw elements.

use super::pickle;
use super::tensors::tensors;
use super::value::Value;
use crate::checkpoint::dtype::Dtype;
use crate::checkpoint::named_tensor::NamedTensor;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

/// First bytes of a zip archive.
pub(crate) const ZIP: &[u8] = b"PK\x03\x04";

/// First bytes of the older format: protocol 2 and the magic number 0x1950a86a20f9469cfc6c as a pickle.
pub(crate) const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Whether a file with this content is one of `torch.save`.
pub(crate) fn is_torch(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) || bytes.starts_with(LEGACY)
}

/// Reads a zip archive of `len` bytes.
pub(crate) fn read_zip(
    source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, String> {
    // These files begin with their first entry. Where the beginning is to be found out, a directory whose first entry is as
    // long as the two records behind it, 76 bytes, is taken to begin at the second one.
    let from_the_start = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive =
        ZipArchive::with_config(from_the_start, source).map_err(|e| format!("a damaged zip archive: {e}"))?;
    let mut names = archive.file_names().filter_map(Result::ok);
    let name = names.find(|name| *name == "data.pkl" || name.ends_with("/data.pkl")).map(Into::into);
    let name: String = name.ok_or("a zip archive without data.pkl, so not a file of torch.save")?;
    drop(names);
    let folder = name.trim_end_matches("data.pkl").to_owned();
    if archive.index_for_name(&format!("{folder}byteorder")).is_some()
        && read_entry(&mut archive, &format!("{folder}byteorder"))? != b"little"
    {
        return Err("the tensors are in big-endian order, which is not supported".into());
    }
    let pickle = {
        let entry = archive.by_name(&name).map_err(|e| format!("{name}: {e}"))?;
        pickle::read(&mut BufReader::new(entry))?
    };
    // The checksum is verified only at the end of an entry, which may come after the end of the pickle.
    read_entry(&mut archive, &name)?;
    // Entries are stored as they are: together they are larger than the file only where they overlap.
    let mut left = len;
    tensors(&pickle, len, wanted, |storage| {
        let name = format!("{folder}data/{}", storage.key);
        let size = archive.by_name(&name).map_err(|e| format!("{name}: {e}"))?.size();
        left =
            left.checked_sub(size).ok_or("the entries of the zip archive overlap, so that it is damaged")?;
        read_entry(&mut archive, &name)
    })
}

fn read_entry(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Vec<u8>, String> {
    let mut entry = archive.by_name(name).map_err(|e| format!("{name}: {e}"))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|e| format!("{name}: {e}"))?;
    Ok(bytes)
}

/// Reads a file of `len` bytes in the older format.
pub(crate) fn read_legacy(
    mut source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, String> {
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
        let dtype = dtypes.get(key.as_str()).ok_or_else(|| format!("no tensor uses storage `{key}`"))?;
        let mut count = [0; 8];
        source.read_exact(&mut count).map_err(|e| format!("storage `{key}`: {e}"))?;
        let bytes = u64::from_le_bytes(count).checked_mul(dtype.size() as u64);
        let start = source.stream_position().map_err(|e| e.to_string())?;
        let end = bytes.and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= len);
        let end = end.ok_or_else(|| format!("storage `{key}` extends past the end of the file"))?;
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
