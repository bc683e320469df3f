//! The folders of masks: on this machine, or brought from addresses to a temporary folder.

use std::path::PathBuf;

#[cfg(feature = "cloud")]
use dapple_cloud::{Cloud, CloudSettings, Location, Mirror};
#[cfg(feature = "cloud")]
use tempfile::TempDir;

use super::arguments::Score;
#[cfg(feature = "cloud")]
use crate::cli::common::remote::address;
#[cfg(not(feature = "cloud"))]
use crate::cli::common::remote::refuse_without_feature;
use crate::cli::failure::Failure;

/// The folders of masks, where no manifest names them.
pub struct Folders {
    /// Of predictions.
    pub pred: Option<PathBuf>,
    /// Of true masks.
    pub truth: Option<PathBuf>,
    /// Keeps those that were brought until the end.
    #[cfg(feature = "cloud")]
    _stage: Option<TempDir>,
}

impl Folders {
    /// The folders that are named; addresses are refused.
    #[cfg(not(feature = "cloud"))]
    pub fn of(arguments: &Score) -> Result<Self, Failure> {
        let (pred, truth) = (arguments.pred.clone(), arguments.truth.clone());
        refuse_without_feature(pred.iter().chain(&truth))?;
        Ok(Self { pred, truth })
    }

    /// The folders that are named; those at addresses are brought.
    #[cfg(feature = "cloud")]
    pub fn of(arguments: &Score) -> Result<Self, Failure> {
        let mut folders = Self { pred: arguments.pred.clone(), truth: arguments.truth.clone(), _stage: None };
        if ![&folders.pred, &folders.truth].into_iter().flatten().any(|path| address(path).is_some()) {
            return Ok(folders);
        }
        let stage = TempDir::with_prefix("dapple-").map_err(|source| {
            Failure::other(format!(
                "no temporary folder can be made: {source}; TMPDIR names another disk for it"
            ))
        })?;
        let cloud = Cloud::new(CloudSettings::default())?;
        for (name, folder) in [("pred", &mut folders.pred), ("truth", &mut folders.truth)] {
            let Some(path) = folder.as_ref() else { continue };
            let Some(text) = address(path) else { continue };
            let location: Location = text.parse()?;
            let here = stage.path().join(name);
            Mirror::open(&cloud, &location, &here, &|_| true)?;
            *folder = Some(here);
        }
        folders._stage = Some(stage);
        Ok(folders)
    }
}
