//! One row of an image with its prediction, from which outputs are made.

use crate::prediction::RowValues;

/// A row of an image with its prediction.
#[derive(Clone, Copy, Debug)]
pub struct ImageRow<'a> {
    /// Its index, from the top.
    pub y: usize,
    /// The image's values, `[width, channels]`.
    pub pixels: &'a [u8],
    /// Values per pixel.
    pub channels: usize,
    /// Its prediction.
    pub values: &'a RowValues,
}

impl ImageRow<'_> {
    /// Appends the red, green and blue of each pixel: the first three channels, or the first one thrice.
    pub fn append_rgb(&self, out: &mut Vec<u8>) {
        match self.channels {
            3 => out.extend_from_slice(self.pixels),
            1 | 2 => out.extend(self.pixels.chunks_exact(self.channels).flat_map(|p| [p[0]; 3])),
            channels => out.extend(self.pixels.chunks_exact(channels).flat_map(|p| [p[0], p[1], p[2]])),
        }
    }
}
