//! The shape of an activation.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of an activation, channels-last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Images in the batch.
    pub n: usize,
    /// Height in pixels.
    pub h: usize,
    /// Width in pixels.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Shape {
    /// `[n, h, w, c]`.
    pub const fn new(n: usize, h: usize, w: usize, c: usize) -> Self {
        Self { n, h, w, c }
    }

    /// Number of values.
    pub const fn len(self) -> usize {
        self.n * self.h * self.w * self.c
    }

    /// Whether some extent is zero.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of pixels in the batch.
    pub const fn pixels(self) -> usize {
        self.n * self.h * self.w
    }

    /// The same batch and size with other channels.
    pub const fn with_channels(self, c: usize) -> Self {
        Self { c, ..self }
    }

    /// The same batch and channels with another size.
    pub const fn with_size(self, h: usize, w: usize) -> Self {
        Self { h, w, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.n, self.h, self.w, self.c)
    }
}
