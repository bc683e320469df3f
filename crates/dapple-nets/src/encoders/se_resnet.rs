//! ResNet and ResNeXt with squeeze-and-excitation. Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018, table 1,
//! <https://arxiv.org/abs/1709.01507>, as their authors published them for Caffe and segmentation_models_pytorch has them: no
//! padding in the first pooling, which rounds sizes up, and strides in the first 1 x 1 convolution of SE-ResNet's bottlenecks.
//!
//! Parameters: segmentation_models_pytorch's `se_resnet50` to `se_resnet152`, `se_resnext50_32x4d` and `se_resnext101_32x4d`,
//! which are those of the package pretrainedmodels.

use super::encoder::{BuildEncoder, Encoder, Features, Form, StageForm};
use crate::blocks::{Gate, conv_bn, conv_bn_relu, squeeze_excite};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, MaxPool, NodeId, Pointwise};

/// Channels of the first stage in the published networks.
const WIDTH: usize = 64;

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Hu et al., CVPR 2018, arXiv:1709.01507";
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

pub(super) const RESNET50: Encoder =
    encoder("se-resnet50", "SE-ResNet-50", |g, x, form| build(g, x, form, [3, 4, 6, 3], false));
pub(super) const RESNET101: Encoder =
    encoder("se-resnet101", "SE-ResNet-101", |g, x, form| build(g, x, form, [3, 4, 23, 3], false));
pub(super) const RESNET152: Encoder =
    encoder("se-resnet152", "SE-ResNet-152", |g, x, form| build(g, x, form, [3, 8, 36, 3], false));
pub(super) const RESNEXT50: Encoder =
    encoder("se-resnext50-32x4d", "SE-ResNeXt-50 32x4d", |g, x, form| build(g, x, form, [3, 4, 6, 3], true));
pub(super) const RESNEXT101: Encoder =
    encoder("se-resnext101-32x4d", "SE-ResNeXt-101 32x4d", |g, x, form| {
        build(g, x, form, [3, 4, 23, 3], true)
    });

/// The gates' inner layers have a sixteenth of the channels.
const REDUCTION: usize = 16;

/// So many groups of the first stage's 3 x 3 convolutions, four channels each; wider stages have larger groups.
const GROUPS: usize = 32;

fn build(
    g: &mut Graph,
    x: NodeId,
    form: &Form,
    depths: [usize; 4],
    grouped: bool,
) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let stem = Conv2d::new(form.width, 7).stride(2).padding(3).bias(false);
    let names = [format!("{prefix}layer0.conv1"), format!("{prefix}layer0.bn1")];
    let half = conv_bn_relu(g, names.each_ref().map(String::as_str), x, &stem)?;
    let mut x = g.max_pool(half, &MaxPool::new(3, 2).ceil(true))?;
    let mut maps = [x; 4];
    for (stage, depth) in depths.into_iter().enumerate() {
        let planes = form.width << stage;
        let StageForm { stride, first, dilation } = match stage {
            0 => StageForm { stride: 1, first: 1, dilation: 1 },
            _ => form.stride.stage(4 << stage),
        };
        // Other widths than the published one have more or fewer groups, of as many channels.
        let groups = if grouped { (GROUPS * form.width / WIDTH).max(1) } else { 1 };
        for index in 0..depth {
            let name = format!("{prefix}layer{}.{index}", stage + 1);
            let (stride, dilation) = if index == 0 { (stride, first) } else { (1, dilation) };
            let inner = if grouped { 2 * planes } else { planes };
            let conv = Conv2d::new(inner, 3).padding(dilation).dilation(dilation).groups(groups).bias(false);
            x = bottleneck(g, &name, x, &conv, stride, 4 * planes)?;
        }
        maps[stage] = x;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// `relu(gate(F(x)) F(x) + x)`, where `F` is a bottleneck around the 3 x 3 convolution `middle`; where the shape changes, `x`
/// goes through a 1 x 1 convolution.
fn bottleneck(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    middle: &Conv2d,
    stride: usize,
    out: usize,
) -> Result<NodeId, GraphError> {
    let names = |index: usize| [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
    let conv1 = |channels| Conv2d::new(channels, 1).bias(false);
    // ResNeXt has the stride in the middle.
    let (early, late) = if middle.groups == 1 { (stride, 1) } else { (1, stride) };
    let first = conv1(middle.out_channels).stride(early);
    let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &first)?;
    let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &middle.stride(late))?;
    let y = conv_bn(g, names(3).each_ref().map(String::as_str), y, &conv1(out))?;
    let gate = Gate { squeeze: None, excite: Pointwise::Sigmoid };
    let y = squeeze_excite(g, &format!("{name}.se_module"), y, (out / REDUCTION).max(1), gate)?;
    let identity = if stride != 1 || g.shape(x).c != out {
        let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
        conv_bn(g, names.each_ref().map(String::as_str), x, &conv1(out).stride(stride))?
    } else {
        x
    };
    let sum = g.add(y, identity)?;
    g.relu(sum)
}
