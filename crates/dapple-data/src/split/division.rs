//! The division of a data set, by names and by indices.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::assign::{Group, assign};
use crate::dataset::samples::Dataset;
use crate::error::{DataError, Result};
use crate::image::decode::read_file;
use crate::part::Part;
use crate::random::{Purpose, Random};
use dapple_base::{json_fault, write_atomic};

/// The usual share of samples for training where the data set has no official parts.
pub const DEFAULT_TRAIN_FRACTION: f64 = 0.85;

/// A division of a data set by the names of its samples, as written to `split.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Samples to learn from.
    pub train: Vec<String>,
    /// Samples to validate with.
    pub val: Vec<String>,
    /// Samples for the final figure; only from official parts.
    pub test: Vec<String>,
    /// The seed of the random division; it has no effect on official parts.
    pub seed: u64,
    /// The share of the samples for training that was asked for.
    pub fraction: f64,
    /// Whether every part has its share of the images of each class.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stratified: bool,
    /// The regular expression on the names whose first group, or whole match, is the same for samples that stay together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which fold this is, for which the others are learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// One of several folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Its number, from 0.
    pub index: usize,
    /// How many folds there are, at least 2.
    pub count: usize,
}

/// How a data set is to be divided.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSettings {
    /// The seed of the division.
    pub seed: u64,
    /// The share of the samples for training, above 0 and at most 1; without effect with folds.
    pub fraction: f64,
    /// Give every part its share of the images of each class.
    pub stratified: bool,
    /// A regular expression on the names: samples with the same first group (the same match if it has no group) stay
    /// together, as the frames of one video should. A name that does not match stands for itself.
    pub group: Option<String>,
    /// Divide into folds and validate with this one. Official parts for training and validation are then put together and
    /// divided anew; the official test part stays.
    pub fold: Option<Fold>,
}

impl SplitSettings {
    /// A random division without groups.
    pub fn new(seed: u64, fraction: f64) -> Self {
        Self { seed, fraction, stratified: false, group: None, fold: None }
    }
}

/// A division of a data set by the indices of its samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitIndices {
    /// Samples to learn from.
    pub train: Vec<usize>,
    /// Samples to validate with.
    pub val: Vec<usize>,
    /// Samples for the final figure.
    pub test: Vec<usize>,
}

impl Split {
    /// Divides a data set. Official parts are kept; samples without a part, and official training samples where there is
    /// no validation part, are shuffled by `seed`, and the first `floor(fraction * n)` of them are for training.
    ///
    /// Training and validation get at least one sample each where there are two and `fraction` is between 0 and 1.
    ///
    /// # Errors
    /// [`DataError::Setting`] if `fraction` is not above 0 and at most 1.
    pub fn new(dataset: &Dataset, seed: u64, fraction: f64) -> Result<Self> {
        Self::with(dataset, &SplitSettings::new(seed, fraction))
    }

    /// Divides a data set as the settings say; without folds official parts are kept, as by [`Split::new`].
    ///
    /// # Errors
    /// [`DataError::Setting`] for a fraction, a fold or a regular expression that cannot be.
    pub fn with(dataset: &Dataset, settings: &SplitSettings) -> Result<Self> {
        let &SplitSettings { seed, fraction, stratified, ref group, fold } = settings;
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(DataError::setting("train fraction", fraction, "above 0, at most 1"));
        }
        let of_part = |part| (0..dataset.len()).filter(|&i| dataset.part(i) == part).collect::<Vec<_>>();
        let mut indices = SplitIndices {
            train: of_part(Some(Part::Train)),
            val: of_part(Some(Part::Val)),
            test: of_part(Some(Part::Test)),
        };
        let mut free = of_part(None);
        if indices.val.is_empty() || fold.is_some() {
            free.append(&mut indices.train);
        }
        if let Some(fold) = fold {
            free.append(&mut indices.val);
            free.sort_unstable();
            let (train, val) = divide_into_folds(dataset, &free, settings, fold)?;
            (indices.train, indices.val) = (train, val);
        } else if stratified || group.is_some() {
            let groups = groups(dataset, &free, settings)?;
            let mut random = Random::new(seed, Purpose::Split, 0, 0);
            let shares = if fraction < 1.0 { &[fraction, 1.0 - fraction][..] } else { &[1.0] };
            for (group, part) in groups.iter().zip(assign(&groups, shares, &mut random)) {
                let part = if part == 0 { &mut indices.train } else { &mut indices.val };
                part.extend(&group.samples);
            }
        } else {
            let count = train_count(free.len(), fraction);
            Random::new(seed, Purpose::Split, 0, 0).shuffle(&mut free);
            let (train, val) = free.split_at(count);
            indices.train.extend(train);
            indices.val.extend(val);
        }
        // Sorted, so that files are read in the order of the folder where nothing is shuffled.
        indices.train.sort_unstable();
        indices.val.sort_unstable();

        let names = |indices: &[usize]| indices.iter().map(|&i| dataset.name(i).to_owned()).collect();
        Ok(Self {
            train: names(&indices.train),
            val: names(&indices.val),
            test: names(&indices.test),
            seed,
            fraction,
            stratified,
            group: group.clone(),
            fold,
        })
    }

    /// All folds of a data set: every sample is in the validation part of one of them.
    ///
    /// # Errors
    /// Those of [`Split::with`].
    pub fn folds(dataset: &Dataset, count: usize, settings: &SplitSettings) -> Result<Vec<Self>> {
        let fold = |index| {
            let fold = Some(Fold { index, count });
            Self::with(dataset, &SplitSettings { fold, ..settings.clone() })
        };
        // With no fold the settings are checked all the same.
        (0..count.max(1)).map(fold).collect()
    }

    /// The indices of the named samples in `dataset`, in the order of the split.
    ///
    /// # Errors
    /// [`DataError::UnknownName`] if the data set lacks one.
    pub fn indices(&self, dataset: &Dataset) -> Result<SplitIndices> {
        let by_name: HashMap<&str, usize> = (0..dataset.len()).map(|i| (dataset.name(i), i)).collect();
        let all = || self.train.iter().chain(&self.val).chain(&self.test);
        if let Some(name) = all().find(|name| !by_name.contains_key(name.as_str())) {
            let missing = all().filter(|name| !by_name.contains_key(name.as_str())).count();
            return Err(DataError::UnknownName { name: name.clone(), missing });
        }
        let find = |names: &[String]| names.iter().map(|name| by_name[name.as_str()]).collect();
        Ok(SplitIndices { train: find(&self.train), val: find(&self.val), test: find(&self.test) })
    }

    /// Writes the split as JSON.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let json = serde_json::to_string_pretty(self).expect("strings and numbers can be written as JSON");
        Ok(write_atomic(path, json.as_bytes())?)
    }

    /// Reads a split written by [`Split::save`].
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::BadFile`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        serde_json::from_slice(&read_file(path)?).map_err(|e| DataError::BadFile {
            path: path.to_owned(),
            problem: format!("not a split: {}; make a new one", json_fault(&e)),
        })
    }
}

/// The samples of all folds but one, and of that one.
fn divide_into_folds(
    dataset: &Dataset,
    samples: &[usize],
    settings: &SplitSettings,
    Fold { index, count }: Fold,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let groups = groups(dataset, samples, settings)?;
    if count < 2 || count > groups.len() {
        return Err(DataError::setting(
            "folds",
            count,
            "at least 2 and at most the number of samples or groups",
        ));
    }
    if index >= count {
        return Err(DataError::setting("fold", index, "less than the number of folds (the first is 0)"));
    }
    let shares = vec![1.0 / count as f64; count];
    let (mut train, mut val) = (Vec::new(), Vec::new());
    let parts = assign(&groups, &shares, &mut Random::new(settings.seed, Purpose::Split, 0, 0));
    for (group, part) in groups.iter().zip(parts) {
        if part == index { &mut val } else { &mut train }.extend(&group.samples);
    }
    Ok((train, val))
}

/// The groups of samples that stay together, in the order of what their names have in common.
fn groups(dataset: &Dataset, samples: &[usize], settings: &SplitSettings) -> Result<Vec<Group>> {
    let pattern = settings.group.as_deref().map(Regex::new).transpose();
    let pattern = pattern.map_err(|e| DataError::setting("group", e, "a regular expression"))?;
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &sample in samples {
        let name = dataset.name(sample);
        let found = pattern.as_ref().and_then(|pattern| pattern.captures(name));
        let key = found.and_then(|found| found.get(1).or(found.get(0))).map_or(name, |found| found.as_str());
        by_key.entry(key).or_default().push(sample);
    }
    let group = |samples: Vec<usize>| {
        let mut class_images = Vec::new();
        if settings.stratified {
            class_images.resize(dataset.classes().len(), 0.0);
            for &sample in &samples {
                for &(label, _) in dataset.label_counts(sample) {
                    if let Some(images) = class_images.get_mut(usize::from(label)) {
                        *images += 1.0;
                    }
                }
            }
        }
        Group { samples, class_images }
    };
    Ok(by_key.into_values().map(group).collect())
}

/// How many of `n` samples without parts a random division gives to training: `floor(fraction * n)`, and at least one to
/// each part where there are two.
pub fn train_count(n: usize, fraction: f64) -> usize {
    // The small addend keeps 0.57 * 100 = 56.99999999999999 from losing a sample.
    let count = (fraction * n as f64 + 1e-9).floor() as usize;
    match n {
        0 | 1 => n,
        _ if fraction < 1.0 => count.clamp(1, n - 1),
        _ => n,
    }
}
