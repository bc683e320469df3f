//! The response, made while it is sent.

pub(crate) mod answer;
pub(crate) mod encoding;
pub(crate) mod sending;
