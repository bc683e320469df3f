//! Transposed convolution.

use crate::{ConvTranspose2d, Graph, GraphError, NodeId, Op, Role, Shape};

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
