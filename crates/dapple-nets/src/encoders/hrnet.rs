//! HRNet. Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", PAMI 2020, section 3 and figures 1
//! to 3, <https://arxiv.org/abs/1908.07919>.
//!
//! Parameters: timm's `hrnet_w18` and `hrnet_w32`. The maps are timm's: the four branches widened to 128, 256, 512 and 1024
//! channels, as in the authors' classification networks. Maps of odd height or width are upsampled to the finer branch's size.

use super::encoder::{BuildEncoder, Encoder, Features, Form, Stride};
use crate::blocks::{conv_bn, conv_bn_relu};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, NodeId};

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Wang et al., PAMI 2020, arXiv:1908.07919";
    Encoder {
        name,
        title,
        source,
        width: WIDTH,
        dilates: false,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const W18: Encoder = encoder("hrnet-w18", "HRNet-W18", |g, x, form| build(g, x, form, 18));
pub(super) const W32: Encoder = encoder("hrnet-w32", "HRNet-W32", |g, x, form| build(g, x, form, 32));

/// Published channels of the first layers.
const WIDTH: usize = 64;

/// Modules of the stages with two, three and four branches.
const MODULES: [usize; 3] = [1, 4, 3];

/// Residual blocks in each branch of a module, and in the first stage.
const BLOCKS: usize = 4;

/// `channels`: of the finest branch.
fn build(g: &mut Graph, x: NodeId, form: &Form, channels: usize) -> Result<Features, GraphError> {
    debug_assert_eq!(form.stride, Stride::Full);
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let scaled = |channels: usize| (channels * form.width / WIDTH).max(1);
    let of_branch = |branch: usize| scaled(channels << branch);
    let stem = Conv2d::new(scaled(WIDTH), 3).stride(2).padding(1).bias(false);
    let half = conv_bn_relu(g, [&format!("{prefix}conv1"), &format!("{prefix}bn1")], x, &stem)?;
    let mut x = conv_bn_relu(g, [&format!("{prefix}conv2"), &format!("{prefix}bn2")], half, &stem)?;
    for index in 0..BLOCKS {
        x = bottleneck(g, &format!("{prefix}layer1.{index}"), x, scaled(WIDTH))?;
    }
    let mut branches = vec![x];
    for (stage, modules) in MODULES.into_iter().enumerate() {
        let name = format!("{prefix}transition{}", stage + 1);
        let coarsest = branches[stage];
        if stage == 0 {
            // The first stage's channels are not those of a branch.
            branches[0] = unit(g, &format!("{name}.0"), coarsest, &Conv2d::new(of_branch(0), 3))?;
        }
        let down = Conv2d::new(of_branch(stage + 1), 3).stride(2);
        branches.push(unit(g, &format!("{name}.{}.0", stage + 1), coarsest, &down)?);
        for module in 0..modules {
            let name = format!("{prefix}stage{}.{module}", stage + 2);
            for (branch, map) in branches.iter_mut().enumerate() {
                for index in 0..BLOCKS {
                    *map = basic(g, &format!("{name}.branches.{branch}.{index}"), *map)?;
                }
            }
            branches = fuse(g, &name, &branches)?;
        }
    }
    let mut maps = [half; 4];
    for (branch, &map) in branches.iter().enumerate() {
        maps[branch] =
            bottleneck(g, &format!("{prefix}incre_modules.{branch}.0"), map, scaled(32 << branch))?;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// Each branch becomes the sum of all, brought to its size and its channels: finer ones by convolutions of stride 2, coarser ones by
/// a 1 x 1 convolution and upsampling.
fn fuse(g: &mut Graph, name: &str, branches: &[NodeId]) -> Result<Vec<NodeId>, GraphError> {
    let mut fused = Vec::with_capacity(branches.len());
    for (to, &target) in branches.iter().enumerate() {
        let out = g.shape(target).c;
        let mut sum = None;
        for (from, &source) in branches.iter().enumerate() {
            let name = format!("{name}.fuse_layers.{to}.{from}");
            let mut y = source;
            if from > to {
                let conv = Conv2d::new(out, 1).bias(false);
                y = conv_bn(g, [&format!("{name}.0"), &format!("{name}.1")], y, &conv)?;
                y = g.resize(y, target, Interpolation::Nearest)?;
            }
            for step in from..to {
                let is_last = step + 1 == to;
                let channels = if is_last { out } else { g.shape(source).c };
                let conv = Conv2d::new(channels, 3).stride(2).padding(1).bias(false);
                let name = format!("{name}.{}", step - from);
                let names = [format!("{name}.0"), format!("{name}.1")];
                y = conv_bn(g, names.each_ref().map(String::as_str), y, &conv)?;
                y = if is_last { y } else { g.relu(y)? };
            }
            sum = Some(match sum {
                Some(sum) => g.add(sum, y)?,
                None => y,
            });
        }
        fused.push(g.relu(sum.unwrap_or(target))?);
    }
    Ok(fused)
}

/// A residual block of two 3 x 3 convolutions.
fn basic(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let names = |index: usize| [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
    let conv = Conv2d::new(g.shape(x).c, 3).padding(1).bias(false);
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv)?;
    let y = conv_bn(g, names(2).each_ref().map(String::as_str), y, &conv)?;
    let sum = g.add(y, x)?;
    g.relu(sum)
}

/// A residual block of 1 x 1, 3 x 3 and 1 x 1 convolutions to four times the channels; where these change, `x` goes through a
/// 1 x 1 convolution.
fn bottleneck(g: &mut Graph, name: &str, x: NodeId, planes: usize) -> Result<NodeId, GraphError> {
    let names = |index: usize| [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
    let conv1 = |channels| Conv2d::new(channels, 1).bias(false);
    let middle = Conv2d::new(planes, 3).padding(1).bias(false);
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv1(planes))?;
    let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &middle)?;
    let y = conv_bn(g, names(3).each_ref().map(String::as_str), y, &conv1(4 * planes))?;
    let identity = if g.shape(x).c == 4 * planes {
        x
    } else {
        let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
        conv_bn(g, names.each_ref().map(String::as_str), x, &conv1(4 * planes))?
    };
    let sum = g.add(y, identity)?;
    g.relu(sum)
}

/// A 3 x 3 convolution as `name.0`, batch norm as `name.1`, and ReLU.
fn unit(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, [&format!("{name}.0"), &format!("{name}.1")], x, &conv.padding(1).bias(false))
}
