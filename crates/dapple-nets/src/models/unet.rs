//! U-Net. Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
//! MICCAI 2015, figure 1, <https://arxiv.org/abs/1505.04597>.
//!
//! Two things differ from the paper, as in nearly every implementation since: convolutions are padded and
//! followed by batch norm, so that the logits have the size of the input. Parameters carry the names of the
//! widely used PyTorch checkpoints (`inc.double_conv.0.weight`, `down1.maxpool_conv.1...`, `up1.up.weight`).

use crate::blocks::{check_size, conv_bn_relu};
use dapple_graph::{
    Conv2d, ConvInit, ConvTranspose2d, Graph, GraphError, Interpolation, MaxPool, Network, NodeId, Shape,
};

/// Upsampling in the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpSampling {
    /// A 2 x 2 transposed convolution with stride 2 that halves the channels ("up-conv 2 x 2").
    Transposed,
    /// Bilinear with aligned corners; the double convolution before it has half the channels instead.
    Bilinear,
}

/// U-Net with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UNet {
    /// Channels of the first level, 64 in the paper; each of the four pooling steps doubles them.
    pub width: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Upsampling in the decoder.
    pub up: UpSampling,
}

impl UNet {
    /// Smallest height and width: four halvings must leave a pixel.
    pub const SMALLEST: usize = 16;

    /// One step of the expansive path: `x` upsampled by 2, concatenated with the skip connection.
    pub(super) fn up(
        &self,
        g: &mut Graph,
        name: &str,
        x: NodeId,
        skip: NodeId,
        out: usize,
    ) -> Result<NodeId, GraphError> {
        let channels = g.shape(x).c;
        let (x, mid) = match self.up {
            UpSampling::Transposed => {
                let up = ConvTranspose2d::new(channels / 2, 2, 2);
                (g.conv_transpose2d(&format!("{name}.up"), x, &up)?, out)
            }
            // The skip has as many channels as `x` here, so that the first convolution halves their sum.
            UpSampling::Bilinear => {
                (g.upscale(x, 2, Interpolation::Bilinear { align_corners: true })?, channels)
            }
        };
        // An odd size was rounded down by the encoder.
        let x = g.fit_to(x, skip)?;
        let x = g.concat(&[skip, x])?;
        double_conv(g, &format!("{name}.conv"), x, mid, out)
    }
}

impl Network for UNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 16 x 16.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("unet", input, Self::SMALLEST)?;
        let mut g = Graph::new(input);
        g.use_conv_init(ConvInit::Torch);
        let w = self.width;
        // With bilinear upsampling, the level below halves the channels.
        let half = |channels: usize| match self.up {
            UpSampling::Transposed => channels,
            UpSampling::Bilinear => channels / 2,
        };

        let x = g.input();
        let x1 = double_conv(&mut g, "inc", x, w, w)?;
        let x2 = down(&mut g, "down1", x1, 2 * w)?;
        let x3 = down(&mut g, "down2", x2, 4 * w)?;
        let x4 = down(&mut g, "down3", x3, 8 * w)?;
        let x5 = down(&mut g, "down4", x4, half(16 * w))?;

        let x = self.up(&mut g, "up1", x5, x4, half(8 * w))?;
        let x = self.up(&mut g, "up2", x, x3, half(4 * w))?;
        let x = self.up(&mut g, "up3", x, x2, half(2 * w))?;
        let x = self.up(&mut g, "up4", x, x1, w)?;
        let logits = g.conv2d("outc.conv", x, &Conv2d::new(self.logits, 1))?;
        g.output("logits", logits)?;
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// One step of the contracting path: pooling by 2, then a double convolution.
pub(super) fn down(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    let x = g.max_pool(x, &MaxPool::new(2, 2))?;
    double_conv(g, &format!("{name}.maxpool_conv.1"), x, out, out)
}

/// Two times 3 x 3 convolution, batch norm, ReLU.
pub(super) fn double_conv(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    mid: usize,
    out: usize,
) -> Result<NodeId, GraphError> {
    let layer = |index: usize| format!("{name}.double_conv.{index}");
    let conv = |channels| Conv2d::new(channels, 3).padding(1).bias(false);
    let x = conv_bn_relu(g, [&layer(0), &layer(1)], x, &conv(mid))?;
    conv_bn_relu(g, [&layer(3), &layer(4)], x, &conv(out))
}
