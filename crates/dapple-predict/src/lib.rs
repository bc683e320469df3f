//! From photographs to masks, overlays, cut-outs and outlines, with one model or several.
//!
//! A [`Predictor`] is one or more models with [`Settings`]: ensembles, flips and scales at test time, thresholds, tiles.
//! [`Predictor::predict`] gives the [`Prediction`] of a whole image; [`Predictor::predict_tiles`] gives the rows of an image
//! of any size, in memory for a row of tiles. An [`output::Output`] is made of rows, so that it does not matter which.
//! [`batch`] does all of it for many files, with decoding, networks and encoding side by side;
//! [`video`] for films.

pub mod batch;
mod components;
mod decision;
mod error;
mod geo;
pub mod inputs;
mod matte;
mod outline;
pub mod output;
mod prediction;
mod predictor;
mod row;
mod settings;
pub mod source;
mod tiled;
pub mod tiles;
mod variant;
pub mod video;

pub use decision::UNDECIDED;
pub use error::PredictError;
pub use geo::GeoReference;
pub use prediction::{PredictedRows, Prediction, RowValues, Wants};
pub use predictor::{Predictor, Prepared};
pub use row::Row;
pub use settings::{DEFAULT_MEMORY_BYTES, Settings, Tiling, WorkingSize};
