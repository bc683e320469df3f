//! The image that an output is of.

use crate::geo::GeoReference;

/// The image whose prediction is written.
#[derive(Clone, Debug)]
pub struct ImageInfo {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The name of its file, for COCO and CSV files.
    pub name: String,
    /// Its place on the ground, for a georeferenced TIFF.
    pub geo: Option<GeoReference>,
}
