//! Convolution.

use crate::{Conv2d, Graph, GraphError, NodeId, Op, ParamId, Role, Shape};

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
