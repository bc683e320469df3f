//! Facts about an image that its outputs use.

use std::sync::Arc;

use dapple_data::Photo;

use crate::geo::GeoReference;

/// The image whose prediction is written.
#[derive(Clone, Debug, Default)]
pub struct ImageInfo {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The name of its file, for COCO and CSV files.
    pub name: String,
    /// Its place on the ground, if it has one.
    pub geo: Option<GeoReference>,
    /// Whether pixels may be transparent, wholly or in part, or without data. Outputs then say so of each: masks by the label
    /// 255, pictures by their alpha, arrays by not-a-number.
    pub has_gaps: bool,
    /// The profile of its colours (ICC.1), which outputs that show them keep.
    pub icc: Option<Arc<[u8]>>,
}

/// A profile of red, green and blue, which is what outputs show: not one of grey or of inks.
pub(crate) fn rgb_profile(icc: Option<&[u8]>) -> Option<Arc<[u8]>> {
    icc.filter(|profile| profile.get(16..20) == Some(b"RGB ")).map(Arc::from)
}

impl ImageInfo {
    /// Of a decoded image.
    pub fn of(photo: &Photo, name: impl Into<String>) -> Self {
        let (width, height) = (photo.raster.width, photo.raster.height);
        let icc = rgb_profile(photo.icc.as_deref());
        Self { width, height, name: name.into(), geo: None, has_gaps: photo.coverage.is_some(), icc }
    }
}
