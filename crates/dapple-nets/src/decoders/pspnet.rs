//! PSPNet on an encoder. Zhao, Shi, Qi, Wang and Jia, "Pyramid Scene Parsing Network", CVPR 2017, section 3.2 and
//! figure 3, <https://arxiv.org/abs/1612.01105>, as segmentation_models_pytorch builds it: on the encoder's map at
//! stride 8, without its last two stages. These keep their parameters, so that checkpoints are complete, but are not
//! computed.

use super::decoder::{ALIGNED, Decoder, DecoderSettings, SMALLEST, glorot_head};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError};

pub(crate) const PSPNET: Decoder = Decoder {
    name: "pspnet",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |_| true,
    scales: true,
    attends: false,
    smallest: SMALLEST,
    build,
};

/// Sides in pixels of the pooled maps.
pub(super) const SIZES: [usize; 4] = [1, 2, 3, 6];

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    let x = features.maps[1];
    let quarter = g.shape(x).c / SIZES.len();
    let mut parts = Vec::new();
    for (index, size) in SIZES.into_iter().enumerate() {
        let name = format!("decoder.psp.blocks.{index}.pool.1");
        let pooled = g.adaptive_avg_pool(x, [size, size])?;
        let conv = Conv2d::new(quarter, 1);
        // Batch norm over a single pixel has no variance.
        let y = if size == 1 {
            let y = g.conv2d(&format!("{name}.0"), pooled, &conv)?;
            g.relu(y)?
        } else {
            unit(g, &name, pooled, &conv)?
        };
        parts.push(g.resize(y, x, ALIGNED)?);
    }
    parts.push(x);
    let x = g.concat(&parts)?;
    let x = unit(g, "decoder.conv", x, &Conv2d::new(settings.scaled(512), 1))?;
    let x = settings.dropout(g, x, 0.2)?;
    glorot_head(g, x, settings.logits, 3)
}
