//! From a configuration to a network.

use super::entry::NetworkEntry;
use super::list::find;
use crate::config::{Activation, ConfigError, NetConfig};
use crate::imported::ImportedNetwork;
use dapple_graph::{Graph, GraphError, Network, Quantization, Shape};

impl NetConfig {
    /// The published network of that name for these channels and classes.
    ///
    /// # Errors
    /// As [`NetConfig::check`].
    pub fn new(name: &str, in_channels: usize, classes: usize) -> Result<Self, ConfigError> {
        let entry = find(name)?;
        let config = Self {
            name: name.to_owned(),
            in_channels,
            classes,
            activation: entry.activation,
            width: entry.width,
            head: None,
            output_stride: None,
            dilation: None,
            dropout: None,
            drop_path: None,
            decoder_width: None,
            decoder_attention: None,
            quantization: None,
            imported: None,
        };
        config.check()?;
        Ok(config)
    }

    /// The description of a network that the registry does not have.
    pub fn of_imported(
        name: String,
        [in_channels, classes]: [usize; 2],
        activation: Activation,
        network: ImportedNetwork,
    ) -> Self {
        Self {
            name,
            in_channels,
            classes,
            activation,
            width: 1,
            head: None,
            output_stride: None,
            dilation: None,
            dropout: None,
            drop_path: None,
            decoder_width: None,
            decoder_attention: None,
            quantization: None,
            imported: Some(network),
        }
    }

    /// The network's entry in the registry.
    ///
    /// # Errors
    /// [`ConfigError::UnknownNetwork`], and [`ConfigError::Imported`] for a network of a foreign file.
    pub fn entry(&self) -> Result<&'static NetworkEntry, ConfigError> {
        if self.imported.is_some() {
            return Err(ConfigError::Imported(self.name.clone()));
        }
        find(&self.name)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// For an unknown name, a number out of range, or a setting that does not apply to the network.
    pub fn check(&self) -> Result<&'static NetworkEntry, ConfigError> {
        let entry = self.entry()?;
        let out_of_range = |field, value, range| {
            Err(ConfigError::OutOfRange { network: self.name.clone(), field, value, range })
        };
        if !(1..=64).contains(&self.in_channels) {
            return out_of_range("in_channels", self.in_channels, "1 to 64 (3 for colour, 1 for grey)");
        }
        if !(2..=256).contains(&self.classes) {
            return out_of_range("classes", self.classes, "2 to 256, the background included");
        }
        if !(1..=1024).contains(&self.width) {
            return out_of_range("width", self.width, "1 to 1024");
        }
        if !self.width.is_multiple_of(entry.width_step) {
            return out_of_range("width", self.width, "a multiple of 4");
        }
        if let Some(value) = self.decoder_width {
            if !entry.has_decoder_width {
                return Err(ConfigError::NoDecoderWidth(self.name.clone()));
            }
            if !(1..=1024).contains(&value) {
                return out_of_range("decoder_width", value, "1 to 1024");
            }
            if !value.is_multiple_of(entry.width_step) {
                return out_of_range("decoder_width", value, "a multiple of 4");
            }
        }
        if self.decoder_attention.is_some() && !entry.has_decoder_attention {
            return Err(ConfigError::NoDecoderAttention(self.name.clone()));
        }
        if self.head.is_some() && !entry.has_head {
            return Err(ConfigError::NoHead(self.name.clone()));
        }
        if let Some(value) = self.output_stride.filter(|stride| !entry.output_strides.contains(stride)) {
            let (network, allowed) = (self.name.clone(), entry.output_strides);
            return Err(ConfigError::OutputStride { network, value, allowed });
        }
        if self.dilation.is_some() && entry.output_strides.is_empty() {
            return Err(ConfigError::NoDilation(self.name.clone()));
        }
        let rates = [
            ("dropout", self.dropout, entry.has_dropout),
            ("drop_path", self.drop_path, entry.has_drop_path),
        ];
        for (field, rate, applies) in rates {
            let Some(value) = rate else { continue };
            let why = match (0.0..1.0).contains(&value) {
                _ if !applies => "the network has none, leave it out",
                false => "it must be at least 0 and below 1",
                true => continue,
            };
            let (network, value) = (self.name.clone(), value.to_string());
            return Err(ConfigError::Rate { network, field, value, why });
        }
        Ok(entry)
    }
}

impl Network for NetConfig {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        if let Some(imported) = &self.imported {
            return imported.network().build(input);
        }
        let entry = self.check().map_err(|e| GraphError::Config(e.to_string()))?;
        if input.c != self.in_channels {
            let why = format!("the network takes {} channels", self.in_channels);
            return Err(GraphError::Invalid { op: entry.family, name: "input".into(), shape: input, why });
        }
        entry.make(self).build(input)
    }

    fn example_input(&self) -> Shape {
        match &self.imported {
            Some(imported) => imported.network().example_input(),
            None => Shape::new(1, 256, 256, self.in_channels),
        }
    }

    fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_ref()
    }
}
