//! Tests of the networks and their files.

mod from_models;
mod golden;
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
