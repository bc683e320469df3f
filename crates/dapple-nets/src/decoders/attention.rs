//! Attention within the blocks of a decoder. Roy, Navab and Wachinger, "Concurrent Spatial and Channel Squeeze & Excitation in
//! Fully Convolutional Networks", MICCAI 2018, sections 2.1 to 2.3, <https://arxiv.org/abs/1803.02579>, as
//! segmentation_models_pytorch builds it (`scse`): the two are added.

use super::decoder::DecoderSettings;
use crate::config::DecoderAttention;
use dapple_graph::{Conv2d, Graph, GraphError, NodeId, Pointwise};

/// Channels between the two layers of the gate of channels, as a share of the map's.
const REDUCTION: usize = 16;

/// `x` with the attention that is set, or `x`.
pub(super) fn attention(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    settings: &DecoderSettings,
) -> Result<NodeId, GraphError> {
    match settings.attention {
        Some(DecoderAttention::Scse) => scse(g, &format!("{name}.attention"), x),
        None => Ok(x),
    }
}

/// `x` times a gate of channels plus `x` times a gate of pixels.
fn scse(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let y = g.adaptive_avg_pool(x, [1, 1])?;
    let y = g.conv2d(&format!("{name}.cSE.1"), y, &Conv2d::new((channels / REDUCTION).max(1), 1))?;
    let y = g.relu(y)?;
    let y = g.conv2d(&format!("{name}.cSE.3"), y, &Conv2d::new(channels, 1))?;
    let of_channels = g.activate(y, Pointwise::Sigmoid)?;
    let y = g.conv2d(&format!("{name}.sSE.0"), x, &Conv2d::new(1, 1))?;
    let y = g.activate(y, Pointwise::Sigmoid)?;
    // One channel, repeated.
    let of_pixels = g.channel_sum(y, channels)?;
    let (by_channel, by_pixel) = (g.mul(x, of_channels)?, g.mul(x, of_pixels)?);
    g.add(by_channel, by_pixel)
}
