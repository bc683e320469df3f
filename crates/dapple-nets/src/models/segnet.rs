//! SegNet. Badrinarayanan, Kendall and Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture
//! for Image Segmentation", PAMI 2017, section 3 and figure 2, <https://arxiv.org/abs/1511.00561>.
//!
//! The encoder is the 13 convolutions of VGG16 (Simonyan and Zisserman 2015, configuration D) with batch
//! norm; its parameters are torchvision's `vgg16_bn` under the prefix `encoder.`. The decoder mirrors it: max
//! unpooling with the kept positions, then as many convolutions as the encoder's stage has.
//!
//! Bayesian SegNet (Kendall, Badrinarayanan and Cipolla, BMVC 2017, section 4, <https://arxiv.org/abs/1511.02680>) adds
//! dropout after the central six encoders and decoders, which stays active in prediction: see [`crate::monte_carlo`].

use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{Conv2d, Graph, GraphError, MaxPool, Network, NodeId, Shape};
use serde::{Deserialize, Serialize};

/// The head: from the decoder's last feature map to logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// The head of the paper: the last 3 x 3 convolution of the decoder gives the classes.
    #[default]
    Conv3x3,
    /// Instead of that convolution, a 1 x 1 convolution to the classes, batch norm, and a dense layer from
    /// classes to classes at every pixel.
    Dense,
}

/// SegNet with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegNet {
    /// Channels of the first stage, 64 in VGG16; the stages have 1, 2, 4, 8 and 8 times as many.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Head.
    pub head: Head,
    /// Dropout after the three deepest encoders and decoders, which makes the network Bayesian.
    pub dropout: Option<f32>,
}

/// Stages from this one on have dropout in Bayesian SegNet.
const CENTRAL: usize = 2;

/// Convolutions and multiple of the width of each of VGG16's stages.
const STAGES: [(usize, usize); 5] = [(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)];

impl SegNet {
    /// Smallest height and width: five halvings must leave a pixel.
    pub const SMALLEST: usize = 32;
}

impl Network for SegNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("segnet", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        let mut x = g.input();
        let mut pools = Vec::new();
        // Index of the layer in torchvision's `features`: convolution, batch norm, ReLU, and a pooling a stage.
        let mut index = 0;
        for (convolutions, factor) in STAGES {
            for _ in 0..convolutions {
                let names = [format!("encoder.features.{index}"), format!("encoder.features.{}", index + 1)];
                x = layer(&mut g, &names, x, factor * self.width)?;
                index += 3;
            }
            x = g.max_pool(x, &MaxPool::new(2, 2))?;
            pools.push(x);
            index += 1;
            if let Some(rate) = self.dropout.filter(|_| pools.len() > CENTRAL) {
                x = g.dropout(x, rate)?;
            }
        }
        for (stage, (convolutions, factor)) in STAGES.into_iter().enumerate().rev() {
            x = g.max_unpool(x, pools[stage])?;
            // The last convolution of a stage has the channels of the stage above; the last of all is the head.
            let last = stage.checked_sub(1).map(|above| STAGES[above].1);
            let factors = std::iter::repeat_n(factor, convolutions - 1).chain(last);
            for (i, factor) in factors.enumerate() {
                let prefix = format!("decoder.stage{}", stage + 1);
                let names = [format!("{prefix}.conv{}", i + 1), format!("{prefix}.bn{}", i + 1)];
                x = layer(&mut g, &names, x, factor * self.width)?;
            }
            if let Some(rate) = self.dropout.filter(|_| stage >= CENTRAL) {
                x = g.dropout(x, rate)?;
            }
        }
        let logits = match self.head {
            Head::Conv3x3 => g.conv2d("head.conv", x, &Conv2d::new(self.logits, 3).padding(1))?,
            Head::Dense => {
                let x = g.conv2d("head.conv", x, &Conv2d::new(self.logits, 1))?;
                let x = g.batch_norm("head.bn", x)?;
                g.conv2d("head.dense", x, &Conv2d::new(self.logits, 1))?
            }
        };
        g.output("logits", logits)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// 3 x 3 convolution, batch norm, ReLU; the convolution keeps its bias, as in torchvision.
fn layer(g: &mut Graph, [conv, norm]: &[String; 2], x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, [conv, norm], x, &Conv2d::new(out, 3).padding(1))
}
