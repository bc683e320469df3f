//! Decoders on any encoder that fits, one file each: a function from an encoder's maps to logits.
//!
//! Parameters carry the names of segmentation_models_pytorch (`encoder.`, `decoder.`, `segmentation_head.`), except for
//! torchvision's networks, which have torchvision's (`backbone.`, `classifier.`, `aux_classifier.`).

mod deeplabv3;
mod deeplabv3_smp;
mod deeplabv3plus;
mod fcn;
mod fpn;
mod linknet;
mod lraspp;
mod pspnet;
mod segformer;
mod unet;
mod unetplusplus;
mod upernet;

use crate::blocks::check_size;
use crate::encoders::{Encoder, Features, Form, Stride};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Shape};

/// What stands behind an encoder, with what it asks of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    /// For messages.
    pub name: &'static str,
    /// In front of the encoder's parameters.
    pub prefix: &'static str,
    /// Strides that it can be built for, the published one first; empty where it has no choice.
    pub strides: &'static [usize],
    /// Whether dilated stages are torchvision's.
    pub torchvision: bool,
    /// Whether this decoder fits an encoder.
    pub fits: fn(&Encoder) -> bool,
    /// From the maps to the outputs.
    pub build: fn(&mut Graph, &Features, &Settings) -> Result<(), GraphError>,
}

pub(crate) use deeplabv3::DEEPLABV3;
pub(crate) use deeplabv3_smp::DEEPLABV3_SMP;
pub(crate) use deeplabv3plus::DEEPLABV3PLUS;
pub(crate) use fcn::FCN;
pub(crate) use fpn::FPN;
pub(crate) use linknet::LINKNET;
pub(crate) use lraspp::LRASPP;
pub(crate) use pspnet::PSPNET;
pub(crate) use segformer::{PaperSegFormer, SEGFORMER};
pub(crate) use unet::UNET;
pub(crate) use unetplusplus::UNETPLUSPLUS;
pub(crate) use upernet::UPERNET;

/// What a decoder is built with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Channels of each output.
    pub logits: usize,
    /// The encoder.
    pub encoder: &'static Encoder,
    /// Channels of the encoder's first stage.
    pub width: usize,
    /// The encoder's largest stride.
    pub stride: usize,
    /// Dropout rate in place of the published ones.
    pub dropout: Option<f32>,
    /// Largest rate of the encoder's stochastic depth.
    pub drop_path: f32,
}

impl Settings {
    /// Channels of a decoder's layer: the published number, scaled like the encoder's channels.
    pub fn scaled(&self, channels: usize) -> usize {
        (channels * self.width / self.encoder.width).max(1)
    }

    /// Dropout with the published rate or the one set instead.
    pub fn dropout(&self, g: &mut Graph, x: NodeId, published: f32) -> Result<NodeId, GraphError> {
        match self.dropout.unwrap_or(published) {
            0.0 => Ok(x),
            rate => g.dropout(x, rate),
        }
    }
}

/// An encoder with a decoder behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderDecoder {
    pub decoder: Decoder,
    pub settings: Settings,
}

impl Network for EncoderDecoder {
    /// The decoder's outputs, each `[n, h, w, logits]`, for an input `[n, h, w, c]` of any size from 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let Self { decoder, settings } = self;
        check_size(decoder.name, input, SMALLEST)?;
        let mut g = Graph::new(input);
        let stride = match (settings.stride, decoder.torchvision) {
            (32, _) => Stride::Full,
            (stride, true) => Stride::Dilated(stride),
            (stride, false) => Stride::DilatedStages(stride),
        };
        let features = if decoder.torchvision { "" } else { "features." };
        let drop_path = settings.drop_path;
        let form = Form { prefix: decoder.prefix, features, width: settings.width, stride, drop_path };
        let image = g.input();
        let features = (settings.encoder.build)(&mut g, image, &form)?;
        (decoder.build)(&mut g, &features, settings)?;
        // Some decoders leave an encoder's last stages out.
        g.prune();
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Smallest height and width: five halvings must leave a pixel.
pub(crate) const SMALLEST: usize = 32;

/// Bilinear with the centres of the corner pixels aligned.
const ALIGNED: Interpolation = Interpolation::Bilinear { align_corners: true };

/// Bilinear with pixel areas aligned.
const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

/// segmentation_models_pytorch's head: a convolution to the logits, then bilinear upsampling with aligned corners.
fn head(g: &mut Graph, x: NodeId, logits: usize, kernel: usize) -> Result<(), GraphError> {
    let conv = Conv2d::new(logits, kernel).padding(kernel / 2);
    let x = g.conv2d("segmentation_head.0", x, &conv)?;
    let image = g.input();
    let x = if g.shape(x).h == g.shape(image).h && g.shape(x).w == g.shape(image).w {
        x
    } else {
        g.resize(x, image, ALIGNED)?
    };
    g.output("logits", x)
}

/// As [`head`], with the initial values that most of segmentation_models_pytorch's decoders give it.
fn glorot_head(g: &mut Graph, x: NodeId, logits: usize, kernel: usize) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Glorot);
    head(g, x, logits, kernel)
}
