//! The settings of a batch, and its reports.

use std::path::PathBuf;
use std::time::Duration;

use dapple_base::{Shard, Size};

use crate::error::PredictError;
use crate::inputs::Input;
use crate::output::{OutputKind, OutputSettings};
use crate::tiles::TileGrid;

/// The outputs to make of each image, and their folder.
#[derive(Clone, Debug)]
pub struct BatchSettings {
    /// The kinds of outputs.
    pub kinds: Vec<OutputKind>,
    /// Their settings.
    pub output: OutputSettings,
    /// The folder for results; it is created.
    pub out: PathBuf,
    /// Make all results anew, and replace files that dapple did not make.
    pub force: bool,
    /// Files that are never replaced, besides the inputs: models, for instance.
    pub protected: Vec<PathBuf>,
    /// The engine in words, such as its device and precision: results of another one are made anew.
    pub engine: String,
    /// Threads that decode, and as many that encode.
    pub workers: usize,
    /// The share of the inputs to predict, by their names ([`Input::key`]); all of them without. Files of all inputs
    /// together then have the share's name, and [`join`](super::join()) makes the whole of them.
    pub shard: Option<Shard>,
}

/// The fate of one image.
#[derive(Debug)]
pub enum BatchEvent<'a> {
    /// Its results are written.
    Predicted(&'a Input),
    /// Its results existed, made with the same models and settings of the same input, and are kept.
    Kept(&'a Input),
    /// It is a scene of that size, much larger than the images of the training, and is cut into tiles of their scale. Another
    /// event follows.
    Scene(&'a Input, Size, TileGrid),
    /// It has that size, far larger than the images of the training, and is seen whole as a photograph nevertheless. Another
    /// event follows.
    SeenWhole(&'a Input, Size),
    /// It could not be predicted.
    Bad(&'a Input, &'a PredictError),
}

/// The result of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchSummary {
    /// Images whose results were written.
    pub predicted: usize,
    /// Images whose results existed.
    pub kept: usize,
    /// Images that could not be predicted.
    pub bad: usize,
    /// Those of them that the program itself failed on ([`PredictError::Crashed`]).
    pub crashed: usize,
    /// Images that remained when the batch was stopped.
    pub left: usize,
    /// From the first image's decoding to the last file.
    pub elapsed: Duration,
    /// Time in the networks.
    pub network: Duration,
}
