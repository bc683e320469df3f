//! One row of an image with what is predicted for it: what outputs are made of.

use crate::prediction::RowValues;

/// A row of an image with its prediction.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Which one, from the top.
    pub y: usize,
    /// The image's values, `[width, channels]`.
    pub pixels: &'a [u8],
    /// Values a pixel.
    pub channels: usize,
    /// What is predicted.
    pub values: &'a RowValues,
}

impl Row<'_> {
    /// Appends the red, green and blue of each pixel: the first three channels, or the first one thrice.
    pub fn append_rgb(&self, out: &mut Vec<u8>) {
        match self.channels {
            3 => out.extend_from_slice(self.pixels),
            1 | 2 => out.extend(self.pixels.chunks_exact(self.channels).flat_map(|p| [p[0]; 3])),
            channels => out.extend(self.pixels.chunks_exact(channels).flat_map(|p| [p[0], p[1], p[2]])),
        }
    }
}
