//! Several models in one file, which predict together.
//!
//! A safetensors file whose metadata has one key, `dapple.ensemble`, with a JSON document: the version, the description
//! of each member as its own file would have it, and the scores of all together. The parameters of member `i` (from 0)
//! are called `member.i.NAME`.

use super::model_file::{self, VERSION};
use super::{CheckpointError, ContentError, ModelFile, Storage};
use dapple_base::write_atomic;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

const KEY: &str = "dapple.ensemble";

/// Models that predict together, for instance those of the folds of a cross-validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// The models, at least one, all of the same classes.
    pub members: Vec<ModelFile>,
    /// Scores by name: out-of-fold scores, for instance.
    pub scores: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// The envelope of each member, as text.
    members: Vec<String>,
    #[serde(default)]
    scores: serde_json::Map<String, serde_json::Value>,
}

impl Ensemble {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// If there is no member, their classes differ, a card and its state do not fit each other, or the folder cannot be
    /// written to.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(|e| e.of(path))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// Reads a file of one model or of several.
    ///
    /// # Errors
    /// As [`ModelFile::load`].
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(CheckpointError::io(path))?;
        Self::from_bytes(&bytes).map_err(|e| e.of(path))
    }

    /// The content of the file. The same models always give the same bytes.
    ///
    /// # Errors
    /// As [`Ensemble::save`], but for the folder.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ContentError> {
        self.to_bytes_as(Storage::Single)
    }

    /// As [`Ensemble::to_bytes`], with weights stored as asked for.
    ///
    /// # Errors
    /// As [`Ensemble::to_bytes`], and for weights too large for half precision.
    pub fn to_bytes_as(&self, storage: Storage) -> Result<Vec<u8>, ContentError> {
        self.check()?;
        let parts = self.members.iter().map(|member| member.parts(storage));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let header = Header {
            version: VERSION,
            members: parts.iter().map(|parts| parts.envelope.clone()).collect(),
            scores: self.scores.clone(),
        };
        let header = serde_json::to_string(&header).map_err(|e| ContentError::Description(e.to_string()))?;
        let mut views = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            for tensor in &part.tensors {
                views.push((name(index, &tensor.spec.name), tensor.view()?));
            }
        }
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)])))
            .map_err(model_file::unreadable)
    }

    /// Reads the content of a file of one model or of several.
    ///
    /// # Errors
    /// As [`Ensemble::load`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ContentError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(model_file::unreadable)?;
        let Some(header) = metadata.metadata().as_ref().and_then(|m| m.get(KEY)) else {
            let model = ModelFile::from_bytes(bytes)?;
            return Ok(Self { scores: model.card.scores.clone(), members: vec![model] });
        };
        let description = |e: serde_json::Error| ContentError::Description(e.to_string());
        let header: Header = serde_json::from_str(header).map_err(description)?;
        if header.version != VERSION {
            return Err(ContentError::Version(header.version));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(model_file::unreadable)?;
        let mut members = Vec::with_capacity(header.members.len());
        let mut known = 0;
        for (index, envelope) in header.members.iter().enumerate() {
            let member = ModelFile::from_parts(envelope, |param| tensors.tensor(&name(index, param)).ok())?;
            known += member.state.specs.len();
            members.push(member);
        }
        if tensors.len() != known {
            return Err(ContentError::Description("it has parameters that belong to no member".into()));
        }
        let ensemble = Self { members, scores: header.scores };
        ensemble.check()?;
        Ok(ensemble)
    }

    /// Whether a file's content is of several models.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        let metadata = SafeTensors::read_metadata(bytes).ok().map(|(_, metadata)| metadata);
        metadata.is_some_and(|m| m.metadata().as_ref().is_some_and(|m| m.contains_key(KEY)))
    }

    fn check(&self) -> Result<(), ContentError> {
        let Some(first) = self.members.first() else {
            return Err(ContentError::Description("an ensemble of no models".into()));
        };
        match self.members.iter().position(|member| member.card.classes != first.card.classes) {
            None => Ok(()),
            Some(index) => {
                Err(ContentError::Description(format!("member {index} has other classes than the first one")))
            }
        }
    }
}

fn name(member: usize, param: &str) -> String {
    format!("member.{member}.{param}")
}
