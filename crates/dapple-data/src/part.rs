//! The official parts of a data set: training, validation, test.

use serde::{Deserialize, Serialize};

/// The official part of a data set that a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// For learning.
    Train,
    /// For choosing the best epoch and settings.
    Val,
    /// For the final figure only.
    Test,
}

impl Part {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        self.words()[0]
    }

    /// The words for it, in lower case, as folders and files are named.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train", "training"],
            Self::Val => &["val", "valid", "validation"],
            Self::Test => &["test", "testing"],
        }
    }

    /// The part that a word of a name tells, whatever its case and the year behind it: `instances_train2017`.
    pub(crate) fn in_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let mut words = name.split(|c: char| !c.is_ascii_alphabetic());
        words.find_map(|word| Self::ALL.into_iter().find(|part| part.words().contains(&word)))
    }

    /// The part that the first folder of a path tells, and the path without that folder; `None` and all of it otherwise.
    pub(crate) fn split(path: &str) -> (Option<Self>, &str) {
        let part = |(folder, rest)| Some((Some(Self::in_name(folder)?), rest));
        path.split_once('/').and_then(part).unwrap_or((None, path))
    }

    /// The name of a sample: behind `train/` and so on where there are parts.
    pub(crate) fn prefixed(part: Option<Self>, name: &str) -> String {
        part.map_or_else(|| name.to_owned(), |part| format!("{}/{name}", part.name()))
    }
}
