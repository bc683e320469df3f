//! The size of an image, and of the reduced picture that filters work on.

/// The approximate side of the reduced picture, in pixels.
const FIT_SIDE: usize = 512;

/// The size of an image, and how far filters reduce it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub width: usize,
    pub height: usize,
    /// So many pixels a side are one of the reduced picture.
    pub factor: usize,
}

impl Frame {
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, factor: (width.min(height) / FIT_SIDE).max(1) }
    }

    /// A radius that is a share of the image's shorter side, in pixels of the reduced picture.
    pub fn small_radius(self, share: f32) -> usize {
        let pixels = (self.width.min(self.height) as f32 * share) as usize;
        pixels.max(2).div_ceil(self.factor)
    }
}
