//! ResNet. He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1,
//! <https://arxiv.org/abs/1512.03385>. Bottlenecks have their stride in the 3 x 3 convolution, as in torchvision.
//!
//! Parameters: torchvision's `resnet18` to `resnet101`.

use super::encoder::{BuildEncoder, Encoder, Features, Form, StageForm};
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

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "He et al., CVPR 2016, arXiv:1512.03385";
    Encoder {
        name,
        title,
        source,
        width: 64,
        dilates: true,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const RESNET18: Encoder =
    encoder("resnet18", "ResNet-18", |g, x, form| resnet(g, x, form, Block::Basic, [2, 2, 2, 2]));
pub(super) const RESNET34: Encoder =
    encoder("resnet34", "ResNet-34", |g, x, form| resnet(g, x, form, Block::Basic, [3, 4, 6, 3]));
pub(super) const RESNET50: Encoder =
    encoder("resnet50", "ResNet-50", |g, x, form| resnet(g, x, form, Block::Bottleneck, [3, 4, 6, 3]));
pub(super) const RESNET101: Encoder =
    encoder("resnet101", "ResNet-101", |g, x, form| resnet(g, x, form, Block::Bottleneck, [3, 4, 23, 3]));

fn resnet(
    g: &mut Graph,
    x: NodeId,
    form: &Form,
    block: Block,
    depths: [usize; 4],
) -> Result<Features, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let prefix = form.prefix;
    let stem = Conv2d::new(form.width, 7).stride(2).padding(3).bias(false);
    let half = conv_bn_relu(g, [&format!("{prefix}conv1"), &format!("{prefix}bn1")], x, &stem)?;
    let mut x = g.max_pool(half, &MaxPool::new(3, 2).padding(1))?;
    let mut maps = [x; 4];
    for (stage, depth) in depths.into_iter().enumerate() {
        let planes = form.width << stage;
        let stage_form = match stage {
            0 => StageForm { stride: 1, first: 1, dilation: 1 },
            _ => form.stride.stage(4 << stage),
        };
        for index in 0..depth {
            let name = format!("{prefix}layer{}.{index}", stage + 1);
            let (stride, dilation) =
                if index == 0 { (stage_form.stride, stage_form.first) } else { (1, stage_form.dilation) };
            x = residual(g, &name, x, block, planes, stride, dilation)?;
        }
        maps[stage] = x;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// `relu(F(x) + x)`; where the shape changes, `x` goes through a 1 x 1 convolution.
fn residual(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    block: Block,
    planes: usize,
    stride: usize,
    dilation: usize,
) -> Result<NodeId, GraphError> {
    let names = |index: usize| [format!("{name}.conv{index}"), format!("{name}.bn{index}")];
    let conv3 = Conv2d::new(planes, 3).padding(dilation).dilation(dilation).bias(false);
    let out = match block {
        Block::Basic => planes,
        Block::Bottleneck => 4 * planes,
    };
    let conv1 = |channels| Conv2d::new(channels, 1).bias(false);
    let y = match block {
        Block::Basic => {
            let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv3.stride(stride))?;
            conv_bn(g, names(2).each_ref().map(String::as_str), y, &conv3)?
        }
        Block::Bottleneck => {
            let y = conv_bn_relu(g, names(1).each_ref().map(String::as_str), x, &conv1(planes))?;
            let y = conv_bn_relu(g, names(2).each_ref().map(String::as_str), y, &conv3.stride(stride))?;
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
