//! `--recipe auto`: settings from what is known of the data and of the machine, in the manner of nnU-Net (Isensee et al.
//! 2021): a few rules, each of which says its reason.
//!
//! [`choose`] is a pure function of [`DataFacts`], [`MachineFacts`] and [`Wishes`]; [`DataFacts::of`] and
//! [`MachineFacts::here`] find the facts.

mod data_facts;
mod machine_facts;
mod rules;

use std::fmt;
use std::str::FromStr;

pub use data_facts::DataFacts;
pub use machine_facts::MachineFacts;
pub use rules::choose;

use crate::TrainConfig;
use dapple_base::TimeSpan;

/// What `--recipe` calls these rules.
pub const NAME: &str = "auto";

/// How much time a training may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Minutes: a small network on small images, to see whether the data are right.
    Fast,
    /// About an hour.
    #[default]
    Balanced,
    /// Some hours.
    Best,
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fast" => Ok(Self::Fast),
            "balanced" => Ok(Self::Balanced),
            "best" => Ok(Self::Best),
            _ => Err("give fast, balanced or best".into()),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Best => "best",
        })
    }
}

/// What was asked for, which the other choices follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// The network; the rules take U-Net, of a width that fits the time.
    pub network: Option<String>,
    /// Channels of the network's first stage.
    pub width: Option<usize>,
    /// Height and width of the input.
    pub size: Option<(usize, usize)>,
    /// Images in a batch.
    pub batch: Option<usize>,
    /// Passes over the training images.
    pub epochs: Option<usize>,
    /// How long it may take, roughly.
    pub profile: Profile,
    /// How long it may take, to the minute; stands above the profile.
    pub time_budget: Option<TimeSpan>,
}

/// One choice with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The key of `config.toml`, `table.key`, that the choice is about.
    pub key: &'static str,
    /// What was chosen.
    pub value: String,
    /// Why.
    pub reason: String,
}

/// Settings with the reasons for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The settings.
    pub config: TrainConfig,
    /// The choices, in the order in which they were made.
    pub choices: Vec<Choice>,
}

impl Chosen {
    /// The choices that `config` still has: not those that something else was set instead of.
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
    // What is written is read back by every run that goes on.
    config.to_toml().parse().unwrap_or_default()
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, reason } = self;
        write!(f, "{key} = {value}: {reason}")
    }
}
