//! The user's wishes, which the rules follow.

use std::fmt;
use std::str::FromStr;

use dapple_base::TimeSpan;

use super::pretrained::Pretrained;

/// The time that a training may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Minutes: a small network on small images, to check the data.
    Fast,
    /// About an hour.
    #[default]
    Balanced,
    /// Some hours.
    Best,
}

/// A name that no [`Profile`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give fast, balanced or best")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text {
            "fast" => Ok(Self::Fast),
            "balanced" => Ok(Self::Balanced),
            "best" => Ok(Self::Best),
            _ => Err(UnknownProfile),
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

/// Settings that the user gave, which the other choices follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    /// The network; if not given, a U-Net on a pretrained encoder, or without one U²-Net lite or a U-Net, as the time allows.
    pub network: Option<String>,
    /// Channels of the network's first stage.
    pub width: Option<usize>,
    /// Height and width of the input.
    pub size: Option<(usize, usize)>,
    /// Images in a batch.
    pub batch: Option<usize>,
    /// Passes over the training images.
    pub epochs: Option<usize>,
    /// The time it may take, roughly.
    pub profile: Profile,
    /// The time it may take, exactly; stands above the profile.
    pub time_budget: Option<TimeSpan>,
    /// Pretrained encoders that may be taken, at the published width only.
    pub pretrained: Vec<Pretrained>,
}
