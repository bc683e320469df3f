//! ResNet. He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1,
//! <https://arxiv.org/abs/1512.03385>. Bottlenecks have their stride in the 3 x 3 convolution, as in torchvision. With other
//! 3 x 3 convolutions in the bottlenecks: ResNeXt (Xie, Girshick, Dollár, Tu and He, CVPR 2017, table 1,
//! <https://arxiv.org/abs/1611.05431>) in groups, wide ResNet (Zagoruyko and Komodakis, BMVC 2016,
//! <https://arxiv.org/abs/1605.07146>) of twice the channels.
//!
//! Parameters: torchvision's `resnet18` to `resnet152`, `resnext50_32x4d` and `resnext101_32x8d`, `wide_resnet50_2` and
//! `wide_resnet101_2`, which timm shares.

use super::encoder::{BuildEncoder, Encoder, Features, Form, StageForm, Stride};
use crate::blocks::{conv_bn, conv_bn_relu};
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, MaxPool, NodeId};

/// The two residual blocks of figure 5.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Two 3 x 3 convolutions.
    Basic,
    /// 1 x 1, 3 x 3, 1 x 1 to four times the channels.
    Bottleneck,
}

/// Channels of the first stage in the published networks.
const WIDTH: usize = 64;

const HE: &str = "He et al., CVPR 2016, arXiv:1512.03385";
const XIE: &str = "Xie et al., CVPR 2017, arXiv:1611.05431";
const ZAGORUYKO: &str = "Zagoruyko and Komodakis, BMVC 2016, arXiv:1605.07146";

const fn encoder(
    name: &'static str,
    title: &'static str,
    source: &'static str,
    build: BuildEncoder,
) -> Encoder {
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

pub(super) const RESNET18: Encoder =
    encoder("resnet18", "ResNet-18", HE, |g, x, form| resnet(g, x, form, &basic([2, 2, 2, 2])));
pub(super) const RESNET34: Encoder =
    encoder("resnet34", "ResNet-34", HE, |g, x, form| resnet(g, x, form, &basic([3, 4, 6, 3])));
pub(super) const RESNET50: Encoder =
    encoder("resnet50", "ResNet-50", HE, |g, x, form| resnet(g, x, form, &bottlenecks([3, 4, 6, 3], 1, 64)));
pub(super) const RESNET101: Encoder = encoder("resnet101", "ResNet-101", HE, |g, x, form| {
    resnet(g, x, form, &bottlenecks([3, 4, 23, 3], 1, 64))
});
pub(super) const RESNET152: Encoder = encoder("resnet152", "ResNet-152", HE, |g, x, form| {
    resnet(g, x, form, &bottlenecks([3, 8, 36, 3], 1, 64))
});
pub(super) const RESNEXT50: Encoder = encoder("resnext50-32x4d", "ResNeXt-50 32x4d", XIE, |g, x, form| {
    resnet(g, x, form, &bottlenecks([3, 4, 6, 3], 32, 4))
});
pub(super) const RESNEXT101: Encoder = encoder("resnext101-32x8d", "ResNeXt-101 32x8d", XIE, |g, x, form| {
    resnet(g, x, form, &bottlenecks([3, 4, 23, 3], 32, 8))
});
pub(super) const WIDE50: Encoder = encoder("wide-resnet50-2", "Wide ResNet-50-2", ZAGORUYKO, |g, x, form| {
    resnet(g, x, form, &bottlenecks([3, 4, 6, 3], 1, 128))
});
pub(super) const WIDE101: Encoder =
    encoder("wide-resnet101-2", "Wide ResNet-101-2", ZAGORUYKO, |g, x, form| {
        resnet(g, x, form, &bottlenecks([3, 4, 23, 3], 1, 128))
    });

/// The settings of a network.
struct Layout {
    block: Block,
    /// Blocks in each stage.
    depths: [usize; 4],
    /// Groups of the bottlenecks' 3 x 3 convolutions, and channels of each in the first stage, both at the published width.
    groups: usize,
    group_width: usize,
}

const fn basic(depths: [usize; 4]) -> Layout {
    Layout { block: Block::Basic, depths, groups: 1, group_width: WIDTH }
}

const fn bottlenecks(depths: [usize; 4], groups: usize, group_width: usize) -> Layout {
    Layout { block: Block::Bottleneck, depths, groups, group_width }
}

fn resnet(g: &mut Graph, x: NodeId, form: &Form, layout: &Layout) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let stem = Conv2d::new(form.width, 7).stride(2).padding(3).bias(false);
    let half = conv_bn_relu(g, [&format!("{prefix}conv1"), &format!("{prefix}bn1")], x, &stem)?;
    let mut x = g.max_pool(half, &MaxPool::new(3, 2).padding(1))?;
    let mut maps = [x; 4];
    for (stage, depth) in layout.depths.into_iter().enumerate() {
        let planes = form.width << stage;
        let stage_form = match stage {
            0 => StageForm { stride: 1, first: 1, dilation: 1 },
            _ => form.stride.stage(4 << stage),
        };
        // Other widths than the published one have more or fewer groups, of as many channels.
        let settings = Residual {
            block: layout.block,
            planes,
            inner: planes * layout.group_width * layout.groups / WIDTH,
            groups: (layout.groups * form.width / WIDTH).max(1),
            stride: 1,
            dilations: [stage_form.dilation; 2],
        };
        let first = Residual {
            stride: stage_form.stride,
            dilations: match form.stride {
                Stride::DilatedLater(_) => [stage_form.first, stage_form.dilation],
                _ => [stage_form.first; 2],
            },
            ..settings
        };
        for index in 0..depth {
            let name = format!("{prefix}layer{}.{index}", stage + 1);
            x = residual(g, &name, x, if index == 0 { &first } else { &settings })?;
        }
        maps[stage] = x;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// The settings of a residual block.
#[derive(Clone, Copy)]
struct Residual {
    block: Block,
    /// Channels of a basic block, a quarter of those of a bottleneck.
    planes: usize,
    /// Channels and groups of a bottleneck's 3 x 3 convolution.
    inner: usize,
    groups: usize,
    stride: usize,
    /// Of the 3 x 3 convolutions in their order.
    dilations: [usize; 2],
}

/// `relu(F(x) + x)`; where the shape changes, `x` goes through a 1 x 1 convolution.
fn residual(g: &mut Graph, name: &str, x: NodeId, settings: &Residual) -> Result<NodeId, GraphError> {
    let &Residual { block, planes, inner, groups, stride, dilations } = settings;
    let names = |index: usize| [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
    let conv1 = |channels| Conv2d::new(channels, 1).bias(false);
    let conv3 =
        |channels, dilation| Conv2d::new(channels, 3).padding(dilation).dilation(dilation).bias(false);
    let out = match block {
        Block::Basic => planes,
        Block::Bottleneck => 4 * planes,
    };
    let y = match block {
        Block::Basic => {
            let first = conv3(planes, dilations[0]).stride(stride);
            let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &first)?;
            conv_bn(g, names(2).each_ref().map(String::as_str), y, &conv3(planes, dilations[1]))?
        }
        Block::Bottleneck => {
            let middle = conv3(inner, dilations[0]).stride(stride).groups(groups);
            let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv1(inner))?;
            let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &middle)?;
            conv_bn(g, names(3).each_ref().map(String::as_str), y, &conv1(out))?
        }
    };
    let identity = if stride != 1 || g.shape(x).c != out {
        let names = [format!("{name}.downsample.0"), format!("{name}.downsample.1")];
        conv_bn(g, names.each_ref().map(String::as_str), x, &conv1(out).stride(stride))?
    } else {
        x
    };
    let sum = g.add(y, identity)?;
    g.relu(sum)
}
