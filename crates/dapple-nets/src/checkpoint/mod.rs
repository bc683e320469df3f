//! Weights in and out: dapple's own model files, and other people's state dicts.
//!
//! - [`ModelFile`]: weights with everything that is needed to use them, in one safetensors file.
//! - [`Ensemble`]: several of them in one, which predict together.
//! - [`read_state_dict`], [`parse_state_dict`]: safetensors and both formats of `torch.save`; nothing in a file is ever executed.
//! - [`published`], [`write_state_dict`]: weights for PyTorch, under the published names.
//! - [`saved_network`]: which network a folder of segmentation_models_pytorch holds.
//! - [`init_from`]: takes the values of a state dict over into a network, telling the naming by itself.

mod dtype;
mod ensemble;
mod error;
mod init;
mod init_file;
mod model_file;
mod naming;
mod pickle;
mod saved;
mod state_dict;
mod timm;
mod torch;
mod value;

pub use dapple_base::Normalization;
pub use ensemble::Ensemble;
pub use error::{CheckpointError, ContentError};
pub use init::{InitError, InitReport, Unmatched, init_from, published};
pub use init_file::init_from_file;
pub use model_file::{Class, ModelCard, ModelFile, Storage};
pub use naming::Naming;
pub use saved::{check_saved, saved_network};
pub use state_dict::{Entry, parse_state_dict, read_state_dict, write_state_dict};
