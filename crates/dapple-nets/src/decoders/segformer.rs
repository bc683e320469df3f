//! SegFormer. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers", NeurIPS
//! 2021, section 3.2 and equation 4, <https://arxiv.org/abs/2105.15203>.
//!
//! Two namings of one decoder: on any encoder as segmentation_models_pytorch builds it, and the paper's B0 to B2 under
//! the names of Hugging Face's checkpoints ([`crate::checkpoint`] translates), which differ in the norms' eps, in the
//! fusing layer's width for B2 and in the last upsampling.

use super::{BILINEAR, Decoder, SMALLEST, Settings, glorot_head};
use crate::blocks::{check_size, conv_bn_relu, unit};
use crate::encoders::{Features, Form, Stride, mit};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Network, NodeId, Shape};

pub(crate) const SEGFORMER: Decoder = Decoder {
    name: "segformer",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |encoder| !encoder.halves,
    build,
};

fn build(g: &mut Graph, features: &Features, settings: &Settings) -> Result<(), GraphError> {
    let channels = settings.scaled(256);
    g.use_conv_init(ConvInit::Glorot);
    let name = |stage: usize| format!("decoder.mlp_stage.{}.linear", 3 - stage);
    let x = mix(g, features, channels, &name)?;
    g.use_conv_init(ConvInit::HeUniform);
    let x = unit(g, "decoder.fuse_stage", x, &Conv2d::new(channels, 1))?;
    glorot_head(g, x, settings.logits, 1)
}

/// A linear layer on each map, all at the finest one's size, side by side, the coarsest first.
fn mix(
    g: &mut Graph,
    features: &Features,
    channels: usize,
    name: &dyn Fn(usize) -> String,
) -> Result<NodeId, GraphError> {
    let finest = features.maps[0];
    let mut parts = Vec::new();
    for (stage, &map) in features.maps.iter().enumerate().rev() {
        let x = g.conv2d(&name(stage), map, &Conv2d::new(channels, 1))?;
        parts.push(if stage == 0 { x } else { g.resize(x, finest, BILINEAR)? });
    }
    g.concat(&parts)
}

/// The paper's networks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaperSegFormer {
    /// 0 to 2.
    pub size: u8,
    /// Channels of the first stage; 32 (B0) or 64.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate in place of 0.1.
    pub dropout: Option<f32>,
    /// Largest rate of stochastic depth in place of the published one.
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
        let x = mix(&mut g, &features, channels, &name)?;
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
