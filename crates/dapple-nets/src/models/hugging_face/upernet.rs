//! UPerNet on ConvNeXt with any sizes, as transformers' `UperNetForSemanticSegmentation`. Xiao et al., ECCV 2018, section 3.1,
//! <https://arxiv.org/abs/1807.10221>; Liu et al., CVPR 2022, section 2, <https://arxiv.org/abs/2201.03545>.
//!
//! Parameters have the names of its files; linear layers are 1 x 1 convolutions. The auxiliary head, which only training uses, is
//! left out.

use super::input::image;
use crate::blocks::{check_size, conv_bn_relu};
use crate::decoders::{BILINEAR, SMALLEST};
use dapple_graph::{Conv2d, Graph, GraphError, Network, NodeId, Pointwise, Shape};

/// In the norms of ConvNeXt.
const EPS: f32 = 1e-6;

/// UPerNet with the sizes of a `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HubUperNet {
    /// Channels of the encoder's stages.
    pub stages: [usize; 4],
    /// Their blocks.
    pub depths: [usize; 4],
    /// Whether blocks end in a factor for each channel.
    pub scales: bool,
    /// Channels of the decoder.
    pub decoder: usize,
    /// Sides of the maps of means in the pyramid pooling module.
    pub pools: Vec<usize>,
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the output.
    pub logits: usize,
    /// Whether a layer of its own prepares the pixels.
    pub prepares: bool,
}

impl Network for HubUperNet {
    /// One output `[n, h, w, logits]` for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        check_size("upernet", input, SMALLEST)?;
        let mut g = Graph::new(input);
        let x = image(&mut g, self.prepares)?;
        let mut maps = self.encode(&mut g, x)?;
        for (index, map) in maps.iter_mut().enumerate() {
            *map = g.layer_norm(&format!("backbone.hidden_states_norms.stage{}", index + 1), *map, EPS)?;
        }
        let x = self.decode(&mut g, maps)?;
        let x = g.conv2d("decode_head.classifier", x, &Conv2d::new(self.logits, 1))?;
        let size = g.input();
        let x = g.resize(x, size, BILINEAR)?;
        g.output("logits", x)?;
        Ok(g)
    }

    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, self.channels)
    }
}

impl HubUperNet {
    /// The maps of ConvNeXt at strides 4, 8, 16 and 32.
    fn encode(&self, g: &mut Graph, mut x: NodeId) -> Result<[NodeId; 4], GraphError> {
        let mut maps = [x; 4];
        for (stage, &channels) in self.stages.iter().enumerate() {
            let name = format!("backbone.encoder.stages.{stage}");
            if stage == 0 {
                let stem = Conv2d::new(channels, 4).stride(4);
                x = g.conv2d("backbone.embeddings.patch_embeddings", x, &stem)?;
                x = g.layer_norm("backbone.embeddings.layernorm", x, EPS)?;
            } else {
                let down = format!("{name}.downsampling_layer");
                x = g.layer_norm(&format!("{down}.0"), x, EPS)?;
                x = g.conv2d(&format!("{down}.1"), x, &Conv2d::new(channels, 2).stride(2))?;
            }
            for block in 0..self.depths[stage] {
                let y = self.branch(g, &format!("{name}.layers.{block}"), x)?;
                x = g.add(y, x)?;
            }
            maps[stage] = x;
        }
        Ok(maps)
    }

    /// 7 x 7 depthwise convolution, layer norm, two linear layers with GELU between them, layer scale.
    fn branch(&self, g: &mut Graph, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let channels = g.shape(x).c;
        let depthwise = Conv2d::new(channels, 7).padding(3).groups(channels);
        let y = g.conv2d(&format!("{name}.dwconv"), x, &depthwise)?;
        let y = g.layer_norm(&format!("{name}.layernorm"), y, EPS)?;
        let y = g.conv2d(&format!("{name}.pwconv1"), y, &Conv2d::new(4 * channels, 1))?;
        let y = g.activate(y, Pointwise::Gelu)?;
        let y = g.conv2d(&format!("{name}.pwconv2"), y, &Conv2d::new(channels, 1))?;
        match self.scales {
            true => g.scale(&format!("{name}.layer_scale_parameter"), y, 1e-6),
            false => Ok(y),
        }
    }

    /// The pyramid pooling module on the coarsest map, and the feature pyramid below it.
    fn decode(&self, g: &mut Graph, maps: [NodeId; 4]) -> Result<NodeId, GraphError> {
        let [conv1, conv3] = [Conv2d::new(self.decoder, 1), Conv2d::new(self.decoder, 3).padding(1)];
        let mut parts = vec![maps[3]];
        for (index, &side) in self.pools.iter().enumerate() {
            let y = g.adaptive_avg_pool(maps[3], [side, side])?;
            let y = module(g, &format!("psp_modules.{index}.1"), y, &conv1)?;
            parts.push(g.resize(y, maps[3], BILINEAR)?);
        }
        let x = g.concat(&parts)?;
        let mut levels = maps;
        levels[3] = module(g, "bottleneck", x, &conv3)?;
        for (index, level) in levels[..3].iter_mut().enumerate() {
            *level = module(g, &format!("lateral_convs.{index}"), *level, &conv1)?;
        }
        for index in (0..3).rev() {
            let up = g.resize(levels[index + 1], levels[index], BILINEAR)?;
            levels[index] = g.add(levels[index], up)?;
        }
        for (index, level) in levels[..3].iter_mut().enumerate() {
            *level = module(g, &format!("fpn_convs.{index}"), *level, &conv3)?;
        }
        let finest = levels[0];
        for level in &mut levels[1..] {
            *level = g.resize(*level, finest, BILINEAR)?;
        }
        let x = g.concat(&levels)?;
        module(g, "fpn_bottleneck", x, &conv3)
    }
}

/// Convolution without bias, batch norm and ReLU of the decoder.
fn module(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    let names = [format!("decode_head.{name}.conv"), format!("decode_head.{name}.batch_norm")];
    conv_bn_relu(g, [&names[0], &names[1]], x, &conv.bias(false))
}
