//! ConvNeXt. Liu et al., "A ConvNet for the 2020s", CVPR 2022, section 2 and figure 4,
//! <https://arxiv.org/abs/2201.03545>.
//!
//! Parameters: torchvision's `convnext_tiny` to `convnext_large`, `features.INDEX`; its linear layers are 1 x 1
//! convolutions here. There is no map at stride 2. Stochastic depth with the rates of table 5 for ImageNet-1K.

use super::encoder::{BuildEncoder, Encoder, Features, Form, Stride};
use crate::blocks::drop_path;
use dapple_base::Normalization;
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, NodeId, Pointwise};

const fn encoder(
    name: &'static str,
    title: &'static str,
    width: usize,
    drop_path: f32,
    build: BuildEncoder,
) -> Encoder {
    let source = "Liu et al., CVPR 2022, arXiv:2201.03545";
    Encoder {
        name,
        title,
        source,
        width,
        dilates: false,
        halves: false,
        drop_path,
        normalization: Normalization::ImageNet,
        build,
    }
}

pub(super) const TINY: Encoder =
    encoder("convnext-tiny", "ConvNeXt-Tiny", 96, 0.1, |g, x, form| build(g, x, form, [3, 3, 9, 3]));
pub(super) const SMALL: Encoder =
    encoder("convnext-small", "ConvNeXt-Small", 96, 0.4, |g, x, form| build(g, x, form, [3, 3, 27, 3]));
pub(super) const BASE: Encoder =
    encoder("convnext-base", "ConvNeXt-Base", 128, 0.5, |g, x, form| build(g, x, form, [3, 3, 27, 3]));
pub(super) const LARGE: Encoder =
    encoder("convnext-large", "ConvNeXt-Large", 192, 0.5, |g, x, form| build(g, x, form, [3, 3, 27, 3]));

const EPS: f32 = 1e-6;

fn build(g: &mut Graph, mut x: NodeId, form: &Form, depths: [usize; 4]) -> Result<Features, GraphError> {
    debug_assert_eq!(form.stride, Stride::Full);
    g.use_conv_init(ConvInit::Normal(0.02));
    let name = |index: usize| format!("{}{}{index}", form.prefix, form.features);
    let (last, mut number) = (depths.iter().sum::<usize>() - 1, 0);
    let mut maps = [x; 4];
    for (stage, depth) in depths.into_iter().enumerate() {
        let channels = form.width << stage;
        let (down, body) = (name(2 * stage), name(2 * stage + 1));
        if stage == 0 {
            x = g.conv2d(&format!("{down}.0"), x, &Conv2d::new(channels, 4).stride(4))?;
            x = g.layer_norm(&format!("{down}.1"), x, EPS)?;
        } else {
            x = g.layer_norm(&format!("{down}.0"), x, EPS)?;
            x = g.conv2d(&format!("{down}.1"), x, &Conv2d::new(channels, 2).stride(2))?;
        }
        for index in 0..depth {
            let y = branch(g, &format!("{body}.{index}"), x)?;
            let y = drop_path(g, y, form.drop_path, number, last)?;
            x = g.add(y, x)?;
            number += 1;
        }
        maps[stage] = x;
    }
    Ok(Features { half: None, maps, early: None })
}

/// 7 x 7 depthwise convolution, layer norm, two linear layers with GELU between them, layer scale.
fn branch(g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let depthwise = Conv2d::new(channels, 7).padding(3).groups(channels);
    let y = g.conv2d(&format!("{name}.block.0"), x, &depthwise)?;
    let y = g.layer_norm(&format!("{name}.block.2"), y, EPS)?;
    let y = g.conv2d(&format!("{name}.block.3"), y, &Conv2d::new(4 * channels, 1))?;
    let y = g.activate(y, Pointwise::Gelu)?;
    let y = g.conv2d(&format!("{name}.block.5"), y, &Conv2d::new(channels, 1))?;
    g.scale(&format!("{name}.layer_scale"), y, 1e-6)
}
