//! What the studio asks of the program around it, which alone knows engines, recipes and caches of weights.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use dapple_data::Dataset;
use dapple_graph::Engine;
use dapple_train::TrainConfig;

use super::run_state::Choice;

/// Why the program could not do something; the message is for people.
pub type ProgramError = Box<dyn Error + Send + Sync>;

/// A training that is planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings.
    pub config: TrainConfig,
    /// The data, opened.
    pub dataset: Arc<Dataset>,
    /// The choices of the automatic recipe.
    pub choices: Vec<Choice>,
}

/// The program around the studio.
pub trait Program: Send + Sync {
    /// Plans a training of so many minutes on the labels of a folder, of which some images have none. It may fetch weights.
    ///
    /// # Errors
    /// Data that cannot be trained on, and settings that do not fit.
    fn plan(&self, data: &Path, minutes: u32) -> Result<Plan, ProgramError>;

    /// The engine for a training with these settings.
    ///
    /// # Errors
    /// A device that is not there.
    fn engine_for(&self, config: &TrainConfig) -> Result<Box<dyn Engine>, ProgramError>;
}
