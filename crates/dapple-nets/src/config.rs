//! What files and command lines say about a network.

use crate::{Head, registry};
use dapple_graph::{Graph, GraphError, Network, Shape};
use serde::{Deserialize, Serialize};

/// What turns logits into probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// One class a pixel: softmax over one logit for each class.
    Softmax,
    /// Each class against the rest. Two classes (background, foreground) share one logit, that of the
    /// foreground; more classes have one each.
    Sigmoid,
}

/// A network with everything that its parameters' shapes depend on.
///
/// ```
/// use dapple_nets::NetConfig;
/// let config: NetConfig = serde_json::from_str(
///     r#"{"name": "segnet", "in_channels": 3, "classes": 12, "activation": "softmax", "width": 64, "head": "dense"}"#,
/// )?;
/// assert_eq!(config.logits(), 12);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetConfig {
    /// Name in the [`registry`].
    pub name: String,
    /// Channels of the image: 3 for colour, 1 for grey.
    pub in_channels: usize,
    /// Classes of the data, 2 to 256, the background included. This is not always the number of output
    /// channels, see [`NetConfig::logits`].
    pub classes: usize,
    /// What turns the logits into probabilities; decides how many there are.
    pub activation: Activation,
    /// Channels of the first stage; all others scale with it.
    pub width: usize,
    /// SegNet's head; the paper's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Largest stride of the encoder's maps where the network dilates the stages behind it, 8 or 16; the published one
    /// where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_stride: Option<usize>,
    /// Rate of the network's dropout, at least 0 and below 1; the published ones where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Largest rate of stochastic depth in the encoder's residual blocks, at least 0 and below 1; the published one where
    /// it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_path: Option<f32>,
}

/// Settings that make no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such name.
    #[error("there is no network `{name}`{}; the networks are {}", did_you_mean(*nearest), families())]
    UnknownNetwork {
        /// Name that was asked for.
        name: String,
        /// Name that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A number out of its range.
    #[error("network `{network}`: `{field}` is {value}, it must be {range}")]
    OutOfRange {
        /// Network.
        network: String,
        /// Field of [`NetConfig`].
        field: &'static str,
        /// Its value.
        value: usize,
        /// What it may be.
        range: &'static str,
    },
    /// A head for a network that has no choice of heads.
    #[error("network `{0}` has no choice of heads: leave `head` out (segnet has `conv3x3` and `dense`)")]
    NoHead(String),
    /// An output stride for a network that has no choice of it, or another one.
    #[error("network `{network}`: `output_stride` is {value}, it {}", strides(network))]
    OutputStride {
        /// Network.
        network: String,
        /// The stride.
        value: usize,
    },
    /// A rate of dropout or stochastic depth for a network without it, or no rate.
    #[error("network `{network}`: `{field}` is {value}; {why}")]
    Rate {
        /// Network.
        network: String,
        /// Field of [`NetConfig`].
        field: &'static str,
        /// The rate.
        value: String,
        /// What is wrong.
        why: &'static str,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// The networks; a decoder stands once, with ENCODER for the name of its encoder.
fn families() -> String {
    let mut names: Vec<String> = Vec::new();
    for entry in registry::networks() {
        let name = match entry.encoder {
            Some(_) => format!("{}-ENCODER", entry.family),
            None => entry.name.clone(),
        };
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    format!("{} (`dapple models` lists the encoders)", names.join(", "))
}

/// What an output stride may be, in words.
fn strides(network: &str) -> String {
    match registry::find(network).map(|entry| entry.output_strides) {
        Ok([first, second]) => format!("must be {first} or {second}"),
        _ => "does not apply to this network: leave it out".to_owned(),
    }
}

impl NetConfig {
    /// The published network of that name for these channels and classes.
    ///
    /// # Errors
    /// As [`NetConfig::check`].
    pub fn new(name: &str, in_channels: usize, classes: usize) -> Result<Self, ConfigError> {
        let entry = registry::find(name)?;
        let config = Self {
            name: name.to_owned(),
            in_channels,
            classes,
            activation: entry.activation,
            width: entry.width,
            head: None,
            output_stride: None,
            dropout: None,
            drop_path: None,
        };
        config.check()?;
        Ok(config)
    }

    /// The network's entry in the registry.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn entry(&self) -> Result<&'static registry::Entry, ConfigError> {
        registry::find(&self.name)
    }

    /// Output channels: one a class, but a single one (the foreground's) for two classes with
    /// [`Activation::Sigmoid`].
    pub fn logits(&self) -> usize {
        match (self.activation, self.classes) {
            (Activation::Sigmoid, 2) => 1,
            (_, classes) => classes,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// For an unknown name, a number out of its range, or a head where there is no choice.
    pub fn check(&self) -> Result<&'static registry::Entry, ConfigError> {
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
        if self.head.is_some() && !entry.has_head {
            return Err(ConfigError::NoHead(self.name.clone()));
        }
        if let Some(value) = self.output_stride.filter(|stride| !entry.output_strides.contains(stride)) {
            return Err(ConfigError::OutputStride { network: self.name.clone(), value });
        }
        let rates = [
            ("dropout", self.dropout, entry.has_dropout),
            ("drop_path", self.drop_path, entry.has_drop_path),
        ];
        for (field, rate, applies) in rates {
            let Some(value) = rate else { continue };
            let why = match (0.0..1.0).contains(&value) {
                _ if !applies => "the network has none: leave it out",
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
        let entry = self.check().map_err(|e| GraphError::Config(e.to_string()))?;
        if input.c != self.in_channels {
            let why = format!("the network is for {} channels", self.in_channels);
            return Err(GraphError::Invalid { op: entry.family, name: "input".into(), shape: input, why });
        }
        entry.make(self).build(input)
    }

    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, self.in_channels)
    }
}
