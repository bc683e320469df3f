//! DenseNet. Huang, Liu, van der Maaten and Weinberger, "Densely Connected Convolutional Networks", CVPR 2017, table 1,
//! <https://arxiv.org/abs/1608.06993>.
//!
//! Parameters: torchvision's `densenet121` to `densenet201`, `features.NAME`. The maps are those of segmentation_models_pytorch:
//! of the transitions behind their batch norms and ReLUs, and of the last batch norm without one. Its poolings round odd sizes
//! down.

use super::encoder::{BuildEncoder, Encoder, Features, Form, Stride};
use crate::blocks::conv_bn_relu;
use dapple_base::Normalization;
use dapple_graph::{AvgPool, Conv2d, ConvInit, Graph, GraphError, MaxPool, NodeId};

const fn encoder(name: &'static str, title: &'static str, width: usize, build: BuildEncoder) -> Encoder {
    let source = "Huang et al., CVPR 2017, arXiv:1608.06993";
    Encoder {
        name,
        title,
        source,
        width,
        dilates: false,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const DENSENET121: Encoder =
    encoder("densenet121", "DenseNet-121", 64, |g, x, form| build(g, x, form, [6, 12, 24, 16]));
pub(super) const DENSENET161: Encoder =
    encoder("densenet161", "DenseNet-161", 96, |g, x, form| build(g, x, form, [6, 12, 36, 24]));
pub(super) const DENSENET169: Encoder =
    encoder("densenet169", "DenseNet-169", 64, |g, x, form| build(g, x, form, [6, 12, 32, 32]));
pub(super) const DENSENET201: Encoder =
    encoder("densenet201", "DenseNet-201", 64, |g, x, form| build(g, x, form, [6, 12, 48, 32]));

/// Of a layer's inner channels over those that it adds.
const BOTTLENECK: usize = 4;

fn build(g: &mut Graph, x: NodeId, form: &Form, depths: [usize; 4]) -> Result<Features, GraphError> {
    debug_assert_eq!(form.stride, Stride::Full);
    g.use_conv_init(ConvInit::HeFanIn);
    let features = format!("{}features", form.prefix);
    // Each layer adds half as many channels as the first one has.
    let growth = (form.width / 2).max(1);
    let stem = Conv2d::new(form.width, 7).stride(2).padding(3).bias(false);
    let half = conv_bn_relu(g, [&format!("{features}.conv0"), &format!("{features}.norm0")], x, &stem)?;
    let mut x = g.max_pool(half, &MaxPool::new(3, 2).padding(1))?;
    let mut maps = [x; 4];
    for (stage, depth) in depths.into_iter().enumerate() {
        for index in 0..depth {
            let name = format!("{features}.denseblock{}.denselayer{}", stage + 1, index + 1);
            let y = layer(g, &name, x, growth)?;
            x = g.concat(&[x, y])?;
        }
        if stage + 1 == depths.len() {
            maps[stage] = g.batch_norm(&format!("{features}.norm5"), x)?;
            break;
        }
        let name = format!("{features}.transition{}", stage + 1);
        x = g.batch_norm(&format!("{name}.norm"), x)?;
        x = g.relu(x)?;
        maps[stage] = x;
        let halved = Conv2d::new((g.shape(x).c / 2).max(1), 1).bias(false);
        x = g.conv2d(&format!("{name}.conv"), x, &halved)?;
        x = g.avg_pool(x, &AvgPool::new(2, 2))?;
    }
    Ok(Features { half: Some(half), maps, early: None })
}

/// The channels that a layer adds: 1 x 1 and 3 x 3 convolution, batch norm and ReLU before each.
fn layer(g: &mut Graph, name: &str, x: NodeId, growth: usize) -> Result<NodeId, GraphError> {
    let y = g.batch_norm(&format!("{name}.norm1"), x)?;
    let y = g.relu(y)?;
    let y = g.conv2d(&format!("{name}.conv1"), y, &Conv2d::new(BOTTLENECK * growth, 1).bias(false))?;
    let y = g.batch_norm(&format!("{name}.norm2"), y)?;
    let y = g.relu(y)?;
    g.conv2d(&format!("{name}.conv2"), y, &Conv2d::new(growth, 3).padding(1).bias(false))
}
