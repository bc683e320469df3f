//! Reading and writing weights: dapple's model files, and state dicts of other libraries.
//!
//! - [`ModelFile`]: weights with the data needed to use them, in one safetensors file.
//! - [`Ensemble`]: several models in one file, which predict together.
//! - [`read_state_dict`], [`parse_state_dict`]: safetensors and both formats of `torch.save`; nothing in a file is executed.
//! - [`published`], [`write_state_dict`]: weights for PyTorch, under the published names.
//! - [`saved_network`]: the network in a folder that segmentation_models_pytorch wrote.
//! - [`read_foreign`]: a whole network that another program saved.
//! - [`HubConfig`]: the network in a folder of the Hugging Face hub, with any sizes; [`HubFiles`] writes one.
//! - [`init_from`]: initializes a network from a state dict and recognizes its naming scheme; [`init_from_model`] from a
//!   model, whose classes it knows by name.

mod dtype;
mod error;
mod foreign;
mod hub_files;
mod hugging_face;
mod init;
mod model;
mod named_tensor;
mod naming;
mod published;
mod saved;
mod shards;
mod state_dict;
mod torch;
mod version;

pub use dapple_base::Normalization;
pub use error::{CheckpointError, ContentError};
pub use foreign::{ForeignNetwork, read_foreign};
pub use hub_files::HubFiles;
pub use hugging_face::{HubConfig, HubModel, PixelMap};
pub use init::{
    HeadReport, InitError, InitReport, ShapesError, Unmatched, init_from, init_from_file, init_from_model,
    shaped_like,
};
pub use model::{Class, Ensemble, ModelCard, ModelFile, Storage};
pub use named_tensor::NamedTensor;
pub use naming::Naming;
pub use published::{named_as, published};
pub use saved::{check_saved, saved_network, weights_file};
pub use shards::shard_names;
pub use state_dict::{parse_state_dict, read_state_dict, write_state_dict};
