//! EfficientNetV2. Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021, table 4 and section 3.3,
//! <https://arxiv.org/abs/2104.00298>, as the authors published it for TensorFlow: its padding and its batch norms.
//!
//! Parameters: timm's `tf_efficientnetv2_b0` to `b3`, `tf_efficientnetv2_s` and `tf_efficientnetv2_m`, without the last 1 x 1
//! convolution (`conv_head`), which belongs to the classifier. The map at stride 2 is the first stage's. Stochastic depth with the
//! published survival probability of 0.8. The weights of B3, S and M were trained with values from -1 to 1, as those of
//! EfficientNet-Lite, whose normalization differs from theirs by less than 0.008.

use super::efficientnet::TENSORFLOW;
use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{Gate, drop_path, gated, padded_at_the_end};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(
    name: &'static str,
    title: &'static str,
    width: usize,
    normalization: Normalization,
    build: BuildEncoder,
) -> Encoder {
    let source = "Tan and Le, ICML 2021, arXiv:2104.00298";
    Encoder { name, title, source, width, dilates: true, halves: true, drop_path: 0.2, normalization, build }
}

pub(super) const B0: Encoder =
    encoder("tf-efficientnetv2-b0", "EfficientNetV2-B0", 32, Normalization::ImageNet, |g, x, form| {
        build(g, x, form, &TABLE_B, Scaling(32, 1.0, 1.0))
    });
pub(super) const B1: Encoder =
    encoder("tf-efficientnetv2-b1", "EfficientNetV2-B1", 32, Normalization::ImageNet, |g, x, form| {
        build(g, x, form, &TABLE_B, Scaling(32, 1.0, 1.1))
    });
pub(super) const B2: Encoder =
    encoder("tf-efficientnetv2-b2", "EfficientNetV2-B2", 32, Normalization::ImageNet, |g, x, form| {
        build(g, x, form, &TABLE_B, Scaling(32, 1.1, 1.2))
    });
pub(super) const B3: Encoder =
    encoder("tf-efficientnetv2-b3", "EfficientNetV2-B3", 40, Normalization::Lite, |g, x, form| {
        build(g, x, form, &TABLE_B, Scaling(40, 1.2, 1.4))
    });
pub(super) const S: Encoder =
    encoder("tf-efficientnetv2-s", "EfficientNetV2-S", 24, Normalization::Lite, |g, x, form| {
        build(g, x, form, &TABLE_S, Scaling(24, 1.0, 1.0))
    });
pub(super) const M: Encoder =
    encoder("tf-efficientnetv2-m", "EfficientNetV2-M", 24, Normalization::Lite, |g, x, form| {
        build(g, x, form, &TABLE_M, Scaling(24, 1.0, 1.0))
    });

/// The published channels of the first layer, and the factors of width and depth over the table's.
#[derive(Clone, Copy)]
struct Scaling(usize, f64, f64);

/// The kinds of blocks.
#[derive(Clone, Copy)]
enum Kind {
    /// A 3 x 3 convolution.
    Conv,
    /// Fused-MBConv: a 3 x 3 convolution to more channels, a projection.
    Fused,
    /// MBConv: expansion, depthwise 3 x 3 convolution, squeeze-and-excitation, projection.
    Depthwise,
}

/// One stage: its blocks' kind, expansion, stride of the first one, output channels, and their number.
struct Stage(Kind, usize, usize, usize, usize);

static TABLE_B: [Stage; 6] = [
    Stage(Kind::Conv, 1, 1, 16, 1),
    Stage(Kind::Fused, 4, 2, 32, 2),
    Stage(Kind::Fused, 4, 2, 48, 2),
    Stage(Kind::Depthwise, 4, 2, 96, 3),
    Stage(Kind::Depthwise, 6, 1, 112, 5),
    Stage(Kind::Depthwise, 6, 2, 192, 8),
];

static TABLE_S: [Stage; 6] = [
    Stage(Kind::Conv, 1, 1, 24, 2),
    Stage(Kind::Fused, 4, 2, 48, 4),
    Stage(Kind::Fused, 4, 2, 64, 4),
    Stage(Kind::Depthwise, 4, 2, 128, 6),
    Stage(Kind::Depthwise, 6, 1, 160, 9),
    Stage(Kind::Depthwise, 6, 2, 256, 15),
];

static TABLE_M: [Stage; 7] = [
    Stage(Kind::Conv, 1, 1, 24, 3),
    Stage(Kind::Fused, 4, 2, 48, 5),
    Stage(Kind::Fused, 4, 2, 80, 5),
    Stage(Kind::Depthwise, 4, 2, 160, 7),
    Stage(Kind::Depthwise, 6, 1, 176, 14),
    Stage(Kind::Depthwise, 6, 2, 304, 18),
    Stage(Kind::Depthwise, 6, 1, 512, 5),
];

fn build(
    g: &mut Graph,
    x: NodeId,
    form: &Form,
    table: &[Stage],
    Scaling(published, width, depth): Scaling,
) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    // The nearest multiple of 8, by the published width.
    let scaled = |channels: usize| {
        let nearest = ((channels as f64 * width + 4.0) / 8.0) as usize * 8;
        (nearest.max(8) * form.width / published).max(1)
    };
    let blocks = |number: usize| (number as f64 * depth).ceil() as usize;
    let total: usize = table.iter().map(|Stage(.., number)| blocks(*number)).sum();
    let image = padded_at_the_end(g, x, x)?;
    let stem = Conv2d::new(form.width, 3).stride(2);
    let names = [format!("{prefix}conv_stem"), format!("{prefix}bn1")];
    let mut x = active(g, names.each_ref().map(String::as_str), image, &stem)?;
    // The last maps at strides 2, 4, 8, 16 and 32.
    let (mut maps, mut stride, mut number) = ([x; 5], 2_usize, 0);
    for (stage, &Stage(kind, expansion, stage_stride, out, repeats)) in table.iter().enumerate() {
        stride *= stage_stride;
        let (own, out) = (form.stride.stage(stride), scaled(out));
        for index in 0..blocks(repeats) {
            let name = format!("{prefix}blocks.{stage}.{index}");
            let down = if index == 0 { stage_stride } else { 1 };
            let dilation = if down > 1 { own.first } else { own.dilation };
            let stride = if own.dilation > 1 { 1 } else { down };
            let channels = expansion * g.shape(x).c;
            let y = match kind {
                Kind::Conv => {
                    let names = [format!("{name}.conv"), format!("{name}.bn1")];
                    active(g, names.each_ref().map(String::as_str), x, &Conv2d::new(out, 3).padding(1))?
                }
                Kind::Fused => fused(g, &name, x, channels, stride, out)?,
                Kind::Depthwise => depthwise(g, &name, x, channels, [stride, dilation], out)?,
            };
            x = if down == 1 && g.shape(x).c == out {
                let y = drop_path(g, y, form.drop_path, number, total)?;
                g.add(y, x)?
            } else {
                y
            };
            number += 1;
        }
        maps[stride.ilog2() as usize - 1] = x;
    }
    let [half, a, b, c, d] = maps;
    Ok(Features { half: Some(half), maps: [a, b, c, d], early: None })
}

/// Fused-MBConv without its shortcut. These stages are never dilated.
fn fused(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    channels: usize,
    stride: usize,
    out: usize,
) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(channels, 3);
    let names = [format!("{name}.conv_exp"), format!("{name}.bn1")];
    let names = names.each_ref().map(String::as_str);
    let y = if stride > 1 {
        let padded = padded_at_the_end(g, x, x)?;
        active(g, names, padded, &conv.stride(stride))?
    } else {
        active(g, names, x, &conv.padding(1))?
    };
    linear(g, [&format!("{name}.conv_pwl"), &format!("{name}.bn2")], y, &Conv2d::new(out, 1))
}

/// MBConv without its shortcut.
fn depthwise(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    channels: usize,
    [stride, dilation]: [usize; 2],
    out: usize,
) -> Result<NodeId, GraphError> {
    let names = |layer: &str, norm: &str| [format!("{name}.{layer}"), format!("{name}.{norm}")];
    let expanded = names("conv_pw", "bn1");
    let y = active(g, expanded.each_ref().map(String::as_str), x, &Conv2d::new(channels, 1))?;
    let conv = Conv2d::new(channels, 3).groups(channels);
    let own = names("conv_dw", "bn2");
    let own = own.each_ref().map(String::as_str);
    let y = if stride > 1 {
        let padded = padded_at_the_end(g, y, x)?;
        active(g, own, padded, &conv.stride(stride))?
    } else {
        active(g, own, y, &conv.padding(dilation).dilation(dilation))?
    };
    let gate = Gate { squeeze: Some(Pointwise::Silu), excite: Pointwise::Sigmoid };
    let gates = names("se.conv_reduce", "se.conv_expand");
    let squeezed = (g.shape(x).c / 4).max(1);
    let y = gated(g, gates.each_ref().map(String::as_str), y, squeezed, gate)?;
    let projected = names("conv_pwl", "bn3");
    linear(g, projected.each_ref().map(String::as_str), y, &Conv2d::new(out, 1))
}

/// Convolution and batch norm.
fn linear(
    g: &mut Graph,
    [conv_name, norm_name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = g.conv2d(conv_name, x, &conv.bias(false))?;
    g.batch_norm_with(norm_name, x, TENSORFLOW)
}

/// Convolution, batch norm and SiLU.
fn active(g: &mut Graph, names: [&str; 2], x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let x = linear(g, names, x, conv)?;
    g.activate(x, Pointwise::Silu)
}
