//! Transposed convolution: its settings.

use super::extent::each;

/// Settings of a transposed convolution (the gradient of [`Conv2d`](crate::Conv2d) as a layer), one group.
///
/// Output extent: `(input - 1) * stride - 2 * padding + kernel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2d {
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding removed from the output's sides.
    pub padding: [usize; 2],
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvTranspose2d {
    /// A square kernel with its stride, no padding and a bias.
    pub const fn new(out_channels: usize, kernel: usize, stride: usize) -> Self {
        Self { out_channels, kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], bias: true }
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// With or without bias.
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// `(input - 1) stride - 2 padding + kernel` both ways, or `None` where nothing is left.
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        each(|i| {
            let full = size[i].checked_sub(1)? * self.stride[i] + self.kernel[i];
            full.checked_sub(2 * self.padding[i]).filter(|&s| s > 0)
        })
    }
}
