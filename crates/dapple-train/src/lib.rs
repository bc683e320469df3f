//! Training a network: settings, recipes, the automatic recipe, and the loop.
//!
//! A training is [`TrainConfig`] (all settings) and a data set; [`Training::run`] runs it on an engine and writes its
//! [`TrainingFiles`]. Nothing here prints or draws: an [`Observer`] is told of events, a [`Recorder`] gets the network at the
//! moments that are drawn, a [`dapple_base::StopFlag`] ends the training after a batch.
//!
//! Each setting is defined once; [`settings`] lists them with their documentation, ranges and flags.
//!
//! ```no_run
//! use dapple_base::StopFlag;
//! use dapple_train::{TrainConfig, Training, TrainingFiles, open_dataset};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TrainConfig::for_network("unet", 2, "horses".as_ref())?;
//! let training = Training::new(config.clone(), open_dataset(&config)?)?;
//! let engine = dapple_cpu::CpuEngine::new(None)?;
//! training.run(TrainingFiles::new("run"), &engine, &mut (), &mut (), &StopFlag::new())?;
//! # Ok(())
//! # }
//! ```

pub mod auto;
mod config;
mod error;
mod fit;
pub mod recipe;

pub use config::data::{CachePlace, DataConfig};
pub use config::defaults::DEFAULT_SIZE;
pub use config::file::ParseError;
pub use config::loss::{ClassWeights, LossConfig};
pub use config::measuring::{CheckpointConfig, EvaluationConfig};
pub use config::schedule::Schedule;
pub use config::settings;
pub use config::small_images::SmallImages;
pub use config::train_config::TrainConfig;
pub use config::unlabelled::UnlabelledConfig;
pub use error::{NotFinite, RecorderError, TrainError};
pub use fit::checkpoint::Checkpoint;
pub use fit::files::TrainingFiles;
pub use fit::initial::Initial;
pub use fit::observer::{Event, Observer};
pub use fit::outcome::Outcome;
pub use fit::pace::Pace;
pub use fit::position::Position;
pub use fit::rate_finder::{RateStep, RateSweep};
pub use fit::record::{EpochRecord, best_epoch, read_records};
pub use fit::recorder::Recorder;
pub use fit::standing::Standing;
pub use fit::training::{Training, open_dataset};
pub use recipe::Recipe;
