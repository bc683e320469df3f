//! One row of an image with its prediction, from which outputs are made.

use std::borrow::Cow;

use crate::decision::UNDECIDED;
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
    /// How much of each pixel is there, `[width]`, 0 to 255; empty where all is there.
    pub coverage: &'a [u8],
    /// Its prediction.
    pub values: &'a RowValues,
}

impl ImageRow<'_> {
    /// The labels, [`UNDECIDED`] where nothing of the pixel is there.
    pub fn labels_with_data(&self) -> Cow<'_, [u8]> {
        let labels = &self.values.labels;
        if !self.coverage.contains(&0) {
            return Cow::Borrowed(labels);
        }
        let label = |(&label, &part): (&u8, &u8)| if part == 0 { UNDECIDED } else { label };
        Cow::Owned(labels.iter().zip(self.coverage).map(label).collect())
    }

    /// Appends the red, green and blue of each pixel: the first three channels, or the first one thrice.
    pub fn append_rgb(&self, out: &mut Vec<u8>) {
        match self.channels {
            3 => out.extend_from_slice(self.pixels),
            1 | 2 => out.extend(self.pixels.chunks_exact(self.channels).flat_map(|p| [p[0]; 3])),
            channels => out.extend(self.pixels.chunks_exact(channels).flat_map(|p| [p[0], p[1], p[2]])),
        }
    }
}
