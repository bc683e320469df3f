//! RegNetY. Radosavovic, Kosaraju, Girshick, He and Dollár, "Designing Network Design Spaces", CVPR 2020, section 4 and table 4,
//! <https://arxiv.org/abs/2003.13678>.
//!
//! Parameters: timm's `regnety_002` to `regnety_032`, named by their millions of multiply-adds at 224 x 224 over a hundred.

use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{Gate, conv_bn, conv_bn_relu, squeeze_excite};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Radosavovic et al., CVPR 2020, arXiv:2003.13678";
    Encoder {
        name,
        title,
        source,
        width: WIDTH,
        dilates: true,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const Y002: Encoder = encoder("regnety-002", "RegNetY-200MF", |g, x, form| {
    build(g, x, form, &Layout { depths: [1, 1, 4, 7], groups: [3, 7, 19, 46], group_width: 8 })
});
pub(super) const Y004: Encoder = encoder("regnety-004", "RegNetY-400MF", |g, x, form| {
    build(g, x, form, &Layout { depths: [1, 3, 6, 6], groups: [6, 13, 26, 55], group_width: 8 })
});
pub(super) const Y006: Encoder = encoder("regnety-006", "RegNetY-600MF", |g, x, form| {
    build(g, x, form, &Layout { depths: [1, 3, 7, 4], groups: [3, 7, 16, 38], group_width: 16 })
});
pub(super) const Y008: Encoder = encoder("regnety-008", "RegNetY-800MF", |g, x, form| {
    build(g, x, form, &Layout { depths: [1, 3, 8, 2], groups: [4, 8, 20, 48], group_width: 16 })
});
pub(super) const Y016: Encoder = encoder("regnety-016", "RegNetY-1.6GF", |g, x, form| {
    build(g, x, form, &Layout { depths: [2, 6, 17, 2], groups: [2, 5, 14, 37], group_width: 24 })
});
pub(super) const Y032: Encoder = encoder("regnety-032", "RegNetY-3.2GF", |g, x, form| {
    build(g, x, form, &Layout { depths: [2, 5, 13, 1], groups: [3, 9, 24, 63], group_width: 24 })
});

/// Published channels of the first layer.
const WIDTH: usize = 32;

/// The stages of a network.
struct Layout {
    /// Blocks.
    depths: [usize; 4],
    /// Groups of the 3 x 3 convolutions.
    groups: [usize; 4],
    /// Channels of each group at the published width.
    group_width: usize,
}

fn build(g: &mut Graph, x: NodeId, form: &Form, layout: &Layout) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let stem = Conv2d::new(form.width, 3).stride(2).padding(1).bias(false);
    let half = conv_bn_relu(g, [&format!("{prefix}stem.conv"), &format!("{prefix}stem.bn")], x, &stem)?;
    let (mut x, mut maps) = (half, [half; 4]);
    // Other widths than the published one have as many groups, of more or fewer channels.
    let group_width = (layout.group_width * form.width / WIDTH).max(1);
    for (stage, depth) in layout.depths.into_iter().enumerate() {
        let own = form.stride.stage(4 << stage);
        let groups = layout.groups[stage];
        for index in 0..depth {
            let name = format!("{prefix}s{}.b{}", stage + 1, index + 1);
            let (stride, dilation) = if index == 0 { (own.stride, own.first) } else { (1, own.dilation) };
            let conv = Conv2d::new(groups * group_width, 3).padding(dilation).dilation(dilation);
            x = block(g, &name, x, &conv.stride(stride).groups(groups).bias(false))?;
        }
        maps[stage] = x;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// `relu(F(x) + x)`, where `F` is 1 x 1, the 3 x 3 convolution `middle`, squeeze-and-excitation, 1 x 1; where the shape changes,
/// `x` goes through a 1 x 1 convolution.
fn block(g: &mut Graph, name: &str, x: NodeId, middle: &Conv2d) -> Result<NodeId, GraphError> {
    let names = |layer: &str| [format!("{name}.{layer}.conv"), format!("{name}.{layer}.bn")];
    let (channels, out) = (g.shape(x).c, middle.out_channels);
    let conv1 = Conv2d::new(out, 1).bias(false);
    let y = conv_bn_relu(g, names("conv1").each_ref().map(String::as_str), x, &conv1)?;
    let y = conv_bn_relu(g, names("conv2").each_ref().map(String::as_str), y, middle)?;
    // The gate's inner layer has a quarter of the channels of the block's input.
    let gate = Gate { squeeze: None, excite: Pointwise::Sigmoid };
    let y = squeeze_excite(g, &format!("{name}.se"), y, (channels / 4).max(1), gate)?;
    let y = conv_bn(g, names("conv3").each_ref().map(String::as_str), y, &conv1)?;
    let identity = if middle.stride != [1, 1] || channels != out {
        let down = Conv2d { stride: middle.stride, ..conv1 };
        conv_bn(g, names("downsample").each_ref().map(String::as_str), x, &down)?
    } else {
        x
    };
    let sum = g.add(y, identity)?;
    g.relu(sum)
}
