//! The bounds of requests: shares of connections, slots and memory, the pace of clients, the needs of images.

pub(crate) mod held;
pub(crate) mod memory;
pub(crate) mod pace;
pub(crate) mod shares;
