//! Tests of the networks and their files.

mod encoders;
mod from_models;
mod golden;
mod hugging_face;
mod memory;
mod model_files;
mod names;
mod namings;
mod networks;
mod parity;
mod quantized_files;
mod saved;
mod state_dicts;
mod training;
