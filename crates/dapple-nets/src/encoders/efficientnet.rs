//! EfficientNet. Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
//! table 1 and section 4, <https://arxiv.org/abs/1905.11946>.
//!
//! Parameters: torchvision's `efficientnet_b0` to `b7`, `features.INDEX`, without the last 1 x 1 convolution
//! (`features.8`), which belongs to the classifier. Stochastic depth with the published survival probability of 0.8. The batch
//! norms of B5 to B7 add timm's 1e-5 to the variance, as those of the others; torchvision's, which add 1e-3, are converted when
//! they are read.

use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::{Gate, divisible, drop_path, squeeze_excite};
use dapple_base::Normalization;
use dapple_graph::{BatchNorm, Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

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
    encoder("efficientnet-b0", "EfficientNet-B0", 32, |g, x, form| build(g, x, form, Scaling(32, 1.0, 1.0)));
pub(super) const B1: Encoder =
    encoder("efficientnet-b1", "EfficientNet-B1", 32, |g, x, form| build(g, x, form, Scaling(32, 1.0, 1.1)));
pub(super) const B2: Encoder =
    encoder("efficientnet-b2", "EfficientNet-B2", 32, |g, x, form| build(g, x, form, Scaling(32, 1.1, 1.2)));
pub(super) const B3: Encoder =
    encoder("efficientnet-b3", "EfficientNet-B3", 40, |g, x, form| build(g, x, form, Scaling(40, 1.2, 1.4)));
pub(super) const B4: Encoder =
    encoder("efficientnet-b4", "EfficientNet-B4", 48, |g, x, form| build(g, x, form, Scaling(48, 1.4, 1.8)));
pub(super) const B5: Encoder =
    encoder("efficientnet-b5", "EfficientNet-B5", 48, |g, x, form| build(g, x, form, Scaling(48, 1.6, 2.2)));
pub(super) const B6: Encoder =
    encoder("efficientnet-b6", "EfficientNet-B6", 56, |g, x, form| build(g, x, form, Scaling(56, 1.8, 2.6)));
pub(super) const B7: Encoder =
    encoder("efficientnet-b7", "EfficientNet-B7", 64, |g, x, form| build(g, x, form, Scaling(64, 2.0, 3.1)));

/// The published channels of the first stage, and the factors of width and depth over B0's.
#[derive(Clone, Copy)]
struct Scaling(usize, f64, f64);

/// One stage of table 1: expansion, kernel, stride, output channels and blocks of B0.
pub(super) struct Stage(pub usize, pub usize, pub usize, pub usize, pub usize);

pub(super) const TABLE: [Stage; 7] = [
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
];

/// TensorFlow's momentum of 0.99 counts the other way.
pub(super) const TENSORFLOW: BatchNorm = BatchNorm { eps: 1e-3, momentum: 0.01, frozen: false };

/// Stages whose outputs are the maps at strides 4, 8, 16 and 32. The map at stride 2 is the first convolution's.
const ENDS: [usize; 4] = [1, 2, 4, 6];

fn build(
    g: &mut Graph,
    x: NodeId,
    form: &Form,
    Scaling(published, width, depth): Scaling,
) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let width = width * form.width as f64 / published as f64;
    let scaled = |channels: usize| divisible(channels as f64 * width);
    let stem = Conv2d::new(scaled(32), 3).stride(2).padding(1);
    let half = layer(g, &format!("{}{}0", form.prefix, form.features), x, &stem, true)?;
    let blocks = |stage: usize| (TABLE[stage].4 as f64 * depth).ceil() as usize;
    let layout = Layout { blocks: &blocks, scaled: &scaled, name: &torchvision, add: &block, early: None };
    stages(g, half, form, &layout)
}

/// torchvision's name of a block: its place in its stage, for every stage.
pub(super) fn torchvision(form: &Form, [stage, index, _]: [usize; 3]) -> String {
    format!("{}{}{}.{index}.block", form.prefix, form.features, stage + 1)
}

/// The settings of a block.
pub(super) struct Block {
    pub expansion: usize,
    /// Of its depthwise convolution.
    pub kernel: usize,
    /// Stride of its input in the published network.
    pub from: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Output channels.
    pub out: usize,
}

/// Adds a block without its shortcut: the graph, the prefix of its names, its input, its settings.
type AddBlock<'a> = dyn Fn(&mut Graph, &str, NodeId, &Block) -> Result<NodeId, GraphError> + 'a;

/// What the networks of the family differ in.
pub(super) struct Layout<'a> {
    /// Blocks of a stage of the table.
    pub blocks: &'a dyn Fn(usize) -> usize,
    /// The channels for those of B0.
    pub scaled: &'a dyn Fn(usize) -> usize,
    /// The prefix of a block's names, from its stage, its place there and its place among all.
    pub name: &'a dyn Fn(&Form, [usize; 3]) -> String,
    pub add: &'a AddBlock<'a>,
    /// The place among all of the block that ends the map at stride 16, if that is not the last one there; those behind it are
    /// dilated as at stride 32.
    pub early: Option<usize>,
}

/// The stages of the table on the map at stride 2.
pub(super) fn stages(
    g: &mut Graph,
    half: NodeId,
    form: &Form,
    layout: &Layout,
) -> Result<Features, GraphError> {
    let &Layout { blocks, scaled, name, add, early } = layout;
    let (mut x, mut stride, mut number, mut outs) = (half, 2, 0, Vec::with_capacity(TABLE.len()));
    let total: usize = (0..TABLE.len()).map(blocks).sum();
    let mut cut = None;
    for (stage, &Stage(expansion, kernel, stage_stride, out, _)) in TABLE.iter().enumerate() {
        let before = stride;
        stride *= stage_stride;
        let out = scaled(out);
        for index in 0..blocks(stage) {
            let is_late = early.is_some_and(|end| number > end);
            let own = form.stride.stage(if is_late { 32 } else { stride });
            let (down, from) = if index == 0 { (stage_stride, before) } else { (1, stride) };
            let dilation = if down > 1 { own.first } else { own.dilation };
            let stride = if own.dilation > 1 { 1 } else { down };
            let settings = Block { expansion, kernel, from, stride, dilation, out };
            let y = add(g, &name(form, [stage, index, number]), x, &settings)?;
            x = if down == 1 && g.shape(x).c == out {
                let y = drop_path(g, y, form.drop_path, number, total)?;
                g.add(y, x)?
            } else {
                y
            };
            if early == Some(number) {
                cut = Some(x);
            }
            number += 1;
        }
        outs.push(x);
    }
    let [a, b, c, d] = ENDS.map(|end| outs[end]);
    Ok(Features { half: Some(half), maps: [a, b, cut.unwrap_or(c), d], early: None })
}

/// MBConv: expansion, depthwise convolution, squeeze-and-excitation, projection.
fn block(g: &mut Graph, name: &str, x: NodeId, settings: &Block) -> Result<NodeId, GraphError> {
    let &Block { expansion, kernel, stride, dilation, out, .. } = settings;
    let channels = g.shape(x).c;
    let expanded = divisible((channels * expansion) as f64);
    let (mut y, mut part) = (x, 0);
    let mut next = || {
        part += 1;
        format!("{name}.{}", part - 1)
    };
    if expanded != channels {
        y = layer(g, &next(), y, &Conv2d::new(expanded, 1), true)?;
    }
    let depthwise = Conv2d::new(expanded, kernel).groups(expanded);
    let depthwise = depthwise.stride(stride).padding(kernel / 2 * dilation).dilation(dilation);
    y = layer(g, &next(), y, &depthwise, true)?;
    let gate = Gate { squeeze: Some(Pointwise::Silu), excite: Pointwise::Sigmoid };
    y = squeeze_excite(g, &next(), y, (channels / 4).max(1), gate)?;
    layer(g, &next(), y, &Conv2d::new(out, 1), false)
}

/// Convolution, batch norm and perhaps SiLU.
fn layer(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d, silu: bool) -> Result<NodeId, GraphError> {
    let x = g.conv2d(&format!("{name}.0"), x, &conv.bias(false))?;
    let x = g.batch_norm(&format!("{name}.1"), x)?;
    if silu { g.activate(x, Pointwise::Silu) } else { Ok(x) }
}
