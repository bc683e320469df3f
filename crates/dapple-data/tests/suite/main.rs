//! Tests of the crate by its public face.

mod augment;
mod common;
mod formats;
mod hostile;
mod images;
mod layouts;
mod loader;
mod masks;
mod real_data;
mod soft_masks;
mod splits;
mod synthetic;
mod tiff_files;
mod tools;
mod turned;
