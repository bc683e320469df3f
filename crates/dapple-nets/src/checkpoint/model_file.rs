//! Dapple's own model files.
//!
//! A safetensors file whose metadata has one key, `dapple`, with a JSON document: the version, the model's
//! description ([`ModelCard`]), and a CRC-32 of the description and one of the weights, since safetensors has no
//! checksums of its own. Any safetensors library reads the weights; dapple needs nothing else to use the model.

use super::dtype::Dtype;
use super::{CheckpointError, ContentError, Ensemble};
use crate::NetConfig;
use dapple_base::{Normalization, write_atomic};
use dapple_graph::{Network, ParamSpec, Shape, State};
use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::Path;

/// Version of the format that this program writes and reads.
pub(super) const VERSION: u32 = 1;

const KEY: &str = "dapple";

/// One class of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its colour in masks and pictures: red, green, blue.
    pub colour: [u8; 3],
}

/// Everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// The network. Its activation says whether probabilities come from a softmax or from sigmoids.
    pub network: NetConfig,
    /// The classes in the order of their labels, as many as the network's.
    pub classes: Vec<Class>,
    /// Label of pixels that counted nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u8>,
    /// Height and width in pixels that images are resized to.
    pub input_size: [usize; 2],
    /// How values are normalized.
    pub normalisation: Normalization,
    /// Seed of the run.
    pub seed: u64,
    /// Epochs of training behind these weights.
    pub epoch: usize,
    /// Scores by name, for instance `{"validation": {"mean_iou": 0.9}}`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub scores: serde_json::Map<String, serde_json::Value>,
    /// Whatever else the writer wants to keep with the model, such as the recipe.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// A model: weights with their description.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// Everything but the weights.
    pub card: ModelCard,
    /// Parameters and running statistics.
    pub state: State,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As they are, in single precision.
    #[default]
    Single,
    /// Weights of layers in half precision, which halves the file; what each channel has one value of (biases, norms and
    /// their statistics) stays in single precision.
    Half,
}

impl Storage {
    /// The type and the bytes of a parameter's values.
    fn encode(self, spec: &ParamSpec, values: &[f32]) -> Result<(Dtype, Vec<u8>), ContentError> {
        if self == Self::Single || spec.shape.len() < 2 {
            return Ok((Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()));
        }
        let halves = values.iter().map(|&value| f16::from_f32(value));
        if let Some((value, _)) =
            values.iter().zip(halves.clone()).find(|(v, h)| v.is_finite() && !h.is_finite())
        {
            return Err(parameter(&spec.name, &format!("{value} is too large for half precision")));
        }
        Ok((Dtype::F16, halves.flat_map(f16::to_le_bytes).collect()))
    }
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
    /// Whether weights are stored in half precision; without it such weights are another program's work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    half: bool,
    #[serde(borrow)]
    model: &'a RawValue,
}

impl ModelCard {
    /// Checks that the description fits itself.
    fn check(&self) -> Result<(), ContentError> {
        self.network.check()?;
        if self.classes.len() != self.network.classes {
            return Err(ContentError::Description(format!(
                "{} classes are named, the network has {}",
                self.classes.len(),
                self.network.classes
            )));
        }
        if self.input_size.iter().any(|side| !(1..=1 << 16).contains(side)) {
            let [h, w] = self.input_size;
            return Err(ContentError::Description(format!("an input of {h} x {w} pixels")));
        }
        Ok(())
    }

    /// The parameters that the network has.
    fn params(&self) -> Result<Vec<ParamSpec>, ContentError> {
        let side = self.network.entry()?.smallest;
        let graph = self.network.build(Shape::new(1, side, side, self.network.in_channels))?;
        Ok(graph.params().to_vec())
    }
}

impl ModelFile {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If card and state do not fit each other, or the folder cannot be written to.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(|e| e.of(path))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is not a model that this program knows.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(CheckpointError::io(path))?;
        Self::from_bytes(&bytes).map_err(|e| e.of(path))
    }

    /// The content of the file. The same model always gives the same bytes.
    ///
    /// # Errors
    /// If card and state do not fit each other.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ContentError> {
        self.to_bytes_as(Storage::Single)
    }

    /// As [`ModelFile::to_bytes`], with weights stored as asked for.
    ///
    /// # Errors
    /// As [`ModelFile::to_bytes`], and for weights too large for half precision.
    pub fn to_bytes_as(&self, storage: Storage) -> Result<Vec<u8>, ContentError> {
        let Parts { envelope, tensors } = self.parts(storage)?;
        let views = tensors.iter().map(|tensor| Ok((tensor.spec.name.as_str(), tensor.view()?)));
        let views = views.collect::<Result<Vec<_>, ContentError>>()?;
        // One key only: several would be written in random order.
        let metadata = HashMap::from([(KEY.to_owned(), envelope)]);
        safetensors::serialize(views, Some(metadata)).map_err(unreadable)
    }

    /// The description and the values, ready to be written.
    pub(super) fn parts(&self, storage: Storage) -> Result<Parts, ContentError> {
        self.card.check()?;
        let (specs, state) = (self.card.params()?, &self.state);
        if let Some(name) = difference(&specs, &state.specs) {
            return Err(parameter(&name, "the state is not that of the described network"));
        }
        let tensors = specs.into_iter().enumerate().map(|(index, spec)| {
            let (dtype, bytes) = storage.encode(&spec, state.slice(index))?;
            Ok(Stored { spec, dtype, bytes })
        });
        let tensors = tensors.collect::<Result<Vec<_>, ContentError>>()?;
        let description = |e: serde_json::Error| ContentError::Description(e.to_string());
        let model = serde_json::value::to_raw_value(&self.card).map_err(description)?;
        let envelope = Envelope {
            version: VERSION,
            model_crc32: crc32fast::hash(model.get().as_bytes()),
            weights_crc32: crc32(tensors.iter().map(|tensor| tensor.bytes.as_slice())),
            half: storage == Storage::Half,
            model: &model,
        };
        let envelope = serde_json::to_string(&envelope).map_err(description)?;
        Ok(Parts { envelope, tensors })
    }

    /// Reads the content of a file. Weights in half precision are widened; where another program made them so, their
    /// checksum is not compared.
    ///
    /// # Errors
    /// As [`ModelFile::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        if Ensemble::is_one(bytes) {
            return Err(ContentError::Several);
        }
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let envelope = header.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or(ContentError::NotAModel)?;
        let model = Self::from_parts(envelope, |name| tensors.tensor(name).ok())?;
        let specs = &model.state.specs;
        if tensors.len() != specs.len() {
            let known: std::collections::HashSet<&str> = specs.iter().map(|s| s.name.as_str()).collect();
            let extra = tensors.names().into_iter().filter(|name| !known.contains(name)).min();
            return Err(parameter(extra.unwrap_or_default(), "the network has none of this name"));
        }
        Ok(model)
    }

    /// Reads a description and the parameters that it names.
    pub(super) fn from_parts<'a>(
        envelope: &str,
        tensor: impl Fn(&str) -> Option<TensorView<'a>>,
    ) -> Result<Self, ContentError> {
        let (card, weights_crc32, half) = read_card(envelope)?;
        let specs = card.params()?;

        // Everything is checked against the file before memory for the weights is taken.
        let mut parts = Vec::with_capacity(specs.len());
        for spec in &specs {
            let view = tensor(&spec.name).ok_or_else(|| parameter(&spec.name, "missing"))?;
            if view.shape() != spec.shape {
                let why = format!("its shape is {:?}, the network needs {:?}", view.shape(), spec.shape);
                return Err(parameter(&spec.name, &why));
            }
            let dtype = Dtype::of_safetensors(view.dtype())
                .filter(|dtype| matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16))
                .ok_or_else(|| parameter(&spec.name, &format!("elements of type {}", view.dtype())))?;
            parts.push((dtype, view.data()));
        }
        let stored_here = half || parts.iter().all(|(dtype, _)| *dtype == Dtype::F32);
        if stored_here && crc32(parts.iter().map(|(_, data)| *data)) != weights_crc32 {
            return Err(ContentError::Damaged("weights"));
        }
        Ok(Self { state: state(specs, &parts), card })
    }
}

/// The description as text, and the parameters.
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
    /// As safetensors takes it.
    pub(super) fn view(&self) -> Result<TensorView<'_>, ContentError> {
        let dtype = match self.dtype {
            Dtype::F16 => safetensors::Dtype::F16,
            _ => safetensors::Dtype::F32,
        };
        TensorView::new(dtype, self.spec.shape.clone(), &self.bytes).map_err(unreadable)
    }
}

pub(super) fn unreadable(error: safetensors::SafeTensorError) -> ContentError {
    ContentError::Unreadable(format!("no safetensors file: {error}"))
}

/// The description, the checksum of the weights, and whether they were stored in half precision here.
fn read_card(envelope: &str) -> Result<(ModelCard, u32, bool), ContentError> {
    /// The one field that every version has.
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let description = |e: serde_json::Error| ContentError::Description(e.to_string());
    let Version { version } = serde_json::from_str(envelope).map_err(description)?;
    if version != VERSION {
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

fn crc32<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// The flat buffers, filled in the order of the specs, which is how their offsets were given.
fn state(specs: Vec<ParamSpec>, parts: &[(Dtype, &[u8])]) -> State {
    let (mut values, mut statistics) = (Vec::new(), Vec::new());
    for (spec, (dtype, data)) in specs.iter().zip(parts) {
        let buffer = if spec.role.trainable() { &mut values } else { &mut statistics };
        buffer.extend(dtype.decode(data));
    }
    State { specs, values, statistics }
}

/// Name of the first parameter that two networks do not share.
fn difference(a: &[ParamSpec], b: &[ParamSpec]) -> Option<String> {
    let differs = a.iter().zip(b).find(|(a, b)| (&a.name, &a.shape) != (&b.name, &b.shape));
    let longer = || if a.len() > b.len() { &a[b.len()] } else { &b[a.len()] };
    match differs {
        Some((a, _)) => Some(a.name.clone()),
        None => (a.len() != b.len()).then(|| longer().name.clone()),
    }
}

fn parameter(name: &str, why: &str) -> ContentError {
    ContentError::Parameter { name: name.to_owned(), why: why.to_owned() }
}
