//! U-Net++ on an encoder. Zhou et al., "UNet++: Redesigning Skip Connections to Exploit Multiscale Features in Image
//! Segmentation", TMI 2020, figure 1, <https://arxiv.org/abs/1912.05074>, as segmentation_models_pytorch builds it:
//! nearest upsampling, one output.

use super::attention::attention;
use super::decoder::{Decoder, DecoderSettings, SMALLEST, glorot_head};
use super::unet::{CHANNELS, attended, center};
use crate::blocks::unit;
use crate::encoders::Features;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, NodeId};

pub(crate) const UNETPLUSPLUS: Decoder = Decoder {
    name: "unetplusplus",
    prefix: "encoder.",
    strides: &[],
    torchvision: false,
    fits: |encoder| encoder.halves,
    scales: false,
    attends: true,
    smallest: SMALLEST,
    build,
};

/// Skip connections.
const DEPTH: usize = 4;

fn build(g: &mut Graph, features: &Features, settings: &DecoderSettings) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::HeUniform);
    // The encoder's maps, the coarsest first.
    let maps: Vec<NodeId> = features.all().into_iter().rev().flatten().collect();
    // The published code has these layers after VGG too, but does not use them: they are parameters of checkpoints only.
    center(g, maps[0], settings)?;
    // `row[d]`: the last map of row `d`, whose first one is made from the encoder's map `d`.
    let mut rows: Vec<Vec<NodeId>> = vec![Vec::new(); DEPTH];
    for step in 0..DEPTH {
        for row in 0..DEPTH - step {
            let level = row + step;
            let x = rows[row].last().copied().unwrap_or(maps[row]);
            // All maps of this level that exist: those of the rows below, the encoder's last.
            let mut skips: Vec<NodeId> = (row + 1..=level).map(|other| rows[other][level - other]).collect();
            skips.push(maps[level + 1]);
            let out = if row == 0 { settings.scaled(CHANNELS[level]) } else { g.shape(maps[level + 1]).c };
            let y = block(g, &format!("decoder.blocks.x_{row}_{level}"), x, &skips, out, settings)?;
            rows[row].push(y);
        }
    }
    let image = g.input();
    let up = g.resize(rows[0][DEPTH - 1], image, Interpolation::Nearest)?;
    let last = format!("decoder.blocks.x_0_{DEPTH}");
    let up = attended(g, &format!("{last}.attention1"), up, settings, DEPTH)?;
    let x = double_conv(g, &last, up, settings.scaled(CHANNELS[DEPTH]), settings)?;
    glorot_head(g, x, settings.logits, 3)
}

/// `x` at the size of the skip connections, concatenated with them, through two convolutions.
fn block(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    skips: &[NodeId],
    out: usize,
    settings: &DecoderSettings,
) -> Result<NodeId, GraphError> {
    let up = g.resize(x, skips[0], Interpolation::Nearest)?;
    let joined: Vec<NodeId> = std::iter::once(up).chain(skips.iter().copied()).collect();
    let x = g.concat(&joined)?;
    let x = attention(g, &format!("{name}.attention1"), x, settings)?;
    double_conv(g, name, x, out, settings)
}

fn double_conv(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    out: usize,
    settings: &DecoderSettings,
) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1);
    let x = unit(g, &format!("{name}.conv1"), x, &conv)?;
    let x = unit(g, &format!("{name}.conv2"), x, &conv)?;
    attention(g, &format!("{name}.attention2"), x, settings)
}
