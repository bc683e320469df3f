//! Dapple's own files: one model, or several that predict together.

mod card;
mod ensemble;
mod file;
mod format;
mod integers;
mod storage;

pub use card::{Class, ModelCard};
pub use ensemble::Ensemble;
pub use file::ModelFile;
pub(super) use integers::SCALE;
pub use storage::Storage;
