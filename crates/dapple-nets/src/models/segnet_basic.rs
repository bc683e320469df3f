//! SegNet-Basic. Badrinarayanan, Kendall and Cipolla, "SegNet", PAMI 2017, section 3.1, and its Bayesian variant with
//! dropout (Kendall, Badrinarayanan and Cipolla, BMVC 2017), <https://arxiv.org/abs/1511.00561>,
//! <https://arxiv.org/abs/1511.02680>.
//!
//! Four encoders of one 7 x 7 convolution each, batch norm, ReLU and pooling; four decoders of unpooling, 7 x 7 convolution
//! and batch norm without ReLU. No biases.

use crate::blocks::{check_size, conv_bn, conv_bn_relu};
use dapple_graph::{Conv2d, Graph, GraphError, MaxPool, Network, Shape};

/// SegNet-Basic with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegNetBasic {
    /// Channels of all layers, 64 in the paper.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Dropout after the two central encoders and decoders each, which makes the network Bayesian.
    pub dropout: Option<f32>,
}

const STAGES: usize = 4;

/// Encoders and decoders from this one on have dropout: the deepest two, "center enc-dec" of the Bayesian paper.
const CENTRAL: usize = 2;

impl SegNetBasic {
    /// Smallest height and width: four halvings must leave a pixel.
    pub const SMALLEST: usize = 16;
}

impl Network for SegNetBasic {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 16 x 16.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("segnet-basic", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        let conv = Conv2d::new(self.width, 7).padding(3).bias(false);
        let (mut x, mut pools) = (g.input(), Vec::new());
        for stage in 0..STAGES {
            let names = [format!("encoder.conv{}", stage + 1), format!("encoder.bn{}", stage + 1)];
            x = conv_bn_relu(&mut g, names.each_ref().map(String::as_str), x, &conv)?;
            let pool = g.max_pool(x, &MaxPool::new(2, 2))?;
            pools.push(pool);
            x = match self.dropout {
                Some(rate) if stage >= CENTRAL => g.dropout(pool, rate)?,
                _ => pool,
            };
        }
        for stage in (0..STAGES).rev() {
            x = g.max_unpool(x, pools[stage])?;
            let names = [format!("decoder.conv{}", stage + 1), format!("decoder.bn{}", stage + 1)];
            x = conv_bn(&mut g, names.each_ref().map(String::as_str), x, &conv)?;
            if let Some(rate) = self.dropout.filter(|_| stage >= CENTRAL) {
                x = g.dropout(x, rate)?;
            }
        }
        let logits = g.conv2d("head.conv", x, &Conv2d::new(self.logits, 1))?;
        g.output("logits", logits)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}
