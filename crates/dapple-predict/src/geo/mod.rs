//! The place of an image's pixels on the ground, from a GeoTIFF's tags or from the files beside an image.

mod beside;
mod crs;
mod reference;
mod tags;

pub use reference::GeoReference;
pub(crate) use tags::GeoTags;
