//! Code shared by the commands: devices, models by name, values of flags, JSON, scores, shares of the work, progress and signals.
//!
//! Nothing here knows a command.

pub mod cluster;
pub mod data;
pub mod device;
pub mod json;
pub mod models;
pub mod progress;
pub mod remote;
pub mod scores;
pub mod shard;
pub mod signal;
pub mod values;
pub mod written;
