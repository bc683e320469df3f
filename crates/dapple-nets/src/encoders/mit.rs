//! Mix Transformer (MiT). Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with
//! Transformers", NeurIPS 2021, section 3.1 and table 6, <https://arxiv.org/abs/2105.15203>.
//!
//! Parameters: those of the published `mit_b0` to `mit_b5` as segmentation_models_pytorch has them, but keys and values
//! are two projections here (`attn.k`, `attn.v`) where the checkpoints have one (`attn.kv`), and linear layers are
//! 1 x 1 convolutions. There is no map at stride 2. Stochastic depth with the published rate of 0.1.

use super::encoder::{BuildEncoder, Encoder, Features, Form, Stride};
use crate::blocks::drop_path;
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(name: &'static str, title: &'static str, width: usize, build: BuildEncoder) -> Encoder {
    let source = "Xie et al., NeurIPS 2021, arXiv:2105.15203";
    Encoder {
        name,
        title,
        source,
        width,
        dilates: false,
        halves: false,
        drop_path: DROP_PATH,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const B0: Encoder = encoder("mit-b0", "MiT-B0", 32, |g, x, form| build(g, x, form, SMALL, EPS));
pub(super) const B1: Encoder = encoder("mit-b1", "MiT-B1", 64, |g, x, form| build(g, x, form, SMALL, EPS));
pub(super) const B2: Encoder = encoder("mit-b2", "MiT-B2", 64, |g, x, form| build(g, x, form, LARGE, EPS));
pub(super) const B3: Encoder =
    encoder("mit-b3", "MiT-B3", 64, |g, x, form| build(g, x, form, [3, 4, 18, 3], EPS));
pub(super) const B4: Encoder =
    encoder("mit-b4", "MiT-B4", 64, |g, x, form| build(g, x, form, [3, 8, 27, 3], EPS));
pub(super) const B5: Encoder =
    encoder("mit-b5", "MiT-B5", 64, |g, x, form| build(g, x, form, [3, 6, 40, 3], EPS));

/// Largest rate of stochastic depth in the published training.
pub(crate) const DROP_PATH: f32 = 0.1;

/// Number of blocks in each stage of B0 and B1.
pub(crate) const SMALL: [usize; 4] = [2, 2, 2, 2];
/// Number of blocks in each stage of B2.
pub(crate) const LARGE: [usize; 4] = [3, 4, 6, 3];

/// Channels as multiples of the width, which are the heads of attention too.
pub(crate) const FACTORS: [usize; 4] = [1, 2, 5, 8];

/// Keys and values are reduced by this factor in height and width.
const REDUCTIONS: [usize; 4] = [8, 4, 2, 1];

/// PyTorch's default, in the norms after patch embeddings and reductions.
const INNER_EPS: f32 = 1e-5;

/// In all other norms, of the published code; other ports have PyTorch's default there too.
const EPS: f32 = 1e-6;

/// The sizes of the four stages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stages {
    /// Channels.
    pub channels: [usize; 4],
    /// Heads of attention.
    pub heads: [usize; 4],
    /// Blocks.
    pub depths: [usize; 4],
    /// Factors by which keys and values are reduced in height and width.
    pub reductions: [usize; 4],
    /// Channels within a block's Mix-FFN, as multiples of the stage's.
    pub ratios: [usize; 4],
}

/// Adds an encoder of the published sizes with so many blocks in each stage, whose norms add `eps`.
pub(crate) fn build(
    g: &mut Graph,
    x: NodeId,
    form: &Form,
    depths: [usize; 4],
    eps: f32,
) -> Result<Features, GraphError> {
    let channels = FACTORS.map(|factor| factor * form.width);
    let stages = Stages { channels, heads: FACTORS, depths, reductions: REDUCTIONS, ratios: [4; 4] };
    build_sized(g, x, form, &stages, eps)
}

/// Adds an encoder of any sizes, whose norms add `eps`. Its width is that of the sizes, not of the form.
pub(crate) fn build_sized(
    g: &mut Graph,
    mut x: NodeId,
    form: &Form,
    stages: &Stages,
    eps: f32,
) -> Result<Features, GraphError> {
    debug_assert_eq!(form.stride, Stride::Full);
    let Stages { channels, heads, depths, reductions, ratios } = *stages;
    let (last, mut block) = (depths.iter().sum::<usize>() - 1, 0);
    let mut maps = [x; 4];
    for (stage, depth) in depths.into_iter().enumerate() {
        let (prefix, number) = (form.prefix, stage + 1);
        let (kernel, stride) = if stage == 0 { (7, 4) } else { (3, 2) };
        let embed = Conv2d::new(channels[stage], kernel).stride(stride).padding(kernel / 2);
        x = spatial(g, &format!("{prefix}patch_embed{number}.proj"), x, &embed)?;
        x = g.layer_norm(&format!("{prefix}patch_embed{number}.norm"), x, INNER_EPS)?;
        for index in 0..depth {
            let name = format!("{prefix}block{number}.{index}");
            let y = g.layer_norm(&format!("{name}.norm1"), x, eps)?;
            let y = attention(g, &format!("{name}.attn"), y, heads[stage], reductions[stage])?;
            let y = drop_path(g, y, form.drop_path, block, last)?;
            x = g.add(x, y)?;
            let y = g.layer_norm(&format!("{name}.norm2"), x, eps)?;
            let y = mix_ffn(g, &format!("{name}.mlp"), y, ratios[stage])?;
            let y = drop_path(g, y, form.drop_path, block, last)?;
            x = g.add(x, y)?;
            block += 1;
        }
        x = g.layer_norm(&format!("{prefix}norm{number}"), x, eps)?;
        maps[stage] = x;
    }
    Ok(Features { half: None, maps, early: None })
}

/// Efficient self-attention, equations 1 and 2: keys and values come from a map reduced by a convolution.
fn attention(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    heads: usize,
    reduction: usize,
) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let q = linear(g, &format!("{name}.q"), x, channels)?;
    let reduced = if reduction > 1 {
        let conv = Conv2d::new(channels, reduction).stride(reduction);
        let y = spatial(g, &format!("{name}.sr"), x, &conv)?;
        g.layer_norm(&format!("{name}.norm"), y, INNER_EPS)?
    } else {
        x
    };
    let k = linear(g, &format!("{name}.k"), reduced, channels)?;
    let v = linear(g, &format!("{name}.v"), reduced, channels)?;
    let y = g.attention(q, k, v, heads)?;
    linear(g, &format!("{name}.proj"), y, channels)
}

/// Mix-FFN, equation 3: the depthwise convolution between the layers gives positions.
fn mix_ffn(g: &mut Graph, name: &str, x: NodeId, ratio: usize) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let inner = ratio * channels;
    let x = linear(g, &format!("{name}.fc1"), x, inner)?;
    let depthwise = Conv2d::new(inner, 3).padding(1).groups(inner);
    let x = spatial(g, &format!("{name}.dwconv.dwconv"), x, &depthwise)?;
    let x = g.activate(x, Pointwise::Gelu)?;
    linear(g, &format!("{name}.fc2"), x, channels)
}

fn linear(g: &mut Graph, name: &str, x: NodeId, out: usize) -> Result<NodeId, GraphError> {
    g.use_conv_init(ConvInit::Normal(0.02));
    g.conv2d(name, x, &Conv2d::new(out, 1))
}

/// A convolution that starts as in the published code: normal with variance 2 over the fan out of a group.
fn spatial(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let fan_out = conv.kernel[0] * conv.kernel[1] * conv.out_channels / conv.groups;
    g.use_conv_init(ConvInit::Normal((2.0 / fan_out as f32).sqrt()));
    g.conv2d(name, x, conv)
}
