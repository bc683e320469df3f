//! Dapple's own model files.
//!
//! A safetensors file whose metadata has one key, `dapple`, with a JSON document: the version, the description of the
//! model ([`ModelCard`]), and CRC-32 checksums of the description and of the weights, since safetensors has none. Any
//! safetensors library reads the weights; dapple needs no other file to use the model.
//!
//! Version 2 has weights that are integers of eight bits, with scales in a tensor called `NAME.int8_scale`: one for each entry of
//! the weight's first axis, an output channel or, of a transposed convolution, an input channel. Their product is the weight. So
//! are those of quantized models, and of others where the file is to be small.

use super::card::ModelCard;
use super::format::{MODEL_KEY, is_ensemble, parameter, unreadable};
use super::integers;
use super::storage::Storage;
use crate::checkpoint::dtype::Dtype;
use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::checkpoint::torch::is_torch;
use crate::checkpoint::version::{QUANTIZED, VERSION};
use dapple_base::{read_regular, readable, write_atomic};
use dapple_graph::{Graph, Init, ParamSpec, Role, State};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::Path;

/// A model: weights with their description.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// Everything but the weights.
    pub card: ModelCard,
    /// Parameters and running statistics.
    pub state: State,
}

/// The JSON document under the metadata key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    version: u32,
    /// CRC-32 of the text of `model`.
    model_crc32: u32,
    /// CRC-32 of all parameters' bytes, one after another in the order of the network.
    weights_crc32: u32,
    /// Whether dapple stored the weights in half precision. Without this mark, another program converted them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    half: bool,
    #[serde(borrow)]
    model: &'a RawValue,
}

impl ModelFile {
    /// Writes the file atomically.
    ///
    /// # Errors
    /// If card and state do not agree, or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(|e| e.of(path))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is not a model of a version that this program reads, and for NaN, infinite
    /// weights and negative variances.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = read_regular(path, u64::MAX).map_err(CheckpointError::io(path))?;
        Self::from_bytes(&bytes).map_err(|e| e.of(path))
    }

    /// The content of the file. The same model always gives the same bytes.
    ///
    /// # Errors
    /// If card and state do not agree, and for NaN, infinite weights and negative variances.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ContentError> {
        self.to_bytes_as(Storage::Single)
    }

    /// As [`ModelFile::to_bytes`], in this precision.
    ///
    /// # Errors
    /// As [`ModelFile::to_bytes`], and for weights too large for half precision.
    pub fn to_bytes_as(&self, storage: Storage) -> Result<Vec<u8>, ContentError> {
        let Parts { envelope, tensors } = self.parts(storage)?;
        let views = tensors.iter().map(|tensor| Ok((tensor.spec.name.as_str(), tensor.view()?)));
        let views = views.collect::<Result<Vec<_>, ContentError>>()?;
        // A single key: several would be written in random order.
        let metadata = HashMap::from([(MODEL_KEY.to_owned(), envelope)]);
        safetensors::serialize(views, Some(metadata)).map_err(unreadable)
    }

    /// The encoded description and weights.
    pub(super) fn parts(&self, storage: Storage) -> Result<Parts, ContentError> {
        self.card.check()?;
        let (graph, state) = (self.card.graph()?, &self.state);
        let specs = graph.params().to_vec();
        if let Some(name) = difference(&specs, &state.specs) {
            return Err(parameter(&name, "the state does not belong to the described network"));
        }
        check_sound(state, &graph)?;
        let mut tensors = Vec::with_capacity(specs.len());
        for (index, spec) in specs.into_iter().enumerate() {
            let rounded = storage == Storage::Integers && spec.role.is_weight();
            if rounded || self.card.is_quantized(&spec) {
                let encode =
                    if self.card.is_quantized(&spec) { integers::encode } else { integers::encode_rounded };
                let [integers, scales] = encode(&spec, state.slice(index))?;
                let scale = scale_spec(&spec);
                tensors.push(Stored { spec, dtype: Dtype::I8, bytes: integers });
                tensors.push(Stored { spec: scale, dtype: Dtype::F32, bytes: scales });
            } else {
                let (dtype, bytes) = storage.encode(&spec, state.slice(index))?;
                tensors.push(Stored { spec, dtype, bytes });
            }
        }
        let description = |e: serde_json::Error| ContentError::Description(readable(&e.to_string()));
        let model = serde_json::value::to_raw_value(&self.card).map_err(description)?;
        let envelope = Envelope {
            version: if tensors.iter().any(|tensor| tensor.dtype == Dtype::I8) { QUANTIZED } else { VERSION },
            model_crc32: crc32fast::hash(model.get().as_bytes()),
            weights_crc32: crc32(tensors.iter().map(|tensor| tensor.bytes.as_slice())),
            half: storage == Storage::Half,
            model: &model,
        };
        let envelope = serde_json::to_string(&envelope).map_err(description)?;
        Ok(Parts { envelope, tensors })
    }

    /// Reads the content of a file. Weights in half precision are widened; if another program converted them, their
    /// checksum is not verified.
    ///
    /// # Errors
    /// As [`ModelFile::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        if is_torch(bytes) {
            return Err(ContentError::NotAModel);
        }
        if is_ensemble(bytes) {
            return Err(ContentError::Several);
        }
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let envelope =
            header.metadata().as_ref().and_then(|m| m.get(MODEL_KEY)).ok_or(ContentError::NotAModel)?;
        let (model, known) = Self::from_parts(envelope, |name| tensors.tensor(name).ok())?;
        if tensors.len() != known.len() {
            let known: std::collections::HashSet<String> = known.into_iter().collect();
            let extra = tensors.names().into_iter().filter(|name| !known.contains(*name)).min();
            return Err(parameter(extra.unwrap_or_default(), "the network has no parameter of this name"));
        }
        Ok(model)
    }

    /// Reads a description and its parameters; also gives the names of the tensors that they are in.
    pub(super) fn from_parts<'a>(
        envelope: &str,
        tensor: impl Fn(&str) -> Option<TensorView<'a>>,
    ) -> Result<(Self, Vec<String>), ContentError> {
        let (card, weights_crc32, half) = read_card(envelope)?;
        let graph = card.graph()?;
        let specs = graph.params().to_vec();
        let mut known = Vec::with_capacity(specs.len());

        // Everything is checked before memory for the weights is allocated.
        let mut parts = Vec::with_capacity(specs.len());
        for spec in &specs {
            let view = tensor(&spec.name).ok_or_else(|| parameter(&spec.name, "missing"))?;
            if view.shape() != spec.shape {
                let why = format!("its shape is {:?}, but the network needs {:?}", view.shape(), spec.shape);
                return Err(parameter(&spec.name, &why));
            }
            let is_quantized = card.is_quantized(spec);
            let dtype = Dtype::of_safetensors(view.dtype())
                .filter(|dtype| match dtype {
                    Dtype::I8 => is_quantized || spec.role.is_weight(),
                    dtype => !is_quantized && matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16),
                })
                .ok_or_else(|| {
                    parameter(&spec.name, &format!("its elements have the unsupported type {}", view.dtype()))
                })?;
            known.push(spec.name.clone());
            let mut scale = None;
            if dtype == Dtype::I8 {
                let wanted = scale_spec(spec);
                let view = tensor(&wanted.name).ok_or_else(|| parameter(&wanted.name, "missing"))?;
                if view.dtype() != safetensors::Dtype::F32 || view.shape() != wanted.shape {
                    return Err(parameter(
                        &wanted.name,
                        "it must have an F32 scale for each entry of the first axis",
                    ));
                }
                scale = Some(view.data());
                known.push(wanted.name);
            }
            parts.push(Part { dtype, data: view.data(), scale });
        }
        let stored_here = half || parts.iter().all(|part| matches!(part.dtype, Dtype::F32 | Dtype::I8));
        if stored_here
            && crc32(parts.iter().flat_map(|p| std::iter::once(p.data).chain(p.scale))) != weights_crc32
        {
            return Err(ContentError::Damaged("weights"));
        }
        let state = state(specs, &parts);
        check_sound(&state, &graph)?;
        Ok((Self { state, card }, known))
    }
}

/// The encoded description and parameters.
pub(super) struct Parts {
    pub envelope: String,
    pub tensors: Vec<Stored>,
}

/// A parameter with its bytes.
pub(super) struct Stored {
    pub spec: ParamSpec,
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Stored {
    /// The tensor as safetensors takes it.
    pub(super) fn view(&self) -> Result<TensorView<'_>, ContentError> {
        let dtype = match self.dtype {
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::I8 => safetensors::Dtype::I8,
            _ => safetensors::Dtype::F32,
        };
        TensorView::new(dtype, self.spec.shape.clone(), &self.bytes).map_err(unreadable)
    }
}

/// The bytes of a parameter in a file.
struct Part<'a> {
    dtype: Dtype,
    data: &'a [u8],
    /// The scales of integers.
    scale: Option<&'a [u8]>,
}

/// The tensor of a parameter's scales, one for each entry of its first axis.
fn scale_spec(spec: &ParamSpec) -> ParamSpec {
    ParamSpec {
        name: integers::scale_name(spec),
        shape: vec![spec.shape[0]],
        role: Role::Factor,
        init: Init::Constant(1.0),
        offset: 0,
    }
}

/// The description, the checksum of the weights, and whether dapple stored them in half precision.
fn read_card(envelope: &str) -> Result<(ModelCard, u32, bool), ContentError> {
    /// The only field that all versions share.
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let description = |e: serde_json::Error| ContentError::Description(readable(&e.to_string()));
    let Version { version } = serde_json::from_str(envelope).map_err(description)?;
    if ![VERSION, QUANTIZED].contains(&version) {
        return Err(ContentError::Version(version));
    }
    let Envelope { model_crc32, weights_crc32, half, model, .. } =
        serde_json::from_str(envelope).map_err(description)?;
    if crc32fast::hash(model.get().as_bytes()) != model_crc32 {
        return Err(ContentError::Damaged("model's description"));
    }
    let card: ModelCard = serde_json::from_str(model.get()).map_err(description)?;
    card.check()?;
    Ok((card, weights_crc32, half))
}

/// Refuses weights that no network can use.
fn check_sound(state: &State, graph: &Graph) -> Result<(), ContentError> {
    match state.find_unsound(graph) {
        None => Ok(()),
        Some(unsound) => {
            let why = format!("{unsound}: take an earlier file of this model, or train it again");
            Err(parameter(&unsound.parameter, &why))
        }
    }
}

fn crc32<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The flat buffers, filled in the order of the specs, from which the offsets follow.
fn state(specs: Vec<ParamSpec>, parts: &[Part<'_>]) -> State {
    let (mut values, mut statistics) = (Vec::new(), Vec::new());
    for (spec, part) in specs.iter().zip(parts) {
        let buffer = if spec.role.trainable() { &mut values } else { &mut statistics };
        buffer.extend(match part.scale {
            Some(scale) => integers::decode(part.data, scale),
            None => part.dtype.decode(part.data),
        });
    }
    State { specs, values, statistics }
}

/// Name of the first parameter in which two networks differ.
fn difference(a: &[ParamSpec], b: &[ParamSpec]) -> Option<String> {
    let differs = a.iter().zip(b).find(|(a, b)| (&a.name, &a.shape) != (&b.name, &b.shape));
    let longer = || if a.len() > b.len() { &a[b.len()] } else { &b[a.len()] };
    match differs {
        Some((a, _)) => Some(a.name.clone()),
        None => (a.len() != b.len()).then(|| longer().name.clone()),
    }
}
