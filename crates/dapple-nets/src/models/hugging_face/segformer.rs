//! SegFormer with any sizes, as transformers' `SegformerForSemanticSegmentation`. Xie et al., NeurIPS 2021, section 3,
//! <https://arxiv.org/abs/2105.15203>.
//!
//! The same graph as `segformer-b0` to `b2` of the registry where the sizes are theirs.

use super::input::image;
use crate::blocks::{check_size, conv_bn_relu};
use crate::decoders::{BILINEAR, SMALLEST, all_mlp};
use crate::encoders::{Form, Stride, mit};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Network, Shape};

/// SegFormer with the sizes of a `config.json`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HubSegFormer {
    /// The encoder's sizes.
    pub stages: mit::Stages,
    /// Channels of the decoder.
    pub decoder: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate before the last layer.
    pub dropout: f32,
    /// Largest rate of stochastic depth.
    pub drop_path: f32,
    /// Whether a layer of its own prepares the pixels.
    pub prepares: bool,
}

impl Network for HubSegFormer {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("segformer", input, SMALLEST)?;
        let mut g = Graph::new(input);
        let x = image(&mut g, self.prepares)?;
        let form = Form {
            prefix: "encoder.",
            features: "",
            width: self.stages.channels[0],
            stride: Stride::Full,
            drop_path: self.drop_path,
        };
        // PyTorch's default eps in all norms, whatever the settings say.
        let features = mit::build_sized(&mut g, x, &form, &self.stages, 1e-5)?;
        g.use_conv_init(ConvInit::Normal(0.02));
        let name = |stage: usize| format!("decode_head.linear_c.{stage}.proj");
        let x = all_mlp(&mut g, &features, self.decoder, &name)?;
        let fuse = ["decode_head.linear_fuse", "decode_head.batch_norm"];
        let x = conv_bn_relu(&mut g, fuse, x, &Conv2d::new(self.decoder, 1).bias(false))?;
        let x = match self.dropout {
            0.0 => x,
            rate => g.dropout(x, rate)?,
        };
        let x = g.conv2d("decode_head.classifier", x, &Conv2d::new(self.logits, 1))?;
        let size = g.input();
        let x = g.resize(x, size, BILINEAR)?;
        g.output("logits", x)?;
        Ok(g)
    }

    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, self.channels)
    }
}
