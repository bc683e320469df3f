//! Several models in one file, which predict together.
//!
//! A safetensors file whose metadata has one key, `dapple.ensemble`, with a JSON document: the version, the description
//! of each member as its own file would have it, the scores of the ensemble, and their CRC-32 checksum, which older files
//! lack. The parameters of member `i` (from 0) are called `member.i.NAME`.

use super::file::ModelFile;
use super::format::{ENSEMBLE_KEY, unreadable};
use super::storage::Storage;
use crate::checkpoint::error::{CheckpointError, ContentError};
use crate::checkpoint::torch::is_torch;
use crate::checkpoint::version::VERSION;
use dapple_base::{read_regular, readable, write_atomic};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::Path;

/// Models that predict together, for instance those of the folds of a cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// The models, at least one, all with the same classes.
    pub members: Vec<ModelFile>,
    /// Scores by name: out-of-fold scores, for instance.
    pub scores: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    version: u32,
    /// The envelope of each member, as text.
    members: Vec<String>,
    #[serde(borrow, default)]
    scores: Option<&'a RawValue>,
    /// CRC-32 of the text of `scores`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scores_crc32: Option<u32>,
}

impl Ensemble {
    /// Writes the file atomically.
    ///
    /// # Errors
    /// If there is no member, if the classes of the members differ, if a card and its state do not agree, or if the file
    /// cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(|e| e.of(path))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// Reads a file of one model or of several.
    ///
    /// # Errors
    /// As [`ModelFile::load`].
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = read_regular(path, u64::MAX).map_err(CheckpointError::io(path))?;
        Self::from_bytes(&bytes).map_err(|e| e.of(path))
    }

    /// The content of the file. The same models always give the same bytes.
    ///
    /// # Errors
    /// As [`Ensemble::save`], without those of writing.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ContentError> {
        self.to_bytes_as(Storage::Single)
    }

    /// As [`Ensemble::to_bytes`], in this precision.
    ///
    /// # Errors
    /// As [`Ensemble::to_bytes`], and for weights too large for half precision.
    pub fn to_bytes_as(&self, storage: Storage) -> Result<Vec<u8>, ContentError> {
        self.check()?;
        let parts = self.members.iter().map(|member| member.parts(storage));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let description = |e: serde_json::Error| ContentError::Description(readable(&e.to_string()));
        let scores = serde_json::value::to_raw_value(&self.scores).map_err(description)?;
        let header = Header {
            version: VERSION,
            members: parts.iter().map(|parts| parts.envelope.clone()).collect(),
            scores_crc32: Some(crc32fast::hash(scores.get().as_bytes())),
            scores: Some(&scores),
        };
        let header = serde_json::to_string(&header).map_err(description)?;
        let mut views = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            for tensor in &part.tensors {
                views.push((name(index, &tensor.spec.name), tensor.view()?));
            }
        }
        safetensors::serialize(views, Some(HashMap::from([(ENSEMBLE_KEY.to_owned(), header)])))
            .map_err(unreadable)
    }

    /// Reads the content of a file of one model or of several.
    ///
    /// # Errors
    /// As [`Ensemble::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        if is_torch(bytes) {
            return Err(ContentError::NotAModel);
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let Some(header) = metadata.metadata().as_ref().and_then(|m| m.get(ENSEMBLE_KEY)) else {
            let model = ModelFile::from_bytes(bytes)?;
            return Ok(Self { scores: model.card.scores.clone(), members: vec![model] });
        };
        let description = |e: serde_json::Error| ContentError::Description(readable(&e.to_string()));
        let header: Header<'_> = serde_json::from_str(header).map_err(description)?;
        if header.version != VERSION {
            return Err(ContentError::Version(header.version));
        }
        let scores = header.scores.map_or("{}", RawValue::get);
        if header.scores_crc32.is_some_and(|crc32| crc32 != crc32fast::hash(scores.as_bytes())) {
            return Err(ContentError::Damaged("ensemble's scores"));
        }
        let scores = serde_json::from_str(scores).map_err(description)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let mut members = Vec::with_capacity(header.members.len());
        let mut known = 0;
        for (index, envelope) in header.members.iter().enumerate() {
            let (member, parts) =
                ModelFile::from_parts(envelope, |param| tensors.tensor(&name(index, param)).ok())?;
            known += parts.len();
            members.push(member);
        }
        if tensors.len() != known {
            return Err(ContentError::Description("it has parameters that do not belong to a member".into()));
        }
        let ensemble = Self { members, scores };
        ensemble.check()?;
        Ok(ensemble)
    }

    fn check(&self) -> Result<(), ContentError> {
        let Some(first) = self.members.first() else {
            return Err(ContentError::Description("the ensemble has no members".into()));
        };
        match self.members.iter().position(|member| member.card.classes != first.card.classes) {
            None => Ok(()),
            Some(index) => Err(ContentError::Description(format!(
                "the classes of member {index} differ from those of the first member"
            ))),
        }
    }
}

fn name(member: usize, param: &str) -> String {
    format!("member.{member}.{param}")
}
