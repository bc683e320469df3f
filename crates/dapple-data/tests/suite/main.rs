//! Tests of the crate by its public face.

mod augment;
mod coco_faults;
mod common;
mod folder_names;
mod formats;
mod hostile;
mod images;
mod layouts;
mod loader;
mod lossy;
mod mask_values;
mod masks;
mod palettes;
mod published;
mod real_data;
mod several_masks;
mod soft_masks;
mod splits;
mod synthetic;
mod tiff_files;
mod tiff_kinds;
mod tiffs;
mod tools;
mod turned;
mod unlabelled;
mod values;
