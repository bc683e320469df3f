//! The choices of the rules.

use std::fmt;

use super::pretrained::Pretrained;
use crate::config::train_config::TrainConfig;

/// One choice with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The key of `config.toml`, `table.key`, that the choice is about.
    pub key: &'static str,
    /// The chosen value.
    pub value: String,
    /// The reason.
    pub reason: String,
}

/// Settings with the reasons for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The settings.
    pub config: TrainConfig,
    /// The choices, in the order in which they were made.
    pub choices: Vec<Choice>,
    /// The weights to start from, whose file is for the caller to set ([`TrainConfig::init`]).
    pub pretrained: Option<Pretrained>,
}

impl Chosen {
    /// The choices that `config` still has: those that no flag has replaced.
    pub fn standing(&self, config: &TrainConfig) -> Vec<Choice> {
        let [mine, theirs] = [&self.config, config].map(table);
        let stands = |choice: &&Choice| {
            // One value of the augmentation stands for all of them.
            let key = if choice.key.starts_with("augment.") { "augment" } else { choice.key };
            let at = |table: &toml::Table| {
                let mut parts = key.split('.');
                let first = table.get(parts.next()?)?;
                parts.try_fold(first, |value, part| value.get(part)).cloned()
            };
            at(&mine) == at(&theirs)
        };
        self.choices.iter().filter(stands).cloned().collect()
    }
}

/// Settings by their keys.
fn table(config: &TrainConfig) -> toml::Table {
    // Every resumed run parses this text.
    config.to_toml().parse().unwrap_or_default()
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, reason } = self;
        // A preset sets all of them.
        let key = if key.starts_with("augment.") { "augment" } else { key };
        write!(f, "{key} = {value}: {reason}")
    }
}
