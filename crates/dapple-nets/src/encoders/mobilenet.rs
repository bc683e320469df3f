//! MobileNetV3. Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2, <https://arxiv.org/abs/1905.02244>.
//!
//! Parameters: torchvision's `mobilenet_v3_large` and `mobilenet_v3_small`, `features.INDEX`. The deepest map is the last
//! 1 x 1 convolution's, with six times the channels of the last block.

use super::encoder::{BuildEncoder, Encoder, Features, Form, Stride};
use crate::blocks::{Gate, divisible, squeeze_excite};
use dapple_base::Normalization;
use dapple_graph::{BatchNorm, Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Howard et al., ICCV 2019, arXiv:1905.02244";
    Encoder {
        name,
        title,
        source,
        width: 16,
        dilates: true,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const LARGE: Encoder =
    encoder("mobilenetv3-large", "MobileNetV3-Large", |g, x, form| build(g, x, form, &TABLE_1));
pub(super) const SMALL: Encoder =
    encoder("mobilenetv3-small", "MobileNetV3-Small", |g, x, form| build(g, x, form, &TABLE_2));

/// One line of a table: kernel, expanded and output channels at width 16, squeeze-and-excitation, hard swish instead
/// of ReLU, stride.
struct Line(usize, usize, usize, bool, bool, usize);

const TABLE_1: [Line; 15] = [
    Line(3, 16, 16, false, false, 1),
    Line(3, 64, 24, false, false, 2),
    Line(3, 72, 24, false, false, 1),
    Line(5, 72, 40, true, false, 2),
    Line(5, 120, 40, true, false, 1),
    Line(5, 120, 40, true, false, 1),
    Line(3, 240, 80, false, true, 2),
    Line(3, 200, 80, false, true, 1),
    Line(3, 184, 80, false, true, 1),
    Line(3, 184, 80, false, true, 1),
    Line(3, 480, 112, true, true, 1),
    Line(3, 672, 112, true, true, 1),
    Line(5, 672, 160, true, true, 2),
    Line(5, 960, 160, true, true, 1),
    Line(5, 960, 160, true, true, 1),
];

const TABLE_2: [Line; 11] = [
    Line(3, 16, 16, true, false, 2),
    Line(3, 72, 24, false, false, 2),
    Line(3, 88, 24, false, false, 1),
    Line(5, 96, 40, true, true, 2),
    Line(5, 240, 40, true, true, 1),
    Line(5, 240, 40, true, true, 1),
    Line(5, 120, 48, true, true, 1),
    Line(5, 144, 48, true, true, 1),
    Line(5, 288, 96, true, true, 2),
    Line(5, 576, 96, true, true, 1),
    Line(5, 576, 96, true, true, 1),
];

const NORM: BatchNorm = BatchNorm { eps: 1e-3, momentum: 0.01, frozen: false };

fn build(g: &mut Graph, x: NodeId, form: &Form, table: &[Line]) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    // Widths other than the published one scale all channels; multiples of 8 (section 6).
    let scaled = |channels: usize| divisible((channels * form.width) as f64 / 16.0);
    let (prefix, features) = (form.prefix, form.features);
    let stem = Conv2d::new(scaled(16), 3).stride(2).padding(1).bias(false);
    let mut x = layer(g, &format!("{prefix}{features}0"), x, &stem, Some(Pointwise::HardSwish))?;
    // The last maps at strides 2, 4, 8, 16 and 32, and the first one at stride 8.
    let (mut ends, mut early, mut stride) = ([x; 5], x, 2_usize);
    for (index, &Line(kernel, expanded, out, gated, swish, line_stride)) in table.iter().enumerate() {
        let name = format!("{prefix}{features}{}.block", index + 1);
        let act = swish.then_some(Pointwise::HardSwish);
        let (expanded, out) = (scaled(expanded), scaled(out));
        stride *= line_stride;
        // The segmentation network of the paper dilates the last stage's depthwise convolutions, its first one too.
        let (own_stride, dilation) = dilate(form.stride, stride, line_stride);
        let (start, mut part) = (x, 0);
        let mut next = || {
            part += 1;
            format!("{name}.{}", part - 1)
        };
        if expanded != g.shape(x).c {
            x = active(g, &next(), x, &Conv2d::new(expanded, 1).bias(false), act)?;
        }
        let padding = kernel / 2 * dilation;
        let depthwise = Conv2d::new(expanded, kernel).stride(own_stride).padding(padding).dilation(dilation);
        x = active(g, &next(), x, &depthwise.groups(expanded).bias(false), act)?;
        if gated {
            let squeezed = divisible((expanded / 4) as f64);
            x = squeeze_excite(
                g,
                &next(),
                x,
                squeezed,
                Gate { squeeze: None, excite: Pointwise::HardSigmoid },
            )?;
        }
        x = layer(g, &next(), x, &Conv2d::new(out, 1).bias(false), None)?;
        if line_stride == 1 && g.shape(start).c == out {
            x = g.add(x, start)?;
        }
        ends[stride.ilog2() as usize - 1] = x;
        if (stride, line_stride) == (8, 2) {
            early = x;
        }
    }
    let last = Conv2d::new(6 * g.shape(x).c, 1).bias(false);
    let name = format!("{prefix}{features}{}", table.len() + 1);
    let x = layer(g, &name, x, &last, Some(Pointwise::HardSwish))?;
    let [half, a, b, c, _] = ends;
    Ok(Features { half: Some(half), maps: [a, b, c, x], early: Some(early) })
}

/// Stride and dilation of a depthwise convolution that would have the stride `own` and bring the map to `stride`.
fn dilate(form: Stride, stride: usize, own: usize) -> (usize, usize) {
    let stage = form.stage(stride);
    match (stage.dilation, form) {
        (1, _) => (own, 1),
        (_, Stride::DilatedLater(_)) if own > 1 => (1, stage.first),
        (dilation, _) => (1, dilation),
    }
}

/// Convolution, batch norm and, where `swish` is none, ReLU.
fn active(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    conv: &Conv2d,
    swish: Option<Pointwise>,
) -> Result<NodeId, GraphError> {
    let x = layer(g, name, x, conv, swish)?;
    if swish.is_none() { g.relu(x) } else { Ok(x) }
}

/// Convolution, batch norm and perhaps a function.
fn layer(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    conv: &Conv2d,
    function: Option<Pointwise>,
) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.0"), x, conv)?;
    let x = g.batch_norm_with(&format!("{name}.1"), x, NORM)?;
    function.map_or(Ok(x), |function| g.activate(x, function))
}
