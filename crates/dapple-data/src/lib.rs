//! Finding image and mask pairs, decoding labels, splits, augmentation and the loader.
//!
//! ```no_run
//! use std::sync::Arc;
//! use dapple_data::{Augment, Dataset, InputSettings, Loader, LoaderSettings, OpenOptions, Split};
//!
//! # fn main() -> dapple_data::Result<()> {
//! let dataset = Arc::new(Dataset::open("horses", &OpenOptions::default())?);
//! let split = Split::new(&dataset, 0, dapple_data::DEFAULT_TRAIN_FRACTION)?;
//! let parts = split.indices(&dataset)?;
//! let settings = LoaderSettings {
//!     augment: Augment::light(),
//!     shuffle: true,
//!     ..LoaderSettings::new(InputSettings::new(224, 224), 4)
//! };
//! let loader = Loader::new(dataset, parts.train, settings)?;
//! for batch in loader.epoch(0) {
//!     let batch = batch?;
//!     println!("{} images of {} x {}", batch.n, batch.h, batch.w);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The way of the data, one module a step: `format` finds files, `image_file`, `raw_mask`, `regions` and `decoder` decode
//! them, `survey` and `coding` learn the classes from all masks, `open` puts it together, `dataset` holds the result; `split` divides it, `augment` and `input` turn a sample into
//! what a network takes, `loader` and `prefetch` make batches of them. Nothing depends on the number of threads.

mod augment;
mod cache;
mod class_table;
mod classes;
mod coding;
mod convert;
mod dataset;
mod decoder;
mod error;
mod files;
mod format;
mod image_file;
mod input;
pub mod inspect;
mod labels;
mod loader;
mod mask_files;
mod open;
mod part;
mod prefetch;
pub mod preview;
mod random;
mod raw_mask;
mod regions;
mod split;
mod survey;
pub mod synthetic;
mod tiff_file;
mod walk;
mod weights;

pub use augment::{Augment, Border};
pub use cache::CacheSettings;
pub use classes::{Classes, palette};
pub use dataset::{Dataset, LabelledImage, OpenOptions};
pub use error::{DataError, Result};
pub use files::{encode_indexed_png, encode_png, write_indexed_png};
pub use format::Format;
pub use image_file::{
    DECODE_LIMIT_BYTES, MAX_CHANNELS, Raster, decode_image, decode_image_bytes, image_size_bytes, luma,
};
pub use input::{IMAGENET_MEAN, IMAGENET_STD, InputSettings, Normalise};
pub use inspect::Inspection;
pub use labels::{LabelCoding, LabelMap, MaskValues, decode_labels, decode_values, decode_values_bytes};
pub use loader::{Batch, Epoch, Loader, LoaderSettings};
pub use mask_files::mask_files;
pub use part::Part;
pub use split::{DEFAULT_TRAIN_FRACTION, Fold, Split, SplitIndices, SplitSettings, train_count};
pub use walk::images_below;
pub use weights::ClassStatistics;
