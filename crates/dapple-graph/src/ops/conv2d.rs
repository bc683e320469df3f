//! Convolution.

use super::each;
use crate::{Graph, GraphError, NodeId, Op, ParamId, Role, Shape};

/// Settings of a two-dimensional convolution (cross-correlation, as every framework has it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding above and below, left and right.
    pub padding: [usize; 2],
    /// Distance between kernel taps.
    pub dilation: [usize; 2],
    /// Input and output channels are split into this many independent groups.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv2d {
    /// A square kernel with stride 1, no padding, one group and a bias.
    pub const fn new(out_channels: usize, kernel: usize) -> Self {
        Self {
            out_channels,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            bias: true,
        }
    }

    /// The same stride both ways.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride; 2];
        self
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// The same dilation both ways.
    pub const fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = [dilation; 2];
        self
    }

    /// Number of groups.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// With or without bias.
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// `floor((input + 2 padding - dilation (kernel - 1) - 1) / stride) + 1` both ways, or `None` where the
    /// kernel is larger than the padded input.
    pub fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        each(|i| {
            let span = self.dilation[i] * (self.kernel[i] - 1) + 1;
            Some((size[i] + 2 * self.padding[i]).checked_sub(span)? / self.stride[i] + 1)
        })
    }
}

impl Graph {
    /// Convolution with parameters `name.weight` and, unless the settings leave it out, `name.bias`.
    ///
    /// # Errors
    /// If channels are not divisible by the groups or the kernel is larger than the padded input.
    pub fn conv2d(&mut self, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
        let s = self.check(x)?;
        let bad = |why: String| GraphError::Invalid { op: "conv2d", name: name.into(), shape: s, why };
        if conv.groups == 0
            || !s.c.is_multiple_of(conv.groups)
            || !conv.out_channels.is_multiple_of(conv.groups)
        {
            return Err(bad(format!(
                "{} input and {} output channels are not divisible into {} groups",
                s.c, conv.out_channels, conv.groups
            )));
        }
        if [conv.kernel, conv.stride, conv.dilation].iter().flatten().any(|&v| v == 0)
            || conv.out_channels == 0
        {
            return Err(bad("kernel, stride, dilation and output channels must be at least 1".into()));
        }
        let [h, w] = conv
            .output_size([s.h, s.w])
            .ok_or_else(|| bad(format!("smaller than the kernel {:?}; use a larger image", conv.kernel)))?;
        let per_group = s.c / conv.groups;
        let fan_in = per_group * conv.kernel[0] * conv.kernel[1];
        let fan_out = conv.out_channels * conv.kernel[0] * conv.kernel[1];
        let shape = vec![conv.out_channels, per_group, conv.kernel[0], conv.kernel[1]];
        let init = self.conv_init.weight(fan_in, fan_out);
        let weight = self.add_param(format!("{name}.weight"), shape, Role::ConvWeight, init)?;
        let bias = self.conv_bias(name, conv.bias, conv.out_channels, fan_in)?;
        let shape = Shape::new(s.n, h, w, conv.out_channels);
        Ok(self.push(name, Op::Conv2d { weight, bias, conv: *conv }, vec![x], shape))
    }

    /// The bias of a convolution, where it has one.
    pub(super) fn conv_bias(
        &mut self,
        name: &str,
        on: bool,
        channels: usize,
        fan_in: usize,
    ) -> Result<Option<ParamId>, GraphError> {
        let init = self.conv_init.bias(fan_in);
        on.then(|| self.add_param(format!("{name}.bias"), vec![channels], Role::Bias, init)).transpose()
    }
}
