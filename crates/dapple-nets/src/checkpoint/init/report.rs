//! The outcome of an initialization.

use crate::checkpoint::naming::Naming;
use std::fmt;

/// An unmatched name, with the most similar one on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Name.
    pub name: String,
    /// The most similar unmatched name on the other side.
    pub nearest: Option<String>,
}

/// Outcome of an initialization from a state dict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitReport {
    /// Naming scheme of the state dict.
    pub naming: Naming,
    /// Common prefix of the names in the state dict, such as `module.`.
    pub prefix: String,
    /// Another prefix below which as many names fit: an average beside the weights, for example.
    pub also_fits: Option<String>,
    /// Whether the network of the weights dilates its encoder as timm does, but this one does not.
    pub dilates_otherwise: bool,
    /// Initialized parameters.
    pub loaded: Vec<String>,
    /// Parameters of the head that keep their initial values because the head of the state dict is missing or has other
    /// classes.
    pub head_kept: Vec<String>,
    /// The first convolution, if its weights for three colours were adapted to another number of channels.
    pub adapted_input: Option<String>,
    /// Parameters missing in the state dict, which keep their initial values.
    pub missing: Vec<Unmatched>,
    /// Unused tensors of the state dict.
    pub unexpected: Vec<Unmatched>,
    /// Parameters of another shape (name, shape here, shape in the state dict), which keep their initial values.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
}

/// A state dict that does not fit the network, which stays unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weights do not fit {network} of width {width}: {why}\n{report}")]
pub struct InitError {
    /// Network.
    pub network: String,
    /// Its width.
    pub width: usize,
    /// Reason.
    pub why: String,
    /// The outcome that the initialization would have had.
    pub report: Box<InitReport>,
}

/// Longest list of names in a message; only so many are compared with the other side.
pub(super) const SHOWN: usize = 6;

impl InitReport {
    /// The report of an initialization that was not tried.
    pub(super) fn empty() -> Self {
        Self {
            naming: Naming::Own,
            prefix: String::new(),
            also_fits: None,
            dilates_otherwise: false,
            loaded: Vec::new(),
            head_kept: Vec::new(),
            adapted_input: None,
            missing: Vec::new(),
            unexpected: Vec::new(),
            mismatched: Vec::new(),
        }
    }
}

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.naming {
            Naming::Own => "of the same network",
            Naming::Published | Naming::Modules => "of the same network under its published names",
            Naming::HuggingFace => "of a SegFormer under Hugging Face's names",
            Naming::Timm => "of timm's classification network, for the encoder",
            Naming::TimmEncoder | Naming::TimmUniversal => "of the same network on timm's encoder",
            Naming::Encoder | Naming::Dotted | Naming::Torchvision => {
                "of a classification network, for the encoder"
            }
            Naming::Numbered => "of the published EfficientNet-Lite, for the encoder",
            Naming::PlainVgg => "of VGG without batch norm, for the encoder",
        };
        write!(f, "{} parameters taken over from weights {origin}", self.loaded.len())?;
        if !self.prefix.is_empty() {
            write!(f, ", below `{}`", self.prefix)?;
        }
        if let Some(other) = &self.also_fits {
            write!(f, " (those below `{other}` fit as well)")?;
        }
        if let Some(name) = &self.adapted_input {
            write!(f, "\n`{name}` adapted from three colours to the image's channels")?;
        }
        if self.dilates_otherwise {
            f.write_str("\nthe weights are those of an encoder that timm dilates: set network.dilation = \"later\" to match it")?;
        }
        if !self.head_kept.is_empty() {
            write!(f, "\nthe head ({} parameters) keeps its initial values", self.head_kept.len())?;
        }
        let named = |unmatched: &Unmatched| match &unmatched.nearest {
            Some(nearest) => format!("`{}` (nearest: `{nearest}`)", unmatched.name),
            None => format!("`{}`", unmatched.name),
        };
        list(f, "missing", self.missing.iter().map(named))?;
        list(f, "not used", self.unexpected.iter().map(named))?;
        let shapes = |(name, here, there): &(String, Vec<usize>, Vec<usize>)| {
            format!("`{name}` ({here:?} here, {there:?} there)")
        };
        list(f, "of another shape", self.mismatched.iter().map(shapes))
    }
}

fn list(f: &mut fmt::Formatter<'_>, what: &str, items: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let len = items.len();
    if len == 0 {
        return Ok(());
    }
    let shown: Vec<String> = items.take(SHOWN).collect();
    let more = if len > SHOWN { format!(" and {} more", len - SHOWN) } else { String::new() };
    write!(f, "\n{len} {what}: {}{more}", shown.join(", "))
}
