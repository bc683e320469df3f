//! The interface of decoders, and the networks that they make with an encoder.

use crate::blocks::check_size;
use crate::config::{DecoderAttention, Dilation};
use crate::encoders::{Encoder, Features, Form, Stride};
use dapple_graph::{Conv2d, ConvInit, Graph, GraphError, Interpolation, Network, NodeId, Shape};

/// A decoder, with its demands on the encoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    /// Name in the registry and in messages.
    pub name: &'static str,
    /// Name prefix of the encoder's parameters.
    pub prefix: &'static str,
    /// Supported output strides, the published one first; empty if there is no choice.
    pub strides: &'static [usize],
    /// Whether stages are dilated as in torchvision.
    pub torchvision: bool,
    /// Whether this decoder fits an encoder.
    pub fits: fn(&Encoder) -> bool,
    /// Whether all of its channels scale with its width; of some decoders, they follow from the encoder's.
    pub scales: bool,
    /// Whether [`DecoderSettings::attention`] applies.
    pub attends: bool,
    /// Smallest height and width of an input.
    pub smallest: usize,
    /// Adds the layers from the feature maps to the outputs.
    pub build: fn(&mut Graph, &Features, &DecoderSettings) -> Result<(), GraphError>,
}

/// Settings of a decoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecoderSettings {
    /// Channels of each output.
    pub logits: usize,
    /// The encoder.
    pub encoder: &'static Encoder,
    /// Channels of the encoder's first stage.
    pub width: usize,
    /// The same for the decoder: the first stage of the encoder by which its channels scale.
    pub decoder_width: usize,
    /// The encoder's largest stride.
    pub stride: usize,
    /// The dilation of the first block of a dilated stage.
    pub dilation: Option<Dilation>,
    /// Dropout rate that replaces the published ones.
    pub dropout: Option<f32>,
    /// Largest rate of the encoder's stochastic depth.
    pub drop_path: f32,
    /// Attention within the decoder's blocks.
    pub attention: Option<DecoderAttention>,
}

impl DecoderSettings {
    /// Channels of a decoder's layer: the published number, scaled as the encoder's channels are, or with its own width.
    pub fn scaled(&self, channels: usize) -> usize {
        (channels * self.decoder_width / self.encoder.width).max(1)
    }

    /// Dropout with the published rate, or with the one set.
    pub fn dropout(&self, g: &mut Graph, x: NodeId, published: f32) -> Result<NodeId, GraphError> {
        match self.dropout.unwrap_or(published) {
            0.0 => Ok(x),
            rate => g.dropout(x, rate),
        }
    }
}

/// A network of an encoder and a decoder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderDecoder {
    pub decoder: Decoder,
    pub settings: DecoderSettings,
}

impl Network for EncoderDecoder {
    /// The decoder's outputs, each `[n, h, w, logits]`, for an input `[n, h, w, c]` of any size from the decoder's
    /// smallest.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let Self { decoder, settings } = self;
        check_size(decoder.name, input, decoder.smallest)?;
        let mut g = Graph::new(input);
        let stride = match (settings.stride, settings.dilation) {
            (32, _) => Stride::Full,
            (stride, Some(Dilation::Later)) => Stride::DilatedLater(stride),
            (stride, Some(Dilation::Stages)) => Stride::DilatedStages(stride),
            (stride, None) if decoder.torchvision => Stride::Dilated(stride),
            (stride, None) => Stride::DilatedStages(stride),
        };
        let features = if decoder.torchvision { "" } else { "features." };
        let drop_path = settings.drop_path;
        let form = Form { prefix: decoder.prefix, features, width: settings.width, stride, drop_path };
        let image = g.input();
        let features = (settings.encoder.build)(&mut g, image, &form)?;
        (decoder.build)(&mut g, &features, settings)?;
        // Some decoders do not use the encoder's last stages.
        g.prune();
        Ok(g)
    }

    /// A colour image.
    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}

/// Smallest height and width of most decoders' input: five halvings must leave a pixel.
pub(crate) const SMALLEST: usize = 32;

/// Bilinear with the centres of the corner pixels aligned.
pub(crate) const ALIGNED: Interpolation = Interpolation::Bilinear { align_corners: true };

/// Bilinear with pixel areas aligned.
pub(crate) const BILINEAR: Interpolation = Interpolation::Bilinear { align_corners: false };

/// segmentation_models_pytorch's head: a convolution to the logits, then bilinear upsampling with aligned corners.
pub(crate) fn head(g: &mut Graph, x: NodeId, logits: usize, kernel: usize) -> Result<(), GraphError> {
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
pub(crate) fn glorot_head(g: &mut Graph, x: NodeId, logits: usize, kernel: usize) -> Result<(), GraphError> {
    g.use_conv_init(ConvInit::Glorot);
    head(g, x, logits, kernel)
}
