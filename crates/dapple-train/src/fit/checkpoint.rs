//! The last state of a training, complete enough to resume as if it had never stopped.
//!
//! One safetensors file: the parameters and running statistics under `state.<name>`, the optimizer's state under
//! `optimizer.<slot>` (flat, in the order of the trainable parameters), their moving average, if there is one, under
//! `average.<name>`, and a JSON header with the position and a checksum of all that the file holds. Batches, augmentation
//! and initial weights are functions of the seed, the epoch and the sample: the position is all the random state there is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;

use dapple_base::{json_fault, write_atomic};
use dapple_graph::{Graph, State, engine::OptimizerState};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::position::{Position, REMEDY};
use crate::error::TrainError;

/// The key of the header in the file's metadata.
const KEY: &str = "dapple.checkpoint";
const VERSION: u32 = 2;
/// The version of files without a checksum.
const UNSEALED: u32 = 1;
/// Prefixes of the names of tensors.
const STATE: &str = "state.";
const AVERAGE: &str = "average.";

/// A parameter's name, shape and values.
type Entry = (String, Vec<usize>, Vec<f32>);

/// The header's content.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    position: Position,
    optimizer_steps: u64,
}

/// The header.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    version: u32,
    /// CRC-32 of the text of `body`, then of each tensor in the order of their names: name, shape, values.
    crc32: u32,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The header of files without a checksum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsealed {
    #[allow(dead_code, reason = "it was read before")]
    version: u32,
    position: Position,
    optimizer_steps: u64,
}

/// Everything that a resumed training needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// How far it has come.
    pub position: Position,
    /// Parameters and running statistics.
    pub state: State,
    /// Their moving average.
    pub average: Option<State>,
    /// The optimizer's state.
    pub optimizer: OptimizerState,
}

impl Checkpoint {
    /// Writes the file in one step: a crash at any moment leaves the old one or the new one.
    ///
    /// # Errors
    /// [`TrainError::Write`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let mut tensors: Vec<(String, Floats<'_>)> = Vec::new();
        for (prefix, state) in [(STATE, Some(&self.state)), (AVERAGE, self.average.as_ref())] {
            for (index, spec) in state.iter().flat_map(|state| state.specs.iter().enumerate()) {
                let values = state.map_or(&[][..], |state| state.slice(index));
                let values = Floats { shape: spec.shape.clone(), values };
                tensors.push((format!("{prefix}{}", spec.name), values));
            }
        }
        for (slot, values) in self.optimizer.slots.iter().enumerate() {
            tensors.push((format!("optimizer.{slot}"), Floats { shape: vec![values.len()], values }));
        }
        let body = Body { position: self.position.clone(), optimizer_steps: self.optimizer.steps };
        let body = to_raw_value(&body).expect("the header is made of numbers");
        let parts =
            tensors.iter().map(|(name, floats)| (name.as_str(), floats.shape.as_slice(), floats.data()));
        let header = Header { version: VERSION, crc32: checksum(body.get(), parts.collect()), body: &body };
        let header = serde_json::to_string(&header).expect("the header is made of numbers");
        let bytes = safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), header)])))
            .map_err(|e| bad(path, format!("cannot be encoded: {e}")))?;
        Ok(write_atomic(path, &bytes)?)
    }

    /// Reads a checkpoint of the network `graph`.
    ///
    /// # Errors
    /// [`TrainError::Read`], and [`TrainError::BadRunFile`] if it is damaged or of another network.
    pub fn load(path: &Path, graph: &Graph) -> Result<Self, TrainError> {
        Ok(Self::read(path, graph)?.0)
    }

    /// As [`Checkpoint::load`], with a note on a file that has no checksum.
    pub(super) fn read(path: &Path, graph: &Graph) -> Result<(Self, Option<String>), TrainError> {
        let bytes =
            std::fs::read(path).map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let damaged = |what: &dyn Display| bad(path, format!("not a complete checkpoint: {what}; {REMEDY}"));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
        let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let header = header.ok_or_else(|| damaged(&"it has no header"))?;
        let views = tensors.tensors();
        let parts =
            views.iter().map(|(name, view)| (name.as_str(), view.shape(), view.data().into())).collect();
        let (Body { position, optimizer_steps }, note) = match version_of(header)
            .map_err(|e| damaged(&json_fault(&e)))?
        {
            VERSION => {
                let header: Header<'_> =
                    serde_json::from_str(header).map_err(|e| damaged(&json_fault(&e)))?;
                if checksum(header.body.get(), parts) != header.crc32 {
                    return Err(damaged(&"its checksum differs, so that some of it was changed"));
                }
                (serde_json::from_str(header.body.get()).map_err(|e| damaged(&json_fault(&e)))?, None)
            }
            UNSEALED => {
                let Unsealed { position, optimizer_steps, .. } =
                    serde_json::from_str(header).map_err(|e| damaged(&json_fault(&e)))?;
                let note = format!(
                    "{}: written by an earlier version without a checksum, so that damage cannot be found",
                    path.display()
                );
                (Body { position, optimizer_steps }, Some(note))
            }
            other => {
                return Err(bad(
                    path,
                    format!(
                        "written in format {other} but this program reads {VERSION}; use the program that wrote it"
                    ),
                ));
            }
        };

        let mut slots: Vec<(usize, Vec<f32>)> = Vec::new();
        let (mut entries, mut averages) = (Vec::new(), Vec::new());
        for (name, view) in &views {
            let values =
                floats(view.dtype(), view.data()).ok_or_else(|| damaged(&format!("`{name}` is not f32")))?;
            if let Some(name) = name.strip_prefix(STATE) {
                entries.push((name.to_owned(), view.shape().to_vec(), values));
            } else if let Some(name) = name.strip_prefix(AVERAGE) {
                averages.push((name.to_owned(), view.shape().to_vec(), values));
            } else if let Some(slot) = name.strip_prefix("optimizer.").and_then(|slot| slot.parse().ok()) {
                slots.push((slot, values));
            } else {
                return Err(damaged(&format!("`{name}` does not belong here")));
            }
        }
        let of_graph = |entries: &[Entry]| {
            let mut state = State::init(graph, 0);
            let report = state.load(entries.iter().map(|(n, s, v)| (n.as_str(), s.as_slice(), v.as_slice())));
            let misfit = report.missing.first().or(report.unexpected.first());
            match misfit.or(report.mismatched.first().map(|(name, ..)| name)) {
                None => Ok(state),
                Some(name) => Err(bad(
                    path,
                    format!(
                        "`{name}` does not fit the network of config.toml; restore the config it was written with"
                    ),
                )),
            }
        };
        let state = of_graph(&entries)?;
        let average = if averages.is_empty() { None } else { Some(of_graph(&averages)?) };
        slots.sort_by_key(|(slot, _)| *slot);
        let slots = slots.into_iter().map(|(_, values)| values).collect();
        let optimizer = OptimizerState { steps: optimizer_steps, slots };
        let checkpoint = Self { position, state, average, optimizer };
        match checkpoint.find_unsound(graph) {
            None => Ok((checkpoint, note)),
            Some((place, _)) => {
                Err(bad(path, format!("{place}: the training diverged before it was written; {REMEDY}")))
            }
        }
    }

    /// The first value that no training can go on with, and its place in words.
    pub(super) fn find_unsound(&self, graph: &Graph) -> Option<(String, f32)> {
        let states = [("", Some(&self.state)), ("the average of ", self.average.as_ref())];
        let found = states.into_iter().find_map(|(words, state)| {
            let unsound = state?.find_unsound(graph)?;
            Some((format!("{words}`{}`: {unsound}", unsound.parameter), unsound.value))
        });
        found.or_else(|| {
            let slots = self.optimizer.slots.iter();
            let value = slots.flatten().find(|value| !value.is_finite())?;
            Some((format!("the optimizer's state has the value {value}"), *value))
        })
    }
}

/// Only the field that all versions share.
fn version_of(header: &str) -> Result<u32, serde_json::Error> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    serde_json::from_str(header).map(|Version { version }| version)
}

/// Name, shape and bytes of a tensor.
type Part<'a> = (&'a str, &'a [usize], Cow<'a, [u8]>);

/// The checksum of a header's content and of tensors, whatever their order: name, shape and bytes of each.
fn checksum(body: &str, mut tensors: Vec<Part<'_>>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body.as_bytes());
    tensors.sort_by_key(|(name, ..)| *name);
    for (name, shape, bytes) in tensors {
        hasher.update(format!("\n{name} {shape:?}\n").as_bytes());
        hasher.update(&bytes);
    }
    hasher.finalize()
}

fn bad(path: &Path, problem: String) -> TrainError {
    TrainError::BadRunFile { path: path.to_owned(), problem }
}

/// Values to be written as little-endian bytes.
struct Floats<'a> {
    shape: Vec<usize>,
    values: &'a [f32],
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>().into()
    }
    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    (dtype == Dtype::F32 && rest.is_empty()).then(|| values.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{Conv2d, Shape};

    fn graph(channels: usize) -> Graph {
        let mut g = Graph::new(Shape::new(1, 4, 4, 3));
        let x = g.input();
        let conv = g.conv2d("conv", x, &Conv2d::new(channels, 3)).expect("the kernel fits");
        let norm = g.batch_norm("bn", conv).expect("the name is new");
        g.output("logits", norm).expect("the node is of this graph");
        g
    }

    fn checkpoint() -> Checkpoint {
        let graph = graph(5);
        let state = State::init(&graph, 3);
        let slots =
            vec![state.values.iter().map(|v| v / 3.0).collect(), vec![f32::MIN_POSITIVE; state.values.len()]];
        let position = Position {
            epochs_done: 2,
            batches_done: 7,
            steps: 31,
            passes: 62,
            loss_sum: 0.1 + 0.2,
            ..Position::default()
        };
        let mut average = state.clone();
        average.values.iter_mut().for_each(|v| *v *= 0.5);
        Checkpoint { position, state, average: Some(average), optimizer: OptimizerState { steps: 31, slots } }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.safetensors");
        checkpoint().save(&path).expect("the folder is writable");
        assert_eq!(Checkpoint::load(&path, &graph(5)).expect("just written"), checkpoint());
    }

    #[test]
    fn damage_and_other_networks_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.safetensors");
        checkpoint().save(&path).expect("the folder is writable");
        let message = Checkpoint::load(&path, &graph(6)).expect_err("another network").to_string();
        assert!(message.contains("does not fit") && message.contains("config.toml"), "{message}");

        let bytes = std::fs::read(&path).expect("just written");
        for keep in [0, 4, 100, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..keep]).expect("the folder is writable");
            let message = Checkpoint::load(&path, &graph(5)).expect_err("cut off").to_string();
            assert!(message.contains("not a complete checkpoint"), "{message}");
        }
    }

    /// Places of bytes all over a file: the length of the header, every fourth byte of the header, and the ends and every
    /// 29th byte of each tensor. To flip every bit takes minutes in a debug build.
    fn sample(bytes: &[u8]) -> Vec<usize> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).expect("just written");
        let tensors = metadata.tensors();
        let data = tensors.values().map(|info| info.data_offsets.1).max().expect("it has tensors");
        let start = bytes.len() - data;
        let mut places: Vec<usize> = (0..8).chain((8..start).step_by(4)).collect();
        for info in tensors.values() {
            let (first, end) = (start + info.data_offsets.0, start + info.data_offsets.1);
            places.extend((first..end).step_by(29));
            places.push(end - 1);
        }
        places.sort_unstable();
        places
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.safetensors");
        checkpoint().save(&path).expect("the folder is writable");
        let bytes = std::fs::read(&path).expect("just written");
        for (number, at) in sample(&bytes).into_iter().enumerate() {
            let bit = number % 8;
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            std::fs::write(&path, &flipped).expect("the folder is writable");
            let error = Checkpoint::load(&path, &graph(5));
            assert!(error.is_err(), "bit {bit} of byte {at} was flipped without notice");
        }
    }

    /// The file as a version without checksums wrote it.
    fn without_checksum(bytes: &[u8]) -> Vec<u8> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).expect("just written");
        let header: serde_json::Value =
            serde_json::from_str(&metadata.metadata().as_ref().expect("there is one")[KEY]).expect("JSON");
        let mut old = header["body"].as_object().expect("an object").clone();
        old.insert("version".into(), 1.into());
        let old = serde_json::to_string(&old).expect("JSON");
        let tensors = SafeTensors::deserialize(bytes).expect("just written");
        safetensors::serialize(tensors.iter(), Some(HashMap::from([(KEY.to_owned(), old)])))
            .expect("as before")
    }

    #[test]
    fn a_file_without_a_checksum_is_read_with_a_note() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.safetensors");
        checkpoint().save(&path).expect("the folder is writable");
        let old = without_checksum(&std::fs::read(&path).expect("just written"));
        std::fs::write(&path, old).expect("the folder is writable");
        let (read, note) = Checkpoint::read(&path, &graph(5)).expect("an older version's file");
        assert_eq!(read, checkpoint());
        assert!(note.is_some_and(|note| note.contains("without a checksum")));
    }

    #[test]
    fn nan_in_any_part_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.safetensors");
        let spoil: [fn(&mut Checkpoint); 4] = [
            |c| c.state.values[3] = f32::NAN,
            |c| c.state.statistics[0] = f32::INFINITY,
            |c| c.average.as_mut().expect("there is one").values[1] = f32::NAN,
            |c| c.optimizer.slots[1][0] = f32::NEG_INFINITY,
        ];
        for spoil in spoil {
            let mut spoilt = checkpoint();
            spoil(&mut spoilt);
            assert!(spoilt.find_unsound(&graph(5)).is_some());
            spoilt.save(&path).expect("the folder is writable");
            let message = Checkpoint::load(&path, &graph(5)).expect_err("spoilt").to_string();
            assert!(message.contains("diverged") && message.contains("--init"), "{message}");
        }
    }
}
