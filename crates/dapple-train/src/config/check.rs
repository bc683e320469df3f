//! Checks of all settings.

use dapple_data::BEYOND;
use dapple_graph::{LossKind, LossTerm, Target};
use dapple_nets::registry::NetworkEntry;
use toml::{Table, Value};

use super::catalogue::find;
use super::kind::{BadValue, Kind, LARGEST};
use super::loss::ClassWeights;
use super::train_config::TrainConfig;
use crate::error::TrainError;

impl TrainConfig {
    /// Checks every setting that is not checked where it is used: each against its range, then those that depend on each
    /// other.
    ///
    /// # Errors
    /// [`TrainError::Config`], [`TrainError::Network`], [`TrainError::Data`] with the setting and the values it takes.
    pub fn check(&self) -> Result<(), TrainError> {
        for (key, seed) in [("seed", self.seed), ("data.split_seed", self.data.split_seed)] {
            if seed > LARGEST {
                let problem = format!("`{key}` is {seed}; the largest whole number of TOML is {LARGEST}");
                return Err(TrainError::Config(problem));
            }
        }
        // Through text, in which numbers of single precision are as short as in the file.
        let text = toml::to_string(self).map_err(|error| {
            TrainError::Config(format!("the settings cannot be written as TOML: {error}"))
        })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            TrainError::Config(format!("the settings cannot be written as TOML: {error}"))
        })?;
        check_table("", &table).map_err(|refused| TrainError::Config(refused.to_string()))?;
        self.network.check()?;
        self.input.validate()?;
        self.augment.validate(&self.input)?;
        match self.contradiction() {
            None => Ok(()),
            Some(problem) => Err(TrainError::Config(problem)),
        }
    }

    /// Settings that do not go together, in words.
    fn contradiction(&self) -> Option<String> {
        let classes = self.network.classes;
        let softmax_only = |term: &LossTerm| term.kind == LossKind::CrossEntropy;
        if !self.batch_fits() {
            let (batch, height, width) = (self.batch, self.input.height, self.input.width);
            return Some(format!(
                "{batch} images of {height} x {width} are too large a batch; give a smaller one"
            ));
        }
        if self.small_images.is_some() && self.augment.crop.is_some() {
            return Some(
                "small_images and augment.crop exclude each other; leave one of them out".to_owned(),
            );
        }
        if let Some(error) = self.loss.terms.iter().find_map(|term| term.check().err()) {
            return Some(error.to_string());
        }
        if self.unlabelled.is_some() && self.ema_decay.is_none() {
            return Some(
                "images without labels need a teacher, the moving average of the weights; give ema_decay (--ema 0.999)"
                    .to_owned(),
            );
        }
        if self.unlabelled.is_some() && classes > usize::from(BEYOND) {
            return Some(format!(
                "images without labels need a label for pixels that do not count, but there are {classes} classes; give at \
                 most {BEYOND}"
            ));
        }
        let learns_boundaries = |entry: &NetworkEntry| entry.output_targets.contains(&Target::Boundaries);
        if self.loss.boundary_aware != 0.0 && !self.network.check().is_ok_and(learns_boundaries) {
            return Some(format!(
                "loss.boundary_aware needs a network that learns boundaries, pidnet-s for example, which {} does not; \
                 leave it out",
                self.network.name
            ));
        }
        let has_encoder = |entry: &NetworkEntry| entry.encoder_prefix.is_some();
        if self.freeze_norms && !self.network.check().is_ok_and(has_encoder) {
            return Some(format!(
                "network `{}` has no encoder whose batch norms could be frozen; leave freeze_norms out, or take a network on \
                 an encoder, unet-resnet34 for example",
                self.network.name
            ));
        }
        if self.network.in_channels != self.input.channels {
            let (network, input) = (self.network.in_channels, self.input.channels);
            return Some(format!(
                "the network takes {network} channels but the input has {input}; make them equal"
            ));
        }
        if let ClassWeights::Given(weights) = &self.loss.class_weights
            && weights.len() != classes
        {
            let count = weights.len();
            return Some(format!(
                "loss.class_weights has {count} numbers; give {classes} numbers, one for each class"
            ));
        }
        if self.loss.terms.is_empty() {
            return Some("the loss has no terms; give one, cross-entropy for example".to_owned());
        }
        if self.network.logits() == 1 && self.loss.terms.iter().any(softmax_only) {
            return Some(
                "cross-entropy needs one logit for each class but this network has one for the foreground only; \
                 use bce, or the softmax activation"
                    .to_owned(),
            );
        }
        None
    }

    /// Whether a batch has at most 2^28 values (1 GiB): activations take many times as much, and the engine says
    /// whether they fit the machine.
    fn batch_fits(&self) -> bool {
        [self.batch, self.input.height, self.input.width, self.input.channels]
            .into_iter()
            .try_fold(1usize, |product, extent| product.checked_mul(extent))
            .is_some_and(|values| values <= 1 << 28)
    }
}

/// Checks the settings in a file that is not one of settings, for the value that is at fault.
pub(super) fn check_types(file: &Table) -> Result<(), BadValue> {
    for (key, value) in file {
        let is_table = value.is_table() || value.is_array();
        match find(key) {
            Some(setting) if matches!(setting.kind, Kind::Table) && !is_table => setting.check(value)?,
            _ => {}
        }
    }
    check_table("", file)
}

/// Checks the ranges of a table of that key.
fn check_table(key: &str, table: &Table) -> Result<(), BadValue> {
    for (name, value) in table {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        match (find(&key), value) {
            (Some(setting), _) if !matches!(setting.kind, Kind::Table) => setting.check(value)?,
            (_, Value::Table(inner)) => check_table(&key, inner)?,
            (_, Value::Array(tables)) => {
                tables.iter().filter_map(Value::as_table).try_for_each(|inner| check_table(&key, inner))?;
            }
            _ => {}
        }
    }
    Ok(())
}
