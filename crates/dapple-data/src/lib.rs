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
//! Folders, the upper ones standing on the lower ones:
//!
//! | folder | content |
//! |---|---|
//! | `load` | the [`Loader`]: batches, made ahead by threads |
//! | `inspect` | [`Inspection`]: what a data set holds and what looks wrong with it |
//! | `split` | [`Split`]: training, validation and test |
//! | `dataset` | [`Dataset`]: opening a folder, its samples, converting it |
//! | `augment` | [`Augment`]: random changes |
//! | `format` | the formats that are read, one file each |
//! | `mask` | mask files, [`LabelMap`], [`Classes`] |
//! | `image` | image files, [`Raster`], [`InputSettings`] |
//!
//! Nothing depends on the number of threads.

mod augment;
mod dataset;
mod error;
mod format;
mod image;
pub mod inspect;
mod load;
mod mask;
mod parallel;
mod part;
mod random;
mod split;

pub use dapple_base::{
    IMAGENET_MEAN, IMAGENET_STD, Normalization, SampleKind, Size, TrainingImages, ValueRange,
};

pub use self::image::decode::{
    colour_profile, decode_image, decode_image_as, decode_image_bytes, decode_photo, decode_photo_bytes,
    image_size, image_size_bytes, is_turned,
};
pub use self::image::encode::{encode_indexed_png, encode_png, padded_palette, write_indexed_png};
pub use self::image::input::InputSettings;
pub use self::image::raster::{
    Channels, DECODE_LIMIT_BYTES, FILE_LIMIT_BYTES, MAX_CHANNELS, Photo, Raster, luma,
};
pub use self::image::reading::{Reading, SourceImages};
pub use self::image::stored::{Samples, Stored};
pub use self::image::tiff::TiffFile;
pub use augment::settings::{Augment, Border};
pub use dataset::fingerprint::Fingerprint;
pub use dataset::options::{MaskOrientation, OpenOptions};
pub use dataset::reader::MaskReader;
pub use dataset::samples::Dataset;
pub use dataset::synthetic;
pub use dataset::unlabelled::BEYOND;
pub use error::{DataError, Result};
pub use format::manifest::{ManifestColumn, is_manifest, manifest_rows};
pub use format::mask_files::mask_files;
pub use format::unread::Unread;
pub use format::walk::{FoundImages, find_images, has_image_extension};
pub use format::{Format, UnknownFormat};
pub use inspect::{Inspection, preview};
pub use load::cache::CacheSettings;
pub use load::loader::{Batch, Epoch, Loader, LoaderSettings};
pub use mask::classes::{Classes, palette};
pub use mask::coding::LabelCoding;
pub use mask::decoder::{decode_labels, decode_values, decode_values_bytes};
pub use mask::label_map::{LabelMap, LabelledImage};
pub use mask::raw::MaskValues;
pub use mask::statistics::ClassStatistics;
pub use part::Part;
pub use split::{DEFAULT_TRAIN_FRACTION, Fold, Split, SplitIndices, SplitSettings, train_count};
