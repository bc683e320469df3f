//! From the settings of segmentation_models_pytorch to a network.

use super::classes::{SmpClass, WITHOUT_EFFECT, cut, shown};
use super::encoders::{KNOWN, encoder_of};
use crate::config::{Activation, DecoderAttention, Dilation, NetConfig};
use dapple_base::nearest;
use serde_json::{Map, Value};

/// Reads the settings and collects the problems.
pub struct Reader<'a> {
    settings: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(settings: &'a Map<String, Value>) -> Self {
        Self { settings, problems: Vec::new() }
    }

    /// The network of a class, or the problems.
    pub fn read(mut self, class: &SmpClass) -> Result<NetConfig, Vec<String>> {
        match self.network(class) {
            Some(network) if self.problems.is_empty() => Ok(network),
            _ => Err(self.problems),
        }
    }

    /// The network, if its name, channels and classes are known.
    fn network(&mut self, class: &SmpClass) -> Option<NetConfig> {
        let encoder = self.encoder(class);
        let (channels, outputs) = (self.count("in_channels", 64), self.count("classes", 256));
        let sigmoid = match self.settings.get("activation") {
            None | Some(Value::Null) => false,
            Some(Value::String(name)) => name == "sigmoid",
            Some(value) => {
                self.problems.push(format!("`activation` is {}, it must be a word or null", shown(value)));
                false
            }
        };
        let stride = class.stride.and_then(|published| self.stride(published));
        let dropout = class.dropout.and_then(|(key, published)| self.rate(key, published));
        self.compare(class, stride.map(|stride| stride as u64).or(class.stride));
        let (encoder, channels, outputs) = (encoder?, channels?, outputs?);
        let name = format!("{}-{encoder}", class.family);
        let mut network = match NetConfig::new(&name, channels, outputs.max(2)) {
            Ok(network) => network,
            // The decoder does not support this encoder.
            Err(error) => {
                self.problems.push(error.to_string());
                return None;
            }
        };
        // Two outputs with sigmoids have no counterpart; the layers are those of two classes.
        network.activation = match outputs {
            1 => Activation::Sigmoid,
            2 => Activation::Softmax,
            _ if sigmoid => Activation::Sigmoid,
            _ => Activation::Softmax,
        };
        (network.output_stride, network.dropout) = (stride, dropout);
        network.dilation = self.dilation(class);
        network.decoder_attention = self.attention();
        network.decoder_width = self.decoder_width(class, network.width);
        Some(network)
    }

    /// The dilation of timm's encoders, which its MobileNetV3 has under either name.
    fn dilation(&self, class: &SmpClass) -> Option<Dilation> {
        let name = self.settings.get("encoder_name").and_then(Value::as_str).unwrap_or_default();
        let is_timms = name.starts_with("tu-") || name.starts_with("timm-mobilenetv3");
        (class.stride.is_some() && is_timms).then_some(Dilation::Later)
    }

    /// The attention in the decoder's blocks.
    fn attention(&self) -> Option<DecoderAttention> {
        let kind = self.settings.get("decoder_attention_type").and_then(Value::as_str);
        (kind == Some("scse")).then_some(DecoderAttention::Scse)
    }

    /// The decoder's width if its channels are not the published ones; `width` is the encoder's.
    fn decoder_width(&mut self, class: &SmpClass, width: usize) -> Option<usize> {
        let mut widths = Vec::new();
        for (key, want) in class.wants {
            let Some(value) = self.settings.get(*key) else { continue };
            if let Some((channels, published)) = want.factor(value) {
                let scaled = width as u64 * channels;
                widths.push((*key, value, scaled.is_multiple_of(published).then_some(scaled / published)));
            }
        }
        let &(_, _, first) = widths.first()?;
        let fits = |there: Option<u64>| {
            there.is_some_and(|there| there.is_multiple_of(4) && there <= 1024) && there == first
        };
        match widths.iter().find(|(_, _, there)| !fits(*there)) {
            Some((key, value, _)) => {
                self.problems.push(format!(
                    "`{key}` is {}, which is no width of the decoder here: all channels are the published ones times one factor, \
                     and {width} times it is a multiple of 4",
                    shown(value)
                ));
                None
            }
            None => first.map(|there| there as usize).filter(|there| *there != width),
        }
    }

    /// dapple's name of the encoder.
    fn encoder(&mut self, class: &SmpClass) -> Option<&'static str> {
        let Some(value) = self.settings.get("encoder_name") else {
            self.problems.push("`encoder_name` is missing".to_owned());
            return None;
        };
        let found = value.as_str().and_then(encoder_of).map(|encoder| encoder.name);
        match (found, value.as_str()) {
            (Some(name), Some(there))
                if there.starts_with("tu-")
                    && name.starts_with("efficientnet")
                    && ["unet", "unetplusplus", "linknet", "segformer"].contains(&class.family) =>
            {
                // The one on EfficientNet-Lite pads otherwise.
                let as_here = match name.contains("lite") {
                    true => String::new(),
                    false => {
                        format!(
                            ", which is that of \"{}\"",
                            there.replacen("tu-", "timm-", 1).replace('_', "-")
                        )
                    }
                };
                self.problems.push(format!(
                    "`encoder_name` is \"{there}\", whose feature map at stride 2 has other channels than that of `{name}` in \
                     dapple{as_here}"
                ));
                None
            }
            (Some(name), _) => Some(name),
            (None, _) => {
                self.problems
                    .push(format!("`encoder_name` is {}, the supported ones are {KNOWN}", shown(value)));
                None
            }
        }
    }

    /// A number that every model must have.
    fn count(&mut self, key: &str, most: u64) -> Option<usize> {
        let value = self.settings.get(key);
        let count = value.and_then(Value::as_u64).filter(|count| (1..=most).contains(count));
        if count.is_none() {
            let is = value.map_or("missing".to_owned(), shown);
            self.problems.push(format!("`{key}` is {is}, it must be a whole number from 1 to {most}"));
        }
        count.map(|count| count as usize)
    }

    /// The output stride if it is not the published one.
    fn stride(&mut self, published: u64) -> Option<usize> {
        let value = self.settings.get("encoder_output_stride")?;
        match value.as_u64() {
            Some(stride) if stride == published => None,
            Some(stride @ (8 | 16)) => Some(stride as usize),
            _ => {
                self.problems
                    .push(format!("`encoder_output_stride` is {}, it must be 8 or 16", shown(value)));
                None
            }
        }
    }

    /// A rate if it is not the published one.
    fn rate(&mut self, key: &str, published: f64) -> Option<f32> {
        let value = self.settings.get(key)?;
        match value.as_f64() {
            Some(rate) if rate == published => None,
            // Rounded, it must still be below 1.
            Some(rate) if rate >= 0.0 && (rate as f32) < 1.0 => Some(rate as f32),
            _ => {
                self.problems.push(format!("`{key}` is {}, it must be at least 0 and below 1", shown(value)));
                None
            }
        }
    }

    /// Compares all other settings; `stride` is the output stride.
    fn compare(&mut self, class: &SmpClass, stride: Option<u64>) {
        for (key, value) in self.settings {
            let read = ["encoder_name", "in_channels", "classes", "activation"].contains(&key.as_str())
                || (class.stride.is_some() && key == "encoder_output_stride")
                || class.dropout.is_some_and(|(name, _)| name == key)
                || WITHOUT_EFFECT.contains(&key.as_str());
            if read || key.starts_with('_') {
                continue;
            }
            match class.wants.iter().find(|(name, _)| name == key) {
                Some((_, want)) if want.is(value, stride) => {}
                Some((_, want)) => {
                    self.problems.push(format!(
                        "`{key}` is {}, only {} is supported",
                        shown(value),
                        want.shown(stride)
                    ));
                }
                // A setting of a later version that is switched off.
                None if matches!(value, Value::Null | Value::Bool(false)) => {}
                None => {
                    let known = class.wants.iter().map(|(name, _)| *name);
                    let near =
                        nearest(key, known).map(|near| format!(" (nearest: `{near}`)")).unwrap_or_default();
                    let (key, value) = (cut(&key.escape_debug().to_string()), shown(value));
                    self.problems.push(format!("`{key}`, which is {value}, is unknown{near}"));
                }
            }
        }
    }
}
