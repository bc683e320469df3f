//! Description of a network, and its construction from a configuration.

use crate::config::{Activation, NetConfig};
use crate::decoders::{Decoder, DecoderSettings, EncoderDecoder};
use crate::encoders::Encoder;
use dapple_graph::{Loss, Network, Target};

// Papers of networks in more than one file of the registry.
pub(super) const RONNEBERGER: &str = "Ronneberger et al., MICCAI 2015, arXiv:1505.04597";
pub(super) const LONG: &str = "Long et al., CVPR 2015, arXiv:1411.4038";
pub(super) const XIE: &str = "Xie et al., NeurIPS 2021, arXiv:2105.15203";

/// A network of the registry.
#[derive(Clone, Debug)]
pub struct NetworkEntry {
    /// Name in configurations and on command lines.
    pub name: String,
    /// The name without that of the encoder.
    pub family: &'static str,
    /// The encoder, if there is a choice of encoders.
    pub encoder: Option<&'static Encoder>,
    /// Title for reports.
    pub title: String,
    /// Paper and variant.
    pub source: &'static str,
    /// Smallest height and width of an input.
    pub smallest: usize,
    /// Base channels of the published network.
    pub width: usize,
    /// The width must be a multiple of this, 1 or 4.
    pub width_step: usize,
    /// Whether [`NetConfig::decoder_width`] applies.
    pub has_decoder_width: bool,
    /// Whether [`NetConfig::decoder_attention`] applies.
    pub has_decoder_attention: bool,
    /// Default function from logits to probabilities.
    pub activation: Activation,
    /// Whether [`NetConfig::head`] applies.
    pub has_head: bool,
    /// Whether [`NetConfig::dropout`] applies.
    pub has_dropout: bool,
    /// Whether [`NetConfig::drop_path`] applies.
    pub has_drop_path: bool,
    /// Allowed values of [`NetConfig::output_stride`], the published one first; empty if it does not apply.
    pub output_strides: &'static [usize],
    /// Name prefixes of the layers whose shapes depend on the number of classes. Each group is initialized from other
    /// weights as a whole or not at all.
    pub heads: &'static [&'static str],
    /// Weights of the outputs in the loss; empty if they are equal. Auxiliary heads count less.
    pub output_weights: &'static [f32],
    /// The truth of each output in training; empty if all learn the labels.
    pub output_targets: &'static [Target],
    /// Factor of the boundary-aware loss in training; 0 without one.
    pub boundary_aware: f32,
    /// Name prefix of the encoder's parameters, if weights of its classification network fit.
    pub encoder_prefix: Option<&'static str>,
    pub(super) make: Make,
}

/// The construction of a network from its configuration.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    Whole(fn(&NetConfig) -> Box<dyn Network>),
    Decoder(Decoder, &'static Encoder),
}

impl NetworkEntry {
    /// A loss with the targets of this network's outputs, without which it does not fit them.
    #[must_use]
    pub fn with_targets(&self, loss: Loss) -> Loss {
        Loss { output_targets: self.output_targets.to_vec(), ..loss }
    }

    /// The network of a configuration.
    pub(crate) fn make(&self, config: &NetConfig) -> Box<dyn Network> {
        let (decoder, encoder) = match self.make {
            Make::Whole(make) => return make(config),
            Make::Decoder(decoder, encoder) => (decoder, encoder),
        };
        let settings = DecoderSettings {
            logits: config.logits(),
            encoder,
            width: config.width,
            decoder_width: config.decoder_width.unwrap_or(config.width),
            stride: config.output_stride.or(self.output_strides.first().copied()).unwrap_or(32),
            dilation: config.dilation,
            dropout: config.dropout,
            drop_path: config.drop_path.unwrap_or(encoder.drop_path),
            attention: config.decoder_attention,
        };
        Box::new(EncoderDecoder { decoder, settings })
    }
}
