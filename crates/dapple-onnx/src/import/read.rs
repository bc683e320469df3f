//! Tensors of a file, and those that lie in files beside it.

use super::constant::{Constant, Data, count};
use crate::proto::{DataType, TensorProto};
use dapple_base::open_regular;
use half::{bf16, f16};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Most bytes of tensors in files beside a model.
const MOST_OUTSIDE: usize = 1 << 33;

/// The folder in which a model's other files lie.
pub(crate) struct Outside {
    pub folder: PathBuf,
}

/// A tensor of a file. `outside` is where the elements of tensors in other files are looked for.
pub(crate) fn constant(tensor: &TensorProto, outside: Option<&Outside>) -> Result<Constant, String> {
    let name = || tensor.name.as_deref().unwrap_or("a constant");
    let bad = |why: String| Err(format!("tensor `{}`: {why}", name()));
    let sides = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect::<Option<Vec<_>>>();
    let Some((dims, len)) = sides.and_then(|dims| count(&dims).map(|len| (dims, len))) else {
        return bad(format!("shape {:?}", tensor.dims));
    };
    let number = tensor.data_type.unwrap_or(0);
    let Some((kind, size)) = DataType::try_from(number).ok().and_then(|kind| Some((kind, size_of(kind)?)))
    else {
        return bad(format!("elements of type {number} of ONNX, which is not read"));
    };
    let bytes = if tensor.data_location == Some(1) {
        match elsewhere(tensor, outside, len * size) {
            Ok(bytes) => Some(bytes),
            Err(why) => return bad(why),
        }
    } else {
        None
    };
    let raw = bytes.as_deref().or(tensor.raw_data.as_deref());
    let data = match raw {
        Some(raw) if raw.len() != len * size => {
            return bad(format!("{} bytes for {len} elements of {size}", raw.len()));
        }
        Some(raw) => from_bytes(kind, raw),
        None => from_fields(kind, tensor),
    };
    let constant = Constant { dims, kind: narrowed(kind), data };
    if constant.len() != len {
        return bad(format!("{} values for {len} elements", constant.len()));
    }
    Ok(constant)
}

/// The kind under which fractions are kept.
fn narrowed(kind: DataType) -> DataType {
    match kind {
        DataType::Double | DataType::Float16 | DataType::Bfloat16 => DataType::Float,
        other => other,
    }
}

/// Bytes of an element; `None` for a type that is not read.
fn size_of(kind: DataType) -> Option<usize> {
    Some(match kind {
        DataType::Undefined => return None,
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Uint16 | DataType::Int16 | DataType::Float16 | DataType::Bfloat16 => 2,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Int64 | DataType::Double | DataType::Uint64 => 8,
    })
}

fn from_bytes(kind: DataType, raw: &[u8]) -> Data {
    fn of<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Arc<Vec<T>> {
        let chunks = raw.chunks_exact(N);
        Arc::new(chunks.map(|chunk| read(chunk.try_into().unwrap_or([0; N]))).collect())
    }
    match kind {
        DataType::Float => Data::Floats(of(raw, f32::from_le_bytes)),
        DataType::Double => Data::Floats(of(raw, |bytes| f64::from_le_bytes(bytes) as f32)),
        DataType::Float16 => Data::Floats(of(raw, |bytes| f16::from_le_bytes(bytes).to_f32())),
        DataType::Bfloat16 => Data::Floats(of(raw, |bytes| bf16::from_le_bytes(bytes).to_f32())),
        DataType::Int8 => Data::Ints(of(raw, |bytes| i64::from(i8::from_le_bytes(bytes)))),
        DataType::Int16 => Data::Ints(of(raw, |bytes| i64::from(i16::from_le_bytes(bytes)))),
        DataType::Uint16 => Data::Ints(of(raw, |bytes| i64::from(u16::from_le_bytes(bytes)))),
        DataType::Int32 => Data::Ints(of(raw, |bytes| i64::from(i32::from_le_bytes(bytes)))),
        DataType::Uint32 => Data::Ints(of(raw, |bytes| i64::from(u32::from_le_bytes(bytes)))),
        DataType::Int64 => Data::Ints(of(raw, i64::from_le_bytes)),
        DataType::Uint64 => Data::Ints(of(raw, |bytes| u64::from_le_bytes(bytes) as i64)),
        DataType::Undefined | DataType::Uint8 | DataType::Bool => {
            Data::Ints(Arc::new(raw.iter().map(|&byte| i64::from(byte)).collect()))
        }
    }
}

/// The elements of a tensor that are not bytes but numbers of the message.
fn from_fields(kind: DataType, tensor: &TensorProto) -> Data {
    let halves = |read: fn(u16) -> f32| tensor.int32_data.iter().map(|&bits| read(bits as u16)).collect();
    match kind {
        DataType::Float => Data::Floats(Arc::new(tensor.float_data.clone())),
        DataType::Double => Data::Floats(Arc::new(tensor.double_data.iter().map(|&v| v as f32).collect())),
        DataType::Float16 => Data::Floats(Arc::new(halves(|bits| f16::from_bits(bits).to_f32()))),
        DataType::Bfloat16 => Data::Floats(Arc::new(halves(|bits| bf16::from_bits(bits).to_f32()))),
        DataType::Int64 => Data::Ints(Arc::new(tensor.int64_data.clone())),
        DataType::Uint32 | DataType::Uint64 => {
            Data::Ints(Arc::new(tensor.uint64_data.iter().map(|&v| v as i64).collect()))
        }
        _ => Data::Ints(Arc::new(tensor.int32_data.iter().map(|&v| i64::from(v)).collect())),
    }
}

/// The bytes of a tensor in a file beside the model.
fn elsewhere(tensor: &TensorProto, outside: Option<&Outside>, len: usize) -> Result<Vec<u8>, String> {
    let entry = |key: &str| {
        tensor.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value().to_owned())
    };
    let Some(outside) = outside else {
        return Err("its values lie in another file, and the model was not read from one".into());
    };
    let location = entry("location").ok_or("its values lie in another file without a name")?;
    let path = beside(&outside.folder, &location)?;
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.trim().parse::<u64>().map(Some).map_err(|_| format!("{key} `{text}`")),
    };
    let (offset, given) = (number("offset")?.unwrap_or(0), number("length")?);
    if given.is_some_and(|given| given != len as u64) || len > MOST_OUTSIDE {
        return Err(format!("{} bytes of {location} for {len}", given.unwrap_or(len as u64)));
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = open_regular(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    // Nothing is allocated for values that are not there.
    if offset.checked_add(len as u64).is_none_or(|end| end > size) {
        return Err(format!("{} has {size} bytes, fewer than its values need", path.display()));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A file in the model's folder or below it.
fn beside(folder: &Path, location: &str) -> Result<PathBuf, String> {
    let path = Path::new(location);
    let is_below = !location.is_empty()
        && !location.contains('\\')
        && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if is_below {
        Ok(folder.join(path))
    } else {
        Err(format!("its values lie in `{}`, outside of the model's folder", location.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_lie_in_the_folder_of_the_model() {
        let folder = Path::new("models");
        assert_eq!(beside(folder, "weights/a.data"), Ok(folder.join("weights/a.data")));
        for bad in ["", "../a.data", "/etc/passwd", "a/../../b", "..\\a.data", "C:\\a.data"] {
            assert!(beside(folder, bad).is_err(), "{bad}");
        }
    }
}
