//! FCN-32s, FCN-16s and FCN-8s. Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
//! CVPR 2015, sections 3 and 4, figure 3, <https://arxiv.org/abs/1411.4038>.
//!
//! VGG16 whose fully connected layers have become convolutions, and transposed convolutions that start as bilinear
//! interpolation. Instead of padding by 100 pixels and cropping as published, images are padded
//! to multiples of 32 and `fc6` by 3, so that all feature maps are aligned. The encoder's parameters are torchvision's `vgg16`
//! under `encoder.`; the others have the names of the published layers.
//!
//! Published FCN checkpoints (`conv1_1`, `conv1_2` …) are therefore not supported. With a padding of 100 and none in `fc6`,
//! score `k` belongs to pixel `32 k + 12.5` of the image, not `32 k + 15.5` as here, for which the crops compensate: they
//! are off-centre, from 19, 27 and 31 in the outputs of FCN-32s, 16s and 8s. The weights would fit in shape, but see the
//! image shifted by three pixels and with other borders, and not reach the published scores. VGG16's weights are supported.

use crate::blocks::{check_size, padded};
use crate::encoders::{Form, Stride, vgg};
use dapple_graph::{Conv2d, ConvInit, ConvTranspose2d, Graph, GraphError, Network, NodeId, Shape};

/// FCN on VGG16 with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FcnVgg {
    /// Stride of the finest feature map with scores: 32, 16 or 8.
    pub stride: usize,
    /// Channels of the first stage, 64 in VGG16; all others scale with it.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout rate after `fc6` and `fc7`, 0.5 in the paper.
    pub dropout: f32,
}

impl FcnVgg {
    /// Smallest height and width: five halvings must leave a pixel.
    pub const SMALLEST: usize = 32;
}

impl Network for FcnVgg {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("fcn", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        let image = padded(&mut g, 5)?;
        let form = Form {
            prefix: "encoder.",
            features: "features.",
            width: self.width,
            stride: Stride::Full,
            drop_path: 0.0,
        };
        let stages = vgg::vgg16(&mut g, image, &form)?;
        let [.., pool3, pool4, pool5] = stages.pools;

        g.use_conv_init(ConvInit::HeFanIn);
        let mut x = pool5;
        for (name, kernel) in [("fc6", 7), ("fc7", 1)] {
            x = g.conv2d(name, x, &Conv2d::new(64 * self.width, kernel).padding(kernel / 2))?;
            x = g.relu(x)?;
            if self.dropout > 0.0 {
                x = g.dropout(x, self.dropout)?;
            }
        }
        x = self.score(&mut g, "score_fr", x)?;
        // Each step upsamples the scores by 2 and adds those of a finer feature map.
        let finer = [("upscore2", "score_pool4", pool4), ("upscore_pool4", "score_pool3", pool3)];
        let steps = (32 / self.stride).ilog2() as usize;
        for (up, score, map) in finer.into_iter().take(steps) {
            let coarse = self.upscore(&mut g, up, x, 2)?;
            let fine = self.score(&mut g, score, map)?;
            x = g.add(coarse, fine)?;
        }
        let name = match self.stride {
            32 => "upscore".to_owned(),
            stride => format!("upscore{stride}"),
        };
        let x = self.upscore(&mut g, &name, x, self.stride)?;
        let image = g.input();
        let x = if g.shape(x).with_channels(1) == input.with_channels(1) { x } else { g.fit_to(x, image)? };
        g.output("logits", x)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

impl FcnVgg {
    /// 1 x 1 convolution to the logits, initialized with zeros.
    fn score(&self, g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        g.use_conv_init(ConvInit::Normal(0.0));
        g.conv2d(name, x, &Conv2d::new(self.logits, 1))
    }

    /// Transposed convolution to `factor` times the size.
    fn upscore(&self, g: &mut Graph, name: &str, x: NodeId, factor: usize) -> Result<NodeId, GraphError> {
        g.use_conv_init(ConvInit::Bilinear);
        let up = ConvTranspose2d::new(self.logits, 2 * factor, factor).padding(factor / 2).bias(false);
        g.conv_transpose2d(name, x, &up)
    }
}
