//! Transposed convolution.

use super::each;
use crate::{Graph, GraphError, NodeId, Op, Role, Shape};

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

impl Graph {
    /// Transposed convolution with parameters `name.weight` and, unless the settings leave it out, `name.bias`.
    ///
    /// # Errors
    /// If nothing is left of the output.
    pub fn conv_transpose2d(
        &mut self,
        name: &str,
        x: NodeId,
        conv: &ConvTranspose2d,
    ) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let bad = |why: &str| GraphError::Invalid {
            op: "conv_transpose2d",
            name: name.into(),
            shape: s,
            why: why.into(),
        };
        if [conv.kernel, conv.stride].iter().flatten().any(|&v| v == 0) || conv.out_channels == 0 {
            return Err(bad("kernel, stride and output channels must be at least 1"));
        }
        let [h, w] = conv.output_size([s.h, s.w]).ok_or_else(|| bad("the padding leaves no output"))?;
        // PyTorch computes the fan of this layout from its second axis.
        let fan_in = conv.out_channels * conv.kernel[0] * conv.kernel[1];
        let shape = vec![s.c, conv.out_channels, conv.kernel[0], conv.kernel[1]];
        let fan_out = s.c * conv.kernel[0] * conv.kernel[1];
        let init = self.conv_init.weight(fan_in, fan_out);
        let weight = self.add_param(format!("{name}.weight"), shape, Role::ConvTransposeWeight, init)?;
        let bias = self.conv_bias(name, conv.bias, conv.out_channels, fan_in)?;
        let shape = Shape::new(s.n, h, w, conv.out_channels);
        Ok(self.push(name, Op::ConvTranspose2d { weight, bias, conv: *conv }, vec![x], shape))
    }
}
