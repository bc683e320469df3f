//! EfficientNet (Tan and Le, ICML 2019, <https://arxiv.org/abs/1905.11946>) as segmentation_models_pytorch's own encoders
//! `efficientnet-b0` to `b7` and the package efficientnet-pytorch have it, with the weights of the authors: channels and blocks
//! as in [`super::efficientnet`], but TensorFlow's batch norms and padding.
//!
//! Both fix the padding of each convolution of stride 2 for the image that a network was published for: where the map has an even
//! height there, zeros follow at its end, where it has an odd one, also at its beginning, whatever the height of the map at hand.
//! So does this file, but for maps of odd height or width, whose sizes are rounded up as everywhere here: outputs are theirs
//! where height and width of the image are multiples of 32, which they ask for.
//!
//! Parameters: `_conv_stem`, `_bn0`, `_blocks.INDEX`, numbered through all stages; without the last 1 x 1 convolution
//! (`_conv_head`), which belongs to the classifier. Stochastic depth with the published survival probability of 0.8.

use super::efficientnet::{Block, Layout, Stage, TABLE, TENSORFLOW, stages};
use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{Gate, divisible, gated, padded_at_the_end};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(name: &'static str, title: &'static str, width: usize, build: BuildEncoder) -> Encoder {
    let source = "Tan and Le, ICML 2019, arXiv:1905.11946";
    Encoder {
        name,
        title,
        source,
        width,
        dilates: true,
        halves: true,
        drop_path: 0.2,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const B0: Encoder =
    encoder("efficientnet-smp-b0", "EfficientNet-B0 (smp)", 32, |g, x, f| build(g, x, f, &B[0]));
pub(super) const B1: Encoder =
    encoder("efficientnet-smp-b1", "EfficientNet-B1 (smp)", 32, |g, x, f| build(g, x, f, &B[1]));
pub(super) const B2: Encoder =
    encoder("efficientnet-smp-b2", "EfficientNet-B2 (smp)", 32, |g, x, f| build(g, x, f, &B[2]));
pub(super) const B3: Encoder =
    encoder("efficientnet-smp-b3", "EfficientNet-B3 (smp)", 40, |g, x, f| build(g, x, f, &B[3]));
pub(super) const B4: Encoder =
    encoder("efficientnet-smp-b4", "EfficientNet-B4 (smp)", 48, |g, x, f| build(g, x, f, &B[4]));
pub(super) const B5: Encoder =
    encoder("efficientnet-smp-b5", "EfficientNet-B5 (smp)", 48, |g, x, f| build(g, x, f, &B[5]));
pub(super) const B6: Encoder =
    encoder("efficientnet-smp-b6", "EfficientNet-B6 (smp)", 56, |g, x, f| build(g, x, f, &B[6]));
pub(super) const B7: Encoder =
    encoder("efficientnet-smp-b7", "EfficientNet-B7 (smp)", 64, |g, x, f| build(g, x, f, &B[7]));

/// The scaling of a network.
struct Scaling {
    /// Channels of the first layer.
    stem: usize,
    /// The factors of width and depth over B0's.
    width: f64,
    depth: f64,
    /// Height and width of the images that it was published for.
    size: usize,
}

const fn scaling(stem: usize, width: f64, depth: f64, size: usize) -> Scaling {
    Scaling { stem, width, depth, size }
}

/// B0 to B7.
static B: [Scaling; 8] = [
    scaling(32, 1.0, 1.0, 224),
    scaling(32, 1.0, 1.1, 240),
    scaling(32, 1.1, 1.2, 260),
    scaling(40, 1.2, 1.4, 300),
    scaling(48, 1.4, 1.8, 380),
    scaling(48, 1.6, 2.2, 456),
    scaling(56, 1.8, 2.6, 528),
    scaling(64, 2.0, 3.1, 600),
];

impl Scaling {
    /// Whether the map at a stride has an even height in the published network.
    fn is_even(&self, stride: usize) -> bool {
        (0..stride.ilog2()).fold(self.size, |size, _| size.div_ceil(2)).is_multiple_of(2)
    }
}

fn build(g: &mut Graph, x: NodeId, form: &Form, scaling: &Scaling) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let scaled =
        |channels: usize| (divisible(channels as f64 * scaling.width) * form.width / scaling.stem).max(1);
    // The images that the networks were published for have even sizes.
    let image = padded_at_the_end(g, x, x)?;
    let stem = [format!("{}_conv_stem", form.prefix), format!("{}_bn0", form.prefix)];
    let half = layer(g, stem.each_ref().map(String::as_str), image, &Conv2d::new(scaled(32), 3).stride(2))?;
    let blocks = |stage: usize| {
        let Stage(.., blocks) = TABLE[stage];
        (blocks as f64 * scaling.depth).ceil() as usize
    };
    let add = |g: &mut Graph, name: &str, x: NodeId, settings: &Block| block(g, name, x, settings, scaling);
    // Of B0, segmentation_models_pytorch takes the map at stride 16 from the first block of the fifth stage.
    let early = (scaling.depth == 1.0).then_some(8);
    stages(g, half, form, &Layout { blocks: &blocks, scaled: &scaled, name: &numbered, add: &add, early })
}

/// The name of a block: its place among all.
fn numbered(form: &Form, [_, _, number]: [usize; 3]) -> String {
    format!("{}_blocks.{number}", form.prefix)
}

/// MBConv: expansion, depthwise convolution, squeeze-and-excitation, projection.
fn block(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    settings: &Block,
    scaling: &Scaling,
) -> Result<NodeId, GraphError> {
    let &Block { expansion, kernel, from, stride, dilation, out } = settings;
    let (channels, mut y) = (g.shape(x).c, x);
    let names = |conv: &str, norm: &str| [format!("{name}.{conv}"), format!("{name}.{norm}")];
    if expansion > 1 {
        let names = names("_expand_conv", "_bn0");
        y = layer(g, names.each_ref().map(String::as_str), y, &Conv2d::new(channels * expansion, 1))?;
    }
    let mut depthwise = Conv2d::new(channels * expansion, kernel).groups(channels * expansion);
    if stride > 1 && scaling.is_even(from) {
        y = padded_at_the_end(g, y, x)?;
        depthwise = depthwise.stride(stride).padding(kernel / 2 - 1);
    } else {
        depthwise = depthwise.stride(stride).padding(kernel / 2 * dilation).dilation(dilation);
    }
    y = layer(g, names("_depthwise_conv", "_bn1").each_ref().map(String::as_str), y, &depthwise)?;
    let gate = Gate { squeeze: Some(Pointwise::Silu), excite: Pointwise::Sigmoid };
    let gates = names("_se_reduce", "_se_expand");
    y = gated(g, gates.each_ref().map(String::as_str), y, (channels / 4).max(1), gate)?;
    let y = g.conv2d(&format!("{name}._project_conv"), y, &Conv2d::new(out, 1).bias(false))?;
    g.batch_norm_with(&format!("{name}._bn2"), y, TENSORFLOW)
}

/// Convolution, batch norm and SiLU.
fn layer(
    g: &mut Graph,
    [conv_name, norm_name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = g.conv2d(conv_name, x, &conv.bias(false))?;
    let x = g.batch_norm_with(norm_name, x, TENSORFLOW)?;
    g.activate(x, Pointwise::Silu)
}
