//! VGG. Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
//! table 1, configurations A, B, D and E, <https://arxiv.org/abs/1409.1556>; with batch norm as in torchvision.
//!
//! Parameters: torchvision's `vgg11` to `vgg19_bn`, `features.INDEX`.

use super::encoder::{BuildEncoder, Encoder, Features, Form};
use crate::blocks::conv_bn_relu;
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, MaxPool, NodeId};

/// Channels of the stages as multiples of the width.
pub(crate) const FACTORS: [usize; 5] = [1, 2, 4, 8, 8];

/// Convolutions in each stage.
const A: [usize; 5] = [1, 1, 2, 2, 2];
const B: [usize; 5] = [2, 2, 2, 2, 2];
const D: [usize; 5] = [2, 2, 3, 3, 3];
const E: [usize; 5] = [2, 2, 4, 4, 4];

const fn encoder(name: &'static str, title: &'static str, build: BuildEncoder) -> Encoder {
    let source = "Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556";
    Encoder {
        name,
        title,
        source,
        width: 64,
        dilates: false,
        halves: true,
        drop_path: 0.0,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const VGG11: Encoder = encoder("vgg11", "VGG11", |g, x, form| plain(g, x, form, A));
pub(super) const VGG11_BN: Encoder = encoder("vgg11-bn", "VGG11-BN", |g, x, form| normed(g, x, form, A));
pub(super) const VGG13: Encoder = encoder("vgg13", "VGG13", |g, x, form| plain(g, x, form, B));
pub(super) const VGG13_BN: Encoder = encoder("vgg13-bn", "VGG13-BN", |g, x, form| normed(g, x, form, B));
pub(super) const VGG16: Encoder = encoder("vgg16", "VGG16", |g, x, form| plain(g, x, form, D));
pub(super) const VGG16_BN: Encoder = encoder("vgg16-bn", "VGG16-BN", |g, x, form| normed(g, x, form, D));
pub(super) const VGG19: Encoder = encoder("vgg19", "VGG19", |g, x, form| plain(g, x, form, E));
pub(super) const VGG19_BN: Encoder = encoder("vgg19-bn", "VGG19-BN", |g, x, form| normed(g, x, form, E));

fn plain(g: &mut Graph, x: NodeId, form: &Form, stages: [usize; 5]) -> Result<Features, GraphError> {
    Ok(stages_of(g, x, form, stages, false)?.features())
}

fn normed(g: &mut Graph, x: NodeId, form: &Form, stages: [usize; 5]) -> Result<Features, GraphError> {
    Ok(stages_of(g, x, form, stages, true)?.features())
}

/// The last map of each stage and the pooled map after it.
pub(crate) struct Stages {
    pub ends: [NodeId; 5],
    pub pools: [NodeId; 5],
}

impl Stages {
    /// A stage's last map has twice the size of the pooled one; only the last pooling is a map of its own.
    fn features(&self) -> Features {
        let [_, half, a, b, c] = self.ends;
        Features { half: Some(half), maps: [a, b, c, self.pools[4]], early: None }
    }
}

/// The convolutional layers of VGG16 without batch norm.
pub(crate) fn vgg16(g: &mut Graph, x: NodeId, form: &Form) -> Result<Stages, GraphError> {
    stages_of(g, x, form, D, false)
}

/// The convolutional layers of VGG16 with batch norm.
pub(crate) fn vgg16_bn(g: &mut Graph, x: NodeId, form: &Form) -> Result<Stages, GraphError> {
    stages_of(g, x, form, D, true)
}

fn stages_of(
    g: &mut Graph,
    mut x: NodeId,
    form: &Form,
    stages: [usize; 5],
    norm: bool,
) -> Result<Stages, GraphError> {
    g.use_conv_init(ConvInit::HeFanOut);
    let (mut ends, mut pools) = ([x; 5], [x; 5]);
    // Index in torchvision's `features`: convolution, perhaps batch norm, ReLU, and a pooling a stage.
    let mut index = 0;
    for (stage, convolutions) in stages.into_iter().enumerate() {
        for _ in 0..convolutions {
            let conv = Conv2d::new(FACTORS[stage] * form.width, 3).padding(1);
            let name = |index: usize| format!("{}{}{index}", form.prefix, form.features);
            x = if norm {
                conv_bn_relu(g, [&name(index), &name(index + 1)], x, &conv)?
            } else {
                let x = g.conv2d(&name(index), x, &conv)?;
                g.relu(x)?
            };
            index += if norm { 3 } else { 2 };
        }
        ends[stage] = x;
        x = g.max_pool(x, &MaxPool::new(2, 2))?;
        pools[stage] = x;
        index += 1;
    }
    Ok(Stages { ends, pools })
}
