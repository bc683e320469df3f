//! The content of a request: its body, the image in it or at its address, and the parameters.

pub(crate) mod addresses;
pub(crate) mod body;
pub(crate) mod fetch;
pub(crate) mod members;
pub(crate) mod parameters;
pub(crate) mod submission;
