//! The last state of a training, complete enough to resume as if it had never stopped.
//!
//! One safetensors file: the parameters and running statistics under `state.<name>`, the optimizer's state under
//! `optimizer.<slot>` (flat, in the order of the trainable parameters), their moving average, if there is one, under
//! `average.<name>`, and a JSON header with the position. Batches, augmentation and initial weights are functions of the
//! seed, the epoch and the sample: the position is all the random state there is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use dapple_base::write_atomic;
use dapple_graph::{Graph, State, engine::OptimizerState};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::pace::Pace;
use crate::error::TrainError;

/// The key of the header in the file's metadata.
const KEY: &str = "dapple.checkpoint";
const VERSION: u32 = 1;
/// Prefixes of the names of tensors.
const STATE: &str = "state.";
const AVERAGE: &str = "average.";

/// A parameter's name, shape and values.
type Entry = (String, Vec<usize>, Vec<f32>);

/// How far a training has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Epochs finished, their rows written.
    pub epochs_done: usize,
    /// Batches done of the epoch after them.
    pub batches_done: usize,
    /// Steps of the optimizer.
    pub steps: u64,
    /// Forward passes in training, which dropout's random numbers depend on.
    #[serde(default)]
    pub passes: u64,
    /// Sum of the losses of the unfinished epoch's batches.
    pub loss_sum: f64,
    /// Sum of the gradient norms of the unfinished epoch's steps.
    pub gradient_norm_sum: f64,
    /// Part of `seconds` spent waiting for batches.
    #[serde(default)]
    pub wait_seconds: f64,
    /// Wall-clock time spent on the unfinished epoch, in seconds.
    pub seconds: f64,
    /// Loss of the first batch, with which later ones are compared to detect divergence.
    #[serde(default)]
    pub first_loss: Option<f64>,
    /// Whether the unfinished epoch, or the one before it where it has not begun, shows small images.
    #[serde(default)]
    pub small: bool,
    /// How far a training for a span of time has come.
    #[serde(default)]
    pub pace: Option<Pace>,
}

#[derive(Serialize, Deserialize)]
struct Header {
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
        let header = Header {
            version: VERSION,
            position: self.position.clone(),
            optimizer_steps: self.optimizer.steps,
        };
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
        let bytes =
            std::fs::read(path).map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let damaged = |what: &dyn std::fmt::Display| {
            bad(
                path,
                format!(
                    "not a complete checkpoint: {what}; start a new run, with --init best.safetensors to keep what was learned"
                ),
            )
        };
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
        let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let header: Header = serde_json::from_str(header.ok_or_else(|| damaged(&"it has no header"))?)
            .map_err(|e| damaged(&e))?;
        if header.version != VERSION {
            return Err(bad(
                path,
                format!(
                    "written in format {} but this program reads {VERSION}; use the program that wrote it",
                    header.version
                ),
            ));
        }

        let mut slots: Vec<(usize, Vec<f32>)> = Vec::new();
        let (mut entries, mut averages) = (Vec::new(), Vec::new());
        for (name, view) in tensors.iter() {
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
        let optimizer = OptimizerState { steps: header.optimizer_steps, slots };
        Ok(Self { position: header.position, state, average, optimizer })
    }
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
}
