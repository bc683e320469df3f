//! The fingerprint of a data set, by which a later look at it tells whether anything has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::samples::{Dataset, Source};
use crate::error::{DataError, Result};
use crate::format::found::Target;
use crate::image::decode::read_file;
use crate::parallel::in_parallel;
use dapple_base::write_atomic;

/// The most names in a sentence about samples.
const NAMED: usize = 3;

/// The classes of a data set and checksums of every sample's image and labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The names of the classes in the order of their labels.
    classes: Vec<String>,
    /// The label that counts nowhere.
    ignore: Option<u8>,
    /// The samples by name.
    samples: BTreeMap<String, Mark>,
}

/// Checksums (CRC-32) of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Of the image file.
    image: u32,
    /// Of the label file, or of the drawn labels where one file describes many, and of the number of pixels of each label.
    labels: u32,
}

impl Dataset {
    /// The fingerprint. The first time, all files of images and masks are read, none is decoded.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn fingerprint(&self) -> Result<&Fingerprint> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known);
        }
        let marked = in_parallel(self.len(), |index| Ok((self.name(index).to_owned(), self.mark(index)?)));
        let samples = marked.into_iter().collect::<Result<_>>()?;
        let taken = Fingerprint { classes: self.classes().names.clone(), ignore: self.ignore(), samples };
        Ok(self.fingerprint.get_or_init(|| taken))
    }

    fn mark(&self, index: usize) -> Result<Mark> {
        let mut labels = crc32fast::Hasher::new();
        // The same file means other labels where its values are read in another way.
        let mut counts = self.label_counts(index).to_vec();
        counts.sort_unstable();
        labels.update(format!("{counts:?}").as_bytes());
        let image = match &self.samples[index].source {
            Source::Files { image, target, .. } => {
                match target {
                    Target::Mask(path) | Target::Segments { path, .. } => labels.update(&read_file(path)?),
                    Target::Regions { regions, .. } => labels.update(&regions.draw().labels),
                }
                crc32fast::hash(&read_file(image)?)
            }
            Source::Memory { image, labels: map } => {
                labels.update(&map.labels);
                crc32fast::hash(&image.data)
            }
        };
        Ok(Mark { image, labels: labels.finalize() })
    }
}

impl Fingerprint {
    /// Reads a file that [`Fingerprint::save`] wrote.
    ///
    /// # Errors
    /// [`DataError::Read`] and [`DataError::BadFile`].
    pub fn load(path: &Path) -> Result<Self> {
        serde_json::from_slice(&read_file(path)?).map_err(|error| DataError::BadFile {
            path: path.to_owned(),
            problem: format!("not the fingerprint of a data set ({error}); remove it to go on without"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::raster::Raster;
    use crate::mask::classes::Classes;
    use crate::mask::label_map::{LabelMap, LabelledImage};

    fn dataset(names: &[&str], shade: u8, inverted: bool, classes: Classes) -> Fingerprint {
        let pairs = names.iter().map(|name| {
            let labels = [0, 1, 0, 0].map(|label| if inverted { 1 - label } else { label });
            let image = Raster { width: 2, height: 2, channels: 1, data: vec![shade; 4] };
            let labels = LabelMap { width: 2, height: 2, labels: labels.to_vec() };
            ((*name).to_owned(), LabelledImage { image, labels })
        });
        let dataset = Dataset::from_memory(pairs.collect::<Vec<_>>(), classes, None).expect("they fit");
        dataset.fingerprint().expect("nothing is read").clone()
    }

    #[test]
    fn changed_labels_images_classes_and_samples_are_told() {
        let binary = || Classes::binary("horse");
        let then = dataset(&["a", "b"], 7, false, binary());
        assert!(then.differences(&dataset(&["a", "b"], 7, false, binary())).is_empty());

        let inverted = then.differences(&dataset(&["a", "b"], 7, true, binary()));
        assert_eq!(inverted, ["2 of 2 samples have other labels: a, b"]);
        let other = then.differences(&dataset(&["a", "c"], 8, false, binary()));
        assert_eq!(
            other,
            [
                "1 of 2 samples have another image: a",
                "1 of 2 samples are missing: b",
                "1 of 2 samples are new and take no part: c"
            ]
        );
        let mut turned = binary();
        turned.names.reverse();
        let turned = then.differences(&dataset(&["a", "b"], 7, false, turned));
        assert_eq!(
            turned,
            ["the classes stood in the order background, horse, and are now horse, background"]
        );

        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data.json");
        then.save(&path).expect("the folder is writable");
        assert_eq!(Fingerprint::load(&path).expect("just written"), then);
        std::fs::write(&path, "{").expect("the folder is writable");
        let message = Fingerprint::load(&path).expect_err("cut off").to_string();
        assert!(message.contains("data.json") && message.contains("remove it"), "{message}");
    }
}
