//! The networks by name: those that are whole, and each decoder on each encoder that fits, `DECODER-ENCODER`.

mod on_encoders;
mod whole;

use crate::decoders::{Decoder, EncoderDecoder, Settings};
use crate::encoders::Encoder;
use crate::{Activation, ConfigError, NetConfig};
use dapple_base::nearest;
use dapple_graph::Network;
use std::sync::LazyLock;

/// A network that can be asked for by name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What configurations and command lines say.
    pub name: String,
    /// The name without the encoder's.
    pub family: &'static str,
    /// The encoder, where there is a choice.
    pub encoder: Option<&'static Encoder>,
    /// What reports say.
    pub title: String,
    /// Paper and variant.
    pub source: &'static str,
    /// Smallest height and width of an input.
    pub smallest: usize,
    /// Base channels of the published network.
    pub width: usize,
    /// The width must be a multiple of this, 1 or 4.
    pub width_step: usize,
    /// What turns the logits into probabilities unless the configuration says otherwise.
    pub activation: Activation,
    /// Whether [`NetConfig::head`] applies.
    pub has_head: bool,
    /// Whether [`NetConfig::dropout`] applies.
    pub has_dropout: bool,
    /// Whether [`NetConfig::drop_path`] applies.
    pub has_drop_path: bool,
    /// What [`NetConfig::output_stride`] may be, the published one first; empty where it does not apply.
    pub output_strides: &'static [usize],
    /// What the names of those layers start with whose shapes depend on the number of classes. Each is taken over from
    /// other weights as a whole or not at all.
    pub heads: &'static [&'static str],
    /// Weights of the outputs in the loss where they are not equal: auxiliary heads count less.
    pub output_weights: &'static [f32],
    /// What the names of the encoder's parameters start with, where weights of its classification network fit.
    pub encoder_prefix: Option<&'static str>,
    make: Make,
}

/// How a network is made from its configuration.
#[derive(Clone, Copy, Debug)]
enum Make {
    Whole(fn(&NetConfig) -> Box<dyn Network>),
    Decoder(Decoder, &'static Encoder),
}

impl Entry {
    /// The network of a configuration.
    pub(crate) fn make(&self, config: &NetConfig) -> Box<dyn Network> {
        let (decoder, encoder) = match self.make {
            Make::Whole(make) => return make(config),
            Make::Decoder(decoder, encoder) => (decoder, encoder),
        };
        let settings = Settings {
            logits: config.logits(),
            encoder,
            width: config.width,
            stride: config.output_stride.or(self.output_strides.first().copied()).unwrap_or(32),
            dropout: config.dropout,
            drop_path: config.drop_path.unwrap_or(encoder.drop_path),
        };
        Box::new(EncoderDecoder { decoder, settings })
    }
}

const RONNEBERGER: &str = "Ronneberger et al., MICCAI 2015, arXiv:1505.04597";
const LONG: &str = "Long et al., CVPR 2015, arXiv:1411.4038";
const XIE: &str = "Xie et al., NeurIPS 2021, arXiv:2105.15203";

/// All networks: the whole ones first, then each decoder on its encoders.
pub fn networks() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> =
        LazyLock::new(|| whole::entries().chain(on_encoders::entries()).collect());
    &ALL
}

/// The network of that name.
///
/// # Errors
/// If there is none; the message proposes the nearest name.
pub fn find(name: &str) -> Result<&'static Entry, ConfigError> {
    networks().iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names = || networks().iter().map(|entry| entry.name.as_str());
        ConfigError::UnknownNetwork { name: name.to_owned(), nearest: nearest(name, names()) }
    })
}
