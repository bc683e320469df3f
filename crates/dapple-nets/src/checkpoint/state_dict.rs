//! Reading and writing state dicts.

use super::dtype::Dtype;
use super::error::{CheckpointError, ContentError};
use super::model::SCALE;
use super::named_tensor::NamedTensor;
use super::torch;
use dapple_base::open_regular;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

/// Reads the tensors with `wanted` names from a file of safetensors or of `torch.save` (`.pth`, `.pt`, new and old
/// format). The format is recognized by the content, not by the file name. Half precision is widened, other types are
/// rounded to `f32`. Files of `torch.save` are programs: nothing in them is executed. Tensors in dictionaries, lists and
/// modules are read, all other objects beside them are read over.
///
/// # Errors
/// If the file cannot be read, is damaged, or has other content.
pub fn read_state_dict(
    path: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, CheckpointError> {
    let file = open_regular(path).map_err(CheckpointError::io(path))?;
    let len = file.metadata().map_err(CheckpointError::io(path))?.len();
    read_from(BufReader::new(file), len, wanted).map_err(|why| ContentError::Unreadable(why).of(path))
}

/// Reads the content of such a file from memory.
///
/// # Errors
/// If it is damaged or has other content.
pub fn parse_state_dict(
    bytes: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, ContentError> {
    read_from(Cursor::new(bytes), bytes.len() as u64, wanted).map_err(ContentError::Unreadable)
}

/// Encodes tensors as a safetensors file, for `safetensors.torch.load_file` and `load_state_dict` in PyTorch.
/// The same tensors always give the same bytes.
///
/// # Errors
/// If a shape does not agree with the number of values, or if two tensors have the same name.
pub fn write_state_dict(entries: &[NamedTensor]) -> Result<Vec<u8>, ContentError> {
    let unreadable = |e: safetensors::SafeTensorError| ContentError::Unreadable(e.to_string());
    let bytes: Vec<Vec<u8>> =
        entries.iter().map(|entry| entry.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = entries.iter().zip(&bytes).map(|(entry, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, entry.shape.clone(), bytes);
        view.map(|view| (entry.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    // This key tells libraries that the axes are in PyTorch's order.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(unreadable)
}

/// Reads a state dict of `len` bytes.
fn read_from(
    mut source: impl BufRead + Seek,
    len: u64,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<NamedTensor>, String> {
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
        Err("neither a safetensors file nor a file of torch.save; save the weights as \
             torch.save(model.state_dict(), path)"
            .into())
    }
}

fn read_safetensors(bytes: &[u8], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<NamedTensor>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| format!("a damaged safetensors file: {e}"))?;
    if tensors.names().into_iter().any(|name| name.ends_with(SCALE)) {
        return Err(
            "a quantized model of dapple, whose weights are integers; take the model that it was made of"
                .into(),
        );
    }
    let mut entries = Vec::new();
    for (name, view) in tensors.iter().filter(|(name, _)| wanted(name)) {
        let dtype = Dtype::of_safetensors(view.dtype()).ok_or_else(|| {
            format!("`{name}` has elements of type {}, which are not supported", view.dtype())
        })?;
        let (shape, values) = (view.shape().to_vec(), dtype.decode(view.data()));
        entries.push(NamedTensor { name: name.to_owned(), shape, values });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
