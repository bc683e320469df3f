//! The fingerprint of a data set, by which a later look at it tells whether anything has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result};
use crate::image::decode::read_file;
use dapple_base::{json_fault, write_atomic};

/// The most names in a sentence about samples.
const NAMED: usize = 3;

/// The classes of a data set and checksums of every sample's image and labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The names of the classes in the order of their labels.
    pub(crate) classes: Vec<String>,
    /// The label that counts nowhere.
    pub(crate) ignore: Option<u8>,
    /// The samples by name.
    pub(crate) samples: BTreeMap<String, Mark>,
}

/// Checksums (CRC-32) of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Of the image file.
    pub image: u32,
    /// Of the label file, or of the drawn labels where one file describes many, and of the number of pixels of each label.
    pub labels: u32,
}

impl Fingerprint {
    /// Reads a file that [`Fingerprint::save`] wrote.
    ///
    /// # Errors
    /// [`DataError::Read`] and [`DataError::BadFile`].
    pub fn load(path: &Path) -> Result<Self> {
        serde_json::from_slice(&read_file(path)?).map_err(|error| DataError::BadFile {
            path: path.to_owned(),
            problem: format!(
                "not the fingerprint of a data set ({}); remove it to go on without",
                json_fault(&error)
            ),
        })
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec(self).expect("names and numbers become JSON");
        Ok(write_atomic(path, &json)?)
    }

    /// The differences of the data as they are `now`, a sentence each.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.classes != now.classes {
            let same: BTreeSet<_> = self.classes.iter().collect();
            let verb = if same == now.classes.iter().collect() { "stood in the order" } else { "were" };
            let (then, now) = (self.classes.join(", "), now.classes.join(", "));
            found.push(format!("the classes {verb} {then}, and are now {now}"));
        }
        if self.ignore != now.ignore {
            let shown = |label: Option<u8>| label.map_or("none".to_owned(), |label| label.to_string());
            let (then, now) = (shown(self.ignore), shown(now.ignore));
            found.push(format!("the ignore label was {then}, and is now {now}"));
        }
        let common =
            || self.samples.iter().filter_map(|(name, then)| Some((name, then, now.samples.get(name)?)));
        let differing = |differs: fn(&Mark, &Mark) -> bool| {
            common().filter(|(_, then, now)| differs(then, now)).map(|(name, ..)| name.as_str()).collect()
        };
        let without = |these: &Self, those: &Self| {
            let absent = |name: &&String| !those.samples.contains_key(*name);
            these.samples.keys().filter(absent).cloned().collect::<Vec<_>>()
        };
        let (gone, new) = (without(self, now), without(now, self));
        let lists: [(&str, Vec<&str>); 4] = [
            ("have other labels", differing(|then, now| then.labels != now.labels)),
            ("have another image", differing(|then, now| then.image != now.image)),
            ("are missing", gone.iter().map(String::as_str).collect()),
            ("are new and take no part", new.iter().map(String::as_str).collect()),
        ];
        let all = self.samples.len();
        found.extend(lists.iter().filter(|(_, names)| !names.is_empty()).map(|(words, names)| {
            let more = if names.len() > NAMED {
                format!(" and {} more", names.len() - NAMED)
            } else {
                String::new()
            };
            format!(
                "{} of {all} samples {words}: {}{more}",
                names.len(),
                names[..names.len().min(NAMED)].join(", ")
            )
        }));
        found
    }
}
