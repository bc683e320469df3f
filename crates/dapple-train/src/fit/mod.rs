//! The loop, from the parts upwards.
//!
//! - `files`, `standing`, `record`, `pace`, `position`, `checkpoint`: files and state of a training.
//! - `observer`, `recorder`: its watchers.
//! - `unlabelled`: batches of images without labels, and the labels that the average is sure of.
//! - `initial`: weights to start from; `setup`: the fixed parts of a training; `network`, `rates`: the network with
//!   frozen batch norms, the learning rates of its parameters.
//! - `session`: batches, the end of an epoch, the end.
//! - `training`: the public face; `rate_finder`: the search for a learning rate.

pub(crate) mod checkpoint;
pub(crate) mod files;
pub(crate) mod initial;
mod model_file;
mod network;
pub(crate) mod observer;
pub(crate) mod outcome;
pub(crate) mod pace;
pub(crate) mod position;
pub(crate) mod rate_finder;
mod rates;
pub(crate) mod record;
pub(crate) mod recorder;
mod session;
mod setup;
pub(crate) mod standing;
pub(crate) mod training;
mod unlabelled;
