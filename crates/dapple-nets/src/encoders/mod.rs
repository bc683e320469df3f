//! Encoders: classification networks without their heads, which give maps at strides of 2, 4, 8, 16 and 32.
//!
//! One file a family. Parameters have the names of the family's published checkpoints behind the prefix that the
//! decoder chooses (`encoder.` or `backbone.`), so that ImageNet weights go in as they are.

mod convnext;
mod efficientnet;
pub(crate) mod mit;
mod mobilenet;
mod resnet;
pub(crate) mod vgg;

use dapple_graph::{Graph, GraphError, NodeId};

/// An encoder that can be asked for by name.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// What configurations and command lines say.
    pub name: &'static str,
    /// What reports say.
    pub title: &'static str,
    /// Paper.
    pub source: &'static str,
    /// Channels of the first stage in the published network.
    pub width: usize,
    /// Whether the strides of its last stages can become dilations.
    pub dilates: bool,
    /// Whether it has a map at stride 2.
    pub halves: bool,
    /// Largest rate of stochastic depth in the published training; 0 where there is none.
    pub drop_path: f32,
    pub(crate) build: BuildEncoder,
}

/// Adds an encoder to a graph: the image, where it goes and in which form.
pub(crate) type BuildEncoder = fn(&mut Graph, NodeId, &Form) -> Result<Features, GraphError>;

/// The form that a network asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// Put in front of all parameters' names.
    pub prefix: &'a str,
    /// In front of the layers' indices where the family numbers its layers: `features.`, or nothing in those of
    /// torchvision's segmentation networks.
    pub features: &'a str,
    /// Channels of the first stage.
    pub width: usize,
    /// Largest stride.
    pub stride: Stride,
    /// Largest rate of stochastic depth.
    pub drop_path: f32,
}

/// The stride of the deepest map. Where a stage keeps the size, its convolutions dilate by the factor that it would
/// have reduced the size by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stride {
    /// 32, as published.
    Full,
    /// 8 or 16; the first convolution after the omitted stride still has the dilation of the stage before (Chen et
    /// al. 2017, and torchvision).
    Dilated(usize),
    /// 8 or 16; all convolutions of a stage have one dilation (segmentation_models_pytorch).
    DilatedStages(usize),
}

impl Stride {
    /// Dilations of the first and of all other blocks of the stage that brings the stride from `stride / 2` to `stride`,
    /// and that stage's own stride.
    pub fn stage(self, stride: usize) -> StageForm {
        let (Self::Dilated(largest) | Self::DilatedStages(largest)) = self else {
            return StageForm { stride: 2, first: 1, dilation: 1 };
        };
        if stride <= largest {
            return StageForm { stride: 2, first: 1, dilation: 1 };
        }
        let dilation = stride / largest;
        let first = if matches!(self, Self::Dilated(_)) { dilation / 2 } else { dilation };
        StageForm { stride: 1, first, dilation }
    }
}

/// How a stage reduces the size, or dilates instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StageForm {
    pub stride: usize,
    /// Dilation of the first block.
    pub first: usize,
    /// Dilation of all others.
    pub dilation: usize,
}

/// The maps of an encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    /// At stride 2; transformers and ConvNeXt have none.
    pub half: Option<NodeId>,
    /// At strides 4, 8, 16 and 32, less where the encoder dilates instead.
    pub maps: [NodeId; 4],
    /// The first block's output at stride 8, where a network joins it instead of the last one's (MobileNetV3).
    pub early: Option<NodeId>,
}

impl Features {
    /// The last map, the one with the largest stride.
    pub fn deepest(&self) -> NodeId {
        self.maps[3]
    }

    /// All maps from the finest to the coarsest, `None` where there is none at stride 2.
    pub fn all(&self) -> [Option<NodeId>; 5] {
        let [a, b, c, d] = self.maps.map(Some);
        [self.half, a, b, c, d]
    }
}

/// All encoders.
pub static ENCODERS: [Encoder; 22] = [
    vgg::VGG11,
    vgg::VGG11_BN,
    vgg::VGG13,
    vgg::VGG13_BN,
    vgg::VGG16,
    vgg::VGG16_BN,
    vgg::VGG19,
    vgg::VGG19_BN,
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    resnet::RESNET101,
    mobilenet::LARGE,
    efficientnet::B0,
    efficientnet::B1,
    efficientnet::B2,
    efficientnet::B3,
    convnext::TINY,
    convnext::SMALL,
    mit::B0,
    mit::B1,
    mit::B2,
];
