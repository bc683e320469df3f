//! The interface between encoders and the networks that stand on them.

use dapple_base::Normalization;
use dapple_graph::{Graph, GraphError, NodeId};

/// An encoder.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    /// Name in configurations and on command lines.
    pub name: &'static str,
    /// Title for reports.
    pub title: &'static str,
    /// Paper.
    pub source: &'static str,
    /// Channels of the first stage in the published network.
    pub width: usize,
    /// Whether the strides of its last stages can become dilations.
    pub dilates: bool,
    /// Whether it has a feature map at stride 2.
    pub halves: bool,
    /// Largest rate of stochastic depth in the published training, 0 without any.
    pub drop_path: f32,
    /// How pixel values were normalized in the training of its published weights.
    pub normalization: Normalization,
    pub(crate) build: BuildEncoder,
}

/// Adds an encoder to a graph: the graph, the image, the form.
pub(crate) type BuildEncoder = fn(&mut Graph, NodeId, &Form) -> Result<Features, GraphError>;

/// The form that a network needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// Prefix of all parameter names.
    pub prefix: &'a str,
    /// Prefix of the layers' indices in families that number their layers: `features.`, or empty in torchvision's
    /// segmentation networks.
    pub features: &'a str,
    /// Channels of the first stage.
    pub width: usize,
    /// Largest stride.
    pub stride: Stride,
    /// Largest rate of stochastic depth.
    pub drop_path: f32,
}

/// The stride of the deepest feature map. A stage that keeps the size dilates its convolutions by the factor by which it
/// would have reduced the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stride {
    /// 32, as published.
    Full,
    /// 8 or 16; the first convolution after the omitted stride still has the dilation of the stage before (Chen et
    /// al. 2017, and torchvision).
    Dilated(usize),
    /// 8 or 16; all convolutions of a stage have one dilation (segmentation_models_pytorch).
    DilatedStages(usize),
    /// 8 or 16; the first block after the omitted stride still has the dilation of the stage before, in every family
    /// (timm).
    DilatedLater(usize),
}

impl Stride {
    /// The form of the stage that normally increases the stride from `stride / 2` to `stride`.
    pub fn stage(self, stride: usize) -> StageForm {
        let largest = match self {
            Self::Full => return StageForm { stride: 2, first: 1, dilation: 1 },
            Self::Dilated(largest) | Self::DilatedStages(largest) | Self::DilatedLater(largest) => largest,
        };
        if stride <= largest {
            return StageForm { stride: 2, first: 1, dilation: 1 };
        }
        let dilation = stride / largest;
        let first = if matches!(self, Self::DilatedStages(_)) { dilation } else { dilation / 2 };
        StageForm { stride: 1, first, dilation }
    }
}

/// Stride and dilations of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StageForm {
    pub stride: usize,
    /// Dilation of the first block.
    pub first: usize,
    /// Dilation of all others.
    pub dilation: usize,
}

/// The feature maps of an encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    /// At stride 2; transformers and ConvNeXt have none.
    pub half: Option<NodeId>,
    /// At strides 4, 8, 16 and 32, or smaller ones if the encoder dilates.
    pub maps: [NodeId; 4],
    /// The output of the first block at stride 8, which some networks use instead of the last block's (MobileNetV3).
    pub early: Option<NodeId>,
}

impl Features {
    /// The last map, the one with the largest stride.
    pub fn deepest(&self) -> NodeId {
        self.maps[3]
    }

    /// All maps from the finest to the coarsest; the first is `None` without a map at stride 2.
    pub fn all(&self) -> [Option<NodeId>; 5] {
        let [a, b, c, d] = self.maps.map(Some);
        [self.half, a, b, c, d]
    }
}
