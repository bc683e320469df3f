//! DeconvNet. Noh, Hong and Han, "Learning Deconvolution Network for Semantic Segmentation", ICCV 2015, section 3 and
//! figure 2, <https://arxiv.org/abs/1505.04366>.
//!
//! VGG16 with batch norm down to a single pixel for each 224 x 224 window, and its mirror image of unpoolings and
//! deconvolutions. Images larger than 224 x 224 give larger feature maps in between; sizes are padded to multiples of 32.
//! The encoder's parameters are torchvision's `vgg16_bn` under `encoder.`.

use crate::blocks::{check_size, conv_bn_relu, padded};
use crate::encoders::{Form, Stride, vgg};
use dapple_graph::{Conv2d, ConvInit, ConvTranspose2d, Graph, GraphError, Network, NodeId, Shape};

/// DeconvNet with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeconvNet {
    /// Channels of the first stage, 64 in VGG16; all others scale with it.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
}

/// Output channels of the deconvolutions after each unpooling, as multiples of the width.
const STAGES: [&[usize]; 5] = [&[8, 8, 8], &[8, 8, 4], &[4, 4, 2], &[2, 1], &[1, 1]];

impl DeconvNet {
    /// Smallest height and width: the fully connected layer sees seven pixels at stride 32.
    pub const SMALLEST: usize = 224;
}

impl Network for DeconvNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 224 x 224.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("deconvnet", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        let image = padded(&mut g, 5)?;
        let form = Form {
            prefix: "encoder.",
            features: "features.",
            width: self.width,
            stride: Stride::Full,
            drop_path: 0.0,
        };
        let stages = vgg::vgg16_bn(&mut g, image, &form)?;

        g.use_conv_init(ConvInit::HeFanIn);
        let dense = 64 * self.width;
        let x = conv_bn_relu(&mut g, ["fc6.0", "fc6.1"], stages.pools[4], &Conv2d::new(dense, 7))?;
        let x = conv_bn_relu(&mut g, ["fc7.0", "fc7.1"], x, &Conv2d::new(dense, 1))?;
        let mut x = deconv(&mut g, "deconv_fc6", x, &ConvTranspose2d::new(8 * self.width, 7, 1))?;
        for (index, factors) in STAGES.into_iter().enumerate() {
            let stage = STAGES.len() - index;
            x = g.max_unpool(x, stages.pools[stage - 1])?;
            for (part, factor) in factors.iter().enumerate() {
                let name = format!("deconv{stage}_{}", part + 1);
                x = deconv(&mut g, &name, x, &ConvTranspose2d::new(factor * self.width, 3, 1).padding(1))?;
            }
        }
        let x = g.conv2d("score", x, &Conv2d::new(self.logits, 1))?;
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

/// Transposed convolution, batch norm, ReLU.
fn deconv(g: &mut Graph, name: &str, x: NodeId, conv: &ConvTranspose2d) -> Result<NodeId, GraphError> {
    let x = g.conv_transpose2d(&format!("{name}.0"), x, conv)?;
    let x = g.batch_norm(&format!("{name}.1"), x)?;
    g.relu(x)
}
