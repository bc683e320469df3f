//! Tests of the crate by its public face.

mod common;
mod hostile;
mod images;
mod layouts;
mod loader;
mod masks;
mod real_data;
mod splits;
mod synthetic;
