//! Max pooling and its undoing: its settings.

use super::extent::each;

/// Settings of max pooling. Padding counts as minus infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Kernel height and width, at most 256 positions in all.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding, at most half the kernel.
    pub padding: [usize; 2],
    /// Round the output size up instead of down (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl MaxPool {
    /// A square kernel with its stride, floor mode.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], ceil: false }
    }

    /// Rounds the output size up.
    pub const fn ceil(mut self, ceil: bool) -> Self {
        self.ceil = ceil;
        self
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// PyTorch's rule: in ceil mode a last window that would start in the padding behind the image is dropped.
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        each(|i| {
            let span = size[i] + 2 * self.padding[i];
            if self.ceil {
                // A window may reach past the padded input as long as it starts inside the image.
                let mut out = (span + self.stride[i] - 1).checked_sub(self.kernel[i])? / self.stride[i] + 1;
                if (out - 1) * self.stride[i] >= size[i] + self.padding[i] {
                    out -= 1;
                }
                (out > 0).then_some(out)
            } else {
                Some(span.checked_sub(self.kernel[i])? / self.stride[i] + 1)
            }
        })
    }
}
