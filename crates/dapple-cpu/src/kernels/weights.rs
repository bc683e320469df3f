//! How the weights of a convolution stand in the parameter buffer.
//!
//! Output channels are cut into panels of [`PANEL`], the last of which may be half as wide; a panel is
//! `[taps, in, width]`. So a product reads its right matrix from one end to the other, and memory (for large kernels
//! it is memory: 38 MB for 1024 x 1024 channels) is read in runs that the processor foresees.

use super::gemm::PANEL;

/// The weights of a convolution, forward or transposed, or of one bundle of a grouped one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    /// Where they stand in the parameter buffer, and their gradient in the gradient buffer.
    pub offset: usize,
    pub taps: usize,
    /// Channels, padded.
    pub ins: usize,
    pub outs: usize,
}

impl Weights {
    /// Their number.
    pub fn len(&self) -> usize {
        self.taps * self.ins * self.outs
    }

    /// The columns of the panel that output channel `out` is in.
    #[inline]
    pub fn width(&self, out: usize) -> usize {
        PANEL.min(self.outs - out / PANEL * PANEL)
    }

    /// The place of a weight, counted from the first. Output channels up to the panel's end follow.
    #[inline]
    pub fn at(&self, tap: usize, channel: usize, out: usize) -> usize {
        out / PANEL * PANEL * self.taps * self.ins
            + (tap * self.ins + channel) * self.width(out)
            + out % PANEL
    }
}
