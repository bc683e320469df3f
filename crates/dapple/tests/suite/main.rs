//! The `dapple` program as scripts use it, the library's face, and the optional engines.

mod commands;
mod common;
mod devices;
#[cfg(any(feature = "torch", feature = "gpu"))]
mod engines;
mod existing_files;
mod export;
#[cfg(target_os = "linux")]
mod failing;
mod fine_tuning;
mod foreign;
#[cfg(target_os = "linux")]
mod full_disk;
mod generated;
mod hub;
mod images;
#[cfg(unix)]
mod killed;
mod manners;
#[cfg(target_os = "linux")]
mod memory;
mod models;
mod next;
mod onnx;
mod predict;
mod quantized;
mod report;
mod runs;
mod saved;
mod score;
#[cfg(unix)]
mod serve;
mod shards;
#[cfg(unix)]
mod stopped;
mod studio;
mod templates;
mod training;
mod watch;
mod wrong_input;
