//! Blocks of networks with a branch that keeps its size: those of DDRNet (Hong et al. 2021, figures 4 and 5), which PIDNet
//! took over.

use crate::blocks::{conv_bn, conv_bn_relu};
use dapple_graph::{AvgPool, Conv2d, Graph, GraphError, Interpolation, NodeId};

/// Sampling between the branches.
pub(super) const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

/// Kernels and strides of the poolings of a pyramid; the padding is half the kernel. The last one is of the whole map.
const POOLINGS: [(usize, usize); 3] = [(5, 2), (9, 4), (17, 8)];

/// Batch norm and ReLU before a convolution.
pub(super) fn before(
    g: &mut Graph,
    [norm, name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = g.batch_norm(norm, x)?;
    let x = g.relu(x)?;
    g.conv2d(name, x, conv)
}

/// As [`before`], with the norm as `name.FIRST` and the convolution two layers after it.
pub(super) fn numbered(
    g: &mut Graph,
    name: &str,
    first: usize,
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    before(g, [&format!("{name}.{first}"), &format!("{name}.{}", first + 2)], x, &conv.bias(false))
}

/// A convolution without bias and its batch norm as `name.FIRST` and the layer after it.
pub(super) fn pair(
    g: &mut Graph,
    name: &str,
    first: usize,
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    conv_bn(g, [&format!("{name}.{first}"), &format!("{name}.{}", first + 1)], x, &conv.bias(false))
}

/// The segmentation head: a 3 x 3 convolution to `inner` channels and a 1 x 1 convolution.
pub(super) fn head(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    inner: usize,
    logits: usize,
) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(inner, 3).padding(1).bias(false);
    let x = before(g, [&format!("{name}.bn1"), &format!("{name}.conv1")], x, &conv)?;
    before(g, [&format!("{name}.bn2"), &format!("{name}.conv2")], x, &Conv2d::new(logits, 1))
}

/// Residual blocks of two 3 x 3 convolutions, `name.0` and so on, with ReLUs between them.
pub(super) fn basic_blocks(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    out: usize,
    stride: usize,
    count: usize,
) -> Result<NodeId, GraphError> {
    let first = basic_block(g, &format!("{name}.0"), x, out, stride)?;
    (1..count).try_fold(first, |x, index| {
        let x = g.relu(x)?;
        basic_block(g, &format!("{name}.{index}"), x, out, 1)
    })
}

/// A residual block of two 3 x 3 convolutions, without ReLU at its end.
pub(super) fn basic_block(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    out: usize,
    stride: usize,
) -> Result<NodeId, GraphError> {
    let conv = Conv2d::new(out, 3).padding(1).bias(false);
    let names = |n: usize| [format!("{name}.conv{n}"), format!("{name}.bn{n}")];
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv.stride(stride))?;
    let y = conv_bn(g, names(2).each_ref().map(String::as_str), y, &conv)?;
    let x = shortcut(g, name, x, out, stride)?;
    g.add(y, x)
}

/// A residual block of 1 x 1, 3 x 3 and 1 x 1 convolutions to twice the inner channels, without ReLU at its end.
pub(super) fn bottleneck(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    inner: usize,
    stride: usize,
) -> Result<NodeId, GraphError> {
    let names = |n: usize| [format!("{name}.conv{n}"), format!("{name}.bn{n}")];
    let convs = [
        Conv2d::new(inner, 1).bias(false),
        Conv2d::new(inner, 3).stride(stride).padding(1).bias(false),
        Conv2d::new(2 * inner, 1).bias(false),
    ];
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &convs[0])?;
    let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &convs[1])?;
    let y = conv_bn(g, names(3).each_ref().map(String::as_str), y, &convs[2])?;
    let x = shortcut(g, name, x, 2 * inner, stride)?;
    g.add(y, x)
}

/// A residual block's input, through a 1 x 1 convolution where the shape changes.
fn shortcut(g: &mut Graph, name: &str, x: NodeId, out: usize, stride: usize) -> Result<NodeId, GraphError> {
    if stride == 1 && g.shape(x).c == out {
        return Ok(x);
    }
    pair(g, &format!("{name}.downsample"), 0, x, &Conv2d::new(out, 1).stride(stride))
}

/// How the scales of a pyramid are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pyramid {
    /// DAPPM (DDRNet's figure 5, equation 3): each with the one before it, and then convolved.
    Deep,
    /// PAPPM (PIDNet's figure 6): each with the map itself, and all convolved at once.
    Parallel,
}

/// Pyramid pooling `spp`: the map and its means over windows of growing size, joined and concatenated; and a shortcut.
pub(super) fn pyramid(
    g: &mut Graph,
    kind: Pyramid,
    x: NodeId,
    branch: usize,
    out: usize,
) -> Result<NodeId, GraphError> {
    let narrow = Conv2d::new(branch, 1);
    let own = numbered(g, "spp.scale0", 0, x, &narrow)?;
    let (mut parts, mut joined) = (vec![own], Vec::new());
    for scale in 1..=POOLINGS.len() + 1 {
        let pooled = match POOLINGS.get(scale - 1) {
            Some(&(kernel, stride)) => g.avg_pool(x, &AvgPool::new(kernel, stride).padding(kernel / 2))?,
            None => g.adaptive_avg_pool(x, [1, 1])?,
        };
        let y = numbered(g, &format!("spp.scale{scale}"), 1, pooled, &narrow)?;
        let y = g.resize(y, x, BILINEAR)?;
        match kind {
            Pyramid::Deep => {
                let y = g.add(y, parts[scale - 1])?;
                let conv = Conv2d::new(branch, 3).padding(1);
                parts.push(numbered(g, &format!("spp.process{scale}"), 0, y, &conv)?);
            }
            Pyramid::Parallel => joined.push(g.add(y, own)?),
        }
    }
    if kind == Pyramid::Parallel {
        let scales = g.concat(&joined)?;
        let conv = Conv2d::new(joined.len() * branch, 3).padding(1).groups(joined.len());
        parts.push(numbered(g, "spp.scale_process", 0, scales, &conv)?);
    }
    let all = g.concat(&parts)?;
    let all = numbered(g, "spp.compression", 0, all, &Conv2d::new(out, 1))?;
    let direct = numbered(g, "spp.shortcut", 0, x, &Conv2d::new(out, 1))?;
    g.add(all, direct)
}
