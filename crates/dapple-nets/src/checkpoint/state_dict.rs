//! State dicts of any origin.

use super::dtype::Dtype;
use super::torch;
use super::{CheckpointError, ContentError};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

/// One tensor of a state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key; keys of nested dictionaries are joined by dots.
    pub name: String,
    /// Its shape, empty for a scalar.
    pub shape: Vec<usize>,
    /// Its elements in row-major order.
    pub values: Vec<f32>,
}

impl Entry {
    /// Whether it has as many values as its shape says.
    pub(super) fn is_whole(&self) -> bool {
        self.shape.iter().product::<usize>() == self.values.len()
    }
}

/// Reads the tensors whose names are `wanted` from a file of safetensors or of `torch.save` (`.pth`, `.pt`, new
/// and old format); the content decides, not the file's name. Half precision is widened, other types are rounded
/// to `f32`. Files of `torch.save` are programs: nothing in them is executed, and anything but tensors in
/// dictionaries is an error that names it.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds something else.
pub fn read_state_dict(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, CheckpointError> {
    let file = File::open(path).map_err(CheckpointError::io(path))?;
    let len = file.metadata().map_err(CheckpointError::io(path))?.len();
    read_from(BufReader::new(file), len, wanted).map_err(|why| ContentError::Unreadable(why).of(path))
}

/// Reads the content of such a file from memory.
///
/// # Errors
/// If it is damaged or holds something else.
pub fn parse_state_dict(bytes: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, ContentError> {
    read_from(Cursor::new(bytes), bytes.len() as u64, wanted).map_err(ContentError::Unreadable)
}

/// The entries as the content of a safetensors file, for `safetensors.torch.load_file` and `load_state_dict` in PyTorch.
/// The same entries always give the same bytes.
///
/// # Errors
/// For entries whose shape is not that of their values, or of one name.
pub fn write_state_dict(entries: &[Entry]) -> Result<Vec<u8>, ContentError> {
    let unreadable = |e: safetensors::SafeTensorError| ContentError::Unreadable(e.to_string());
    let bytes: Vec<Vec<u8>> =
        entries.iter().map(|entry| entry.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = entries.iter().zip(&bytes).map(|(entry, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, entry.shape.clone(), bytes);
        view.map(|view| (entry.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    // By this key, libraries know that the order of the axes is PyTorch's.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(unreadable)
}

/// Reads a state dict of `len` bytes.
fn read_from(
    mut source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Entry>, String> {
    let mut start = Vec::new();
    source.by_ref().take(torch::LEGACY.len() as u64).read_to_end(&mut start).map_err(|e| e.to_string())?;
    source.rewind().map_err(|e| e.to_string())?;
    if start.starts_with(torch::ZIP) {
        torch::read_zip(source, len, wanted)
    } else if start == torch::LEGACY {
        torch::read_legacy(source, len, wanted)
    } else if start.get(8) == Some(&b'{') {
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        read_safetensors(&bytes, wanted)
    } else {
        Err("neither a safetensors file nor one of torch.save; save the weights as \
             torch.save(model.state_dict(), path)"
            .into())
    }
}

fn read_safetensors(bytes: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("a damaged safetensors file: {e}"))?;
    let mut entries = Vec::new();
    for (name, view) in tensors.iter().filter(|(name, _)| wanted(name)) {
        let dtype = Dtype::of_safetensors(view.dtype())
            .ok_or_else(|| format!("`{name}` has elements of type {}, which are not read", view.dtype()))?;
        let (shape, values) = (view.shape().to_vec(), dtype.decode(view.data()));
        entries.push(Entry { name: name.to_owned(), shape, values });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
