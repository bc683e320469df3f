//! Which samples are for training, for validation and for the test.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::files::write_atomic;
use crate::image_file::read_file;
use crate::part::Part;
use crate::random::{Purpose, Random};

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
        if indices.val.is_empty() {
            free.append(&mut indices.train);
        }
        let count = train_count(free.len(), fraction);
        Random::new(seed, Purpose::Split, 0, 0).shuffle(&mut free);
        let (train, val) = free.split_at(count);
        indices.train.extend(train);
        indices.val.extend(val);
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
        })
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
        write_atomic(path, json.as_bytes())
    }

    /// Reads a split written by [`Split::save`].
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::BadFile`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        serde_json::from_slice(&read_file(path)?).map_err(|e| DataError::BadFile {
            path: path.to_owned(),
            problem: format!("not a split: {e}; make a new one"),
        })
    }
}

/// How many of `n` samples are for training.
fn train_count(n: usize, fraction: f64) -> usize {
    // The small addend keeps 0.57 * 100 = 56.99999999999999 from losing a sample.
    let count = (fraction * n as f64 + 1e-9).floor() as usize;
    match n {
        0 | 1 => n,
        _ if fraction < 1.0 => count.clamp(1, n - 1),
        _ => n,
    }
}
