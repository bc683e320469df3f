//! The networks by name: whole ones, and each decoder on each encoder that fits, `DECODER-ENCODER`.

mod configure;
mod entry;
mod list;
mod on_encoders;
mod whole;

pub use entry::NetworkEntry;
pub use list::{find, networks};
