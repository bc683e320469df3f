//! Segmentation networks of the Hugging Face hub, as the library transformers saves them: a `config.json` with the sizes, and the
//! weights.

mod config;
mod settings;
mod weights;
mod write;

pub use config::HubConfig;
pub use weights::{HubModel, PixelMap};
pub(super) use write::config_of as transformers_config_of;
