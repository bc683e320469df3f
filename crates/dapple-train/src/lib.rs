//! Recipes, schedules, the training loop, checkpoints and the run folder.
//!
//! A training is [`TrainConfig`] (all settings) + a data set + a [`RunFolder`]; [`Training::run`] does it on an engine.
//! Nothing here prints: an [`Observer`] hears what happens, a [`dapple_base::StopFlag`] ends it after a batch.

pub mod auto;
mod checkpoint;
mod comments;
mod config;
pub mod decide;
mod defaults;
mod diary;
mod error;
mod evaluate;
mod examine;
mod journal;
mod model;
mod observer;
mod pace;
pub mod page;
mod pictures;
mod rate_finder;
mod rates;
pub mod recipe;
mod record;
mod run_folder;
mod schedule;
mod segmenter;
mod session;
mod small_images;
pub mod sweep;
mod tally;
mod tensorboard;
mod training;

pub use checkpoint::{Checkpoint, Position};
pub use config::{
    CachePlace, CheckpointConfig, ClassWeights, DataConfig, EvaluationConfig, LossConfig, TrainConfig,
};
pub use defaults::DEFAULT_SIZE;
pub use diary::{ClassRow, ClassValues, read_class_rows};
pub use error::{NotFinite, TrainError};
pub use evaluate::{
    Evaluation, EvaluationSet, evaluate, evaluate_at_image_size, evaluate_inputs, evaluate_labels,
};
pub use examine::{
    CalibrationResult, ClassSummary, DataSummary, Examination, Place, PrecisionRecallResult, ShownImage,
};
pub use journal::{Activity, Progress, RunInfo, SessionInfo, Throughput, duration, grouped, line_of};
pub use model::{Provenance, Weights, classes_of, input_of, load_model, load_models, model_path};
pub use observer::{Event, Observer};
pub use pace::Pace;
pub use rate_finder::RateSweep;
pub use recipe::Recipe;
pub use record::{EpochRecord, best_epoch, read_records};
pub use run_folder::RunFolder;
pub use schedule::Schedule;
pub use segmenter::{LogitRows, Prediction, Segmenter};
pub use small_images::SmallImages;
pub use training::{Outcome, Training, open_dataset};
