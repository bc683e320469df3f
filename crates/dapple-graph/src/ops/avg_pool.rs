//! Average pooling, with windows of one size and adaptive: its settings.

use super::extent::each;

/// Settings of average pooling with windows of one size. Zeros of the padding count: each sum is divided by the kernel's
/// positions, those outside of the image included (PyTorch's `count_include_pad=True`, its default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding, at most half the kernel.
    pub padding: [usize; 2],
}

impl AvgPool {
    /// A square kernel with its stride, no padding.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2] }
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// `floor((input + 2 padding - kernel) / stride) + 1` both ways, or `None` where the kernel is larger than the padded input.
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        each(|i| Some((size[i] + 2 * self.padding[i]).checked_sub(self.kernel[i])? / self.stride[i] + 1))
    }
}
