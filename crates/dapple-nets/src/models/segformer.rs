//! SegFormer-B0 to B2. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
//! NeurIPS 2021, section 3.2 and equation 4, <https://arxiv.org/abs/2105.15203>.
//!
//! The networks have the names of Hugging Face's checkpoints ([`crate::checkpoint`] translates). They differ from the
//! decoder of segmentation_models_pytorch in the eps of the norms, in the width of the fusing layer for B2 and in the last
//! upsampling.

use crate::blocks::{check_size, conv_bn_relu};
use crate::decoders::{BILINEAR, SMALLEST, all_mlp};
use crate::encoders::{Form, Stride, mit};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Network, Shape};

/// SegFormer-B0 to B2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaperSegFormer {
    /// Size, 0 to 2.
    pub size: u8,
    /// Channels of the first stage; 32 (B0) or 64.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate instead of 0.1.
    pub dropout: Option<f32>,
    /// Largest rate of stochastic depth instead of the published one.
    pub drop_path: Option<f32>,
}

impl Network for PaperSegFormer {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("segformer", input, SMALLEST)?;
        let mut g = Graph::new(input);
        let image = g.input();
        let depths = if self.size < 2 { mit::SMALL } else { mit::LARGE };
        let drop_path = self.drop_path.unwrap_or(mit::DROP_PATH);
        let form =
            Form { prefix: "encoder.", features: "", width: self.width, stride: Stride::Full, drop_path };
        // PyTorch's default eps in all norms.
        let features = mit::build(&mut g, image, &form, depths, 1e-5)?;
        // Table 6: 256 channels for B0 and B1, 768 for B2.
        let channels = match self.size {
            0 => 8 * self.width,
            1 => 4 * self.width,
            _ => 12 * self.width,
        };
        g.use_conv_init(ConvInit::Normal(0.02));
        let name = |stage: usize| format!("decode_head.linear_c.{stage}.proj");
        let x = all_mlp(&mut g, &features, channels, &name)?;
        let fuse = ["decode_head.linear_fuse", "decode_head.batch_norm"];
        let x = conv_bn_relu(&mut g, fuse, x, &Conv2d::new(channels, 1).bias(false))?;
        let x = match self.dropout.unwrap_or(0.1) {
            0.0 => x,
            rate => g.dropout(x, rate)?,
        };
        let x = g.conv2d("decode_head.classifier", x, &Conv2d::new(self.logits, 1))?;
        let x = g.resize(x, image, BILINEAR)?;
        g.output("logits", x)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}
