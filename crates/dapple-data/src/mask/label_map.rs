//! Label maps, and images with their label maps.

use image::metadata::Orientation;

use crate::image::orientation::orient;
use crate::image::raster::Raster;
use crate::image::resize::Window;

/// A label map, `[height, width]`, rows from the top: the class of every pixel, or the ignore label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `height * width` labels.
    pub labels: Vec<u8>,
}

/// An image and its label map, of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImage {
    /// The image, `[height, width, channels]`.
    pub image: Raster,
    /// The labels, `[height, width]`.
    pub labels: LabelMap,
}

impl LabelMap {
    /// Turned upright by the orientation of its image.
    pub(crate) fn turned(self, turn: Orientation) -> Self {
        let (width, height, labels) = orient(self.width, self.height, 1, self.labels, turn);
        Self { width, height, labels }
    }

    /// How many pixels have each label, in the order of labels; labels without a pixel are left out.
    pub(crate) fn counts(&self) -> Vec<(u8, u64)> {
        let mut counts = [0_u64; 256];
        for run in self.labels.chunk_by(|a, b| a == b) {
            counts[usize::from(run[0])] += run.len() as u64;
        }
        (0..=255).zip(counts).filter(|&(_, n)| n > 0).collect()
    }
}

/// Resizes a window of a label map to `height` x `width`: every output pixel takes the label of the source pixel in
/// which its centre falls.
pub(crate) fn resize_labels(map: &LabelMap, window: Window, height: usize, width: usize) -> LabelMap {
    let sources = |out: usize, size: usize, from: f64, share: f64| -> Vec<usize> {
        let at = |i| ((from + share * (i as f64 + 0.5) / out as f64) * size as f64) as usize;
        (0..out).map(|i| at(i).min(size - 1)).collect()
    };
    let columns = sources(width, map.width, window.left, window.width);
    let mut labels = Vec::with_capacity(height * width);
    for y in sources(height, map.height, window.top, window.height) {
        let row = &map.labels[y * map.width..][..map.width];
        labels.extend(columns.iter().map(|&x| row[x]));
    }
    LabelMap { width, height, labels }
}
