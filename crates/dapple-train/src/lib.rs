//! Recipes, schedules, the training loop, checkpoints and the run folder.
//!
//! A training is [`TrainConfig`] (all settings) + a data set + a [`RunFolder`]; [`Training::run`] does it on an engine.
//! Nothing here prints: an [`Observer`] hears what happens, a [`StopFlag`] ends it after a batch.

mod byte_size;
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
pub mod machine;
mod model;
mod observer;
pub mod page;
mod pictures;
pub mod recipe;
mod record;
mod run_folder;
mod schedule;
mod segmenter;
mod session;
mod stop;
mod suggest;
mod tally;
mod tensorboard;
mod training;

pub use byte_size::ByteSize;
pub use checkpoint::{Checkpoint, Position};
pub use config::{
    CachePlace, CheckpointConfig, ClassWeights, DataConfig, EvaluationConfig, LossConfig, TrainConfig,
};
pub use defaults::DEFAULT_SIZE;
pub use diary::{ClassRow, ClassValues, read_class_rows};
pub use error::TrainError;
pub use evaluate::{Evaluation, EvaluationSet, evaluate, evaluate_at_image_size};
pub use examine::{
    CalibrationResult, ClassSummary, DataSummary, Examination, Place, PrecisionRecallResult, ShownImage,
};
pub use journal::{Activity, Pace, Progress, RunInfo, SessionInfo, duration, grouped, line_of};
pub use model::{Provenance, classes_of, input_of, load_model, model_path};
pub use observer::{Event, Observer};
pub use recipe::Recipe;
pub use record::{EpochRecord, best_epoch, read_records};
pub use run_folder::RunFolder;
pub use schedule::Schedule;
pub use segmenter::{LogitRows, Prediction, Segmenter};
pub use stop::StopFlag;
pub use training::{Outcome, Training, open_dataset};
