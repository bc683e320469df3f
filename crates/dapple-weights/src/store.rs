//! The cache.

use crate::checksum::sha256;
use crate::download::{Progress, Source, agent, download};
use crate::folder::cache_folder;
use crate::{Checksum, Entry, WeightsError};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with weights that have been downloaded, and the way to get more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
    offline: bool,
    mirror: Option<String>,
}

/// What the cache has of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// The beginning, so many bytes.
    Partial(u64),
    /// A file, not verified now.
    Present,
}

impl Store {
    /// A cache in this folder, which is made when something is downloaded; downloads are allowed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), offline: false, mirror: None }
    }

    /// The cache that the environment names: the folder `weights` in `DAPPLE_CACHE`, or in `dapple` in the user's
    /// folder for caches. Downloads are forbidden by `DAPPLE_OFFLINE` (anything but empty, 0 and false);
    /// `DAPPLE_WEIGHTS_MIRROR` is an address that has all files under their names, in place of their publishers'.
    ///
    /// # Errors
    /// [`WeightsError::NoFolder`] without a home.
    pub fn from_env() -> Result<Self, WeightsError> {
        let folder = cache_folder().ok_or(WeightsError::NoFolder)?.join("weights");
        let offline =
            env::var("DAPPLE_OFFLINE").is_ok_and(|value| !["", "0", "false"].contains(&value.as_str()));
        let mirror = env::var("DAPPLE_WEIGHTS_MIRROR").ok().filter(|mirror| !mirror.is_empty());
        Ok(Self { folder, offline, mirror })
    }

    /// Forbids downloads, or leaves it as it is.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline |= offline;
        self
    }

    /// Fetches files from `ADDRESS/FILE` instead of from their publishers; checksums stay those of the publishers.
    #[must_use]
    pub fn mirror(mut self, address: impl Into<String>) -> Self {
        self.mirror = Some(address.into());
        self
    }

    /// Where the file of an entry stands, or would stand.
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(entry.file)
    }

    /// What is there of an entry, without reading it.
    pub fn state(&self, entry: &Entry) -> State {
        let path = self.path(entry);
        match (path.is_file(), fs::metadata(part_of(&path))) {
            (true, _) => State::Present,
            (false, Ok(part)) if part.len() > 0 => State::Partial(part.len()),
            _ => State::Absent,
        }
    }

    /// The path of an entry's verified file, after downloading it where it is missing or damaged. `progress` hears of
    /// every piece that comes, and does nothing for a file that is there.
    ///
    /// # Errors
    /// [`WeightsError`]; the cache then has the file as it was, or what came of it so far.
    pub fn get(&self, entry: &Entry, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, WeightsError> {
        let path = self.path(entry);
        let url = self.url(entry);
        if path.is_file() {
            let found = sha256(&path).map_err(WeightsError::io(&path))?;
            if self.is_intact(entry, &path, &found) {
                return Ok(path);
            }
            if self.offline {
                return Err(WeightsError::DamagedOffline { path, found, url });
            }
        } else if self.offline {
            return Err(WeightsError::Offline { name: entry.name, url, path });
        }
        fs::create_dir_all(&self.folder).map_err(WeightsError::io(&self.folder))?;
        let agent = agent(&url)?;
        let part = part_of(&path);
        let source = Source { url: &url, checksum: entry.checksum, part: &part, path: &path };
        let sum = download(&agent, &source, progress)?;
        if entry.checksum == Checksum::Unpublished {
            let kept = sum_file(&path);
            fs::write(&kept, format!("{sum}  {}\n", entry.file)).map_err(WeightsError::io(&kept))?;
        }
        Ok(path)
    }

    /// Whether a file has the published content, or where nothing is published, that of its download.
    fn is_intact(&self, entry: &Entry, path: &Path, found: &str) -> bool {
        match entry.checksum {
            // A file that a person put there has no sum beside it, and is believed.
            Checksum::Unpublished => {
                fs::read_to_string(sum_file(path)).map_or(true, |kept| kept.starts_with(found))
            }
            checksum => checksum.allows(found),
        }
    }

    fn url(&self, entry: &Entry) -> String {
        match &self.mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), entry.file),
            None => entry.url.to_owned(),
        }
    }
}

/// What has come of a file so far.
fn part_of(path: &Path) -> PathBuf {
    beside(path, ".part")
}

/// The sum of a file whose publisher says none, in the format of `sha256sum`.
fn sum_file(path: &Path) -> PathBuf {
    beside(path, ".sha256")
}

pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
