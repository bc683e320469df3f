//! The cache.

use crate::agent::agent;
use crate::checksum::{Proof, Sums, sums};
use crate::download::{DownloadProgress, Source, download};
use crate::hub::Hub;
use crate::layout::{part_of, sum_of};
use crate::{CatalogueEntry, Checksum, StoreSettings, WeightsError};
use dapple_base::write_atomic;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of downloaded weights, and the way to get more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    settings: StoreSettings,
}

/// State of a catalogue entry in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheState {
    /// Nothing there.
    Absent,
    /// An interrupted download of so many bytes.
    Partial(u64),
    /// A file, which has not been verified now.
    Present,
}

impl Store {
    /// A store with these settings. The file system is not touched yet.
    pub fn new(settings: StoreSettings) -> Self {
        Self { settings }
    }

    /// The path of an entry's file, whether or not it is there.
    pub fn path(&self, entry: &CatalogueEntry) -> PathBuf {
        let file = self.settings.cache.join(entry.file);
        self.other(entry).filter(|_| !file.is_file()).map_or(file, |(path, _)| path)
    }

    /// The same weights from another publisher, if they are in the cache.
    fn other(&self, entry: &CatalogueEntry) -> Option<(PathBuf, Checksum)> {
        let (file, checksum) = entry.also?;
        let path = self.settings.cache.join(file);
        path.is_file().then_some((path, checksum))
    }

    /// The models of the Hugging Face hub, in the same cache.
    pub fn hub(&self) -> Hub<'_> {
        Hub::new(&self.settings)
    }

    /// Whether downloads are forbidden.
    pub fn is_offline(&self) -> bool {
        self.settings.offline
    }

    /// The state of an entry, without reading its file.
    pub fn state(&self, entry: &CatalogueEntry) -> CacheState {
        let path = self.path(entry);
        match (path.is_file(), fs::metadata(part_of(&self.settings.cache.join(entry.file)))) {
            (true, _) => CacheState::Present,
            (false, Ok(part)) if part.len() > 0 => CacheState::Partial(part.len()),
            _ => CacheState::Absent,
        }
    }

    /// The path of an entry's verified file, after downloading it if it is missing or damaged. `progress` is called for
    /// every piece received, and never for a file that is already there.
    ///
    /// # Errors
    /// [`WeightsError`]. The cache then holds the previous file, or the part received so far.
    pub fn get(
        &self,
        entry: &CatalogueEntry,
        progress: &mut dyn FnMut(DownloadProgress),
    ) -> Result<PathBuf, WeightsError> {
        let StoreSettings { cache, offline, .. } = &self.settings;
        let (path, url) = (cache.join(entry.file), self.url(entry));
        if let Some((other, checksum)) = self.other(entry).filter(|_| !path.is_file())
            && checksum.allows(&sums(&other).map_err(WeightsError::io(&other))?)
        {
            return Ok(other);
        }
        if path.is_file() {
            let found = sums(&path).map_err(WeightsError::io(&path))?;
            if is_intact(entry, &path, &found) {
                return Ok(path);
            }
            if *offline {
                let found = entry.checksum.of(&found).to_owned();
                return Err(WeightsError::DamagedOffline { path, found, url });
            }
        } else if *offline {
            return Err(WeightsError::Offline { name: entry.name, url, path });
        }
        fs::create_dir_all(cache).map_err(WeightsError::io(cache))?;
        let agent = agent(&url, &self.settings)?;
        let part = part_of(&path);
        let proof = Proof::Published(entry.checksum);
        let source = Source { url: &url, proof, token: None, most: None, part: &part, path: &path };
        let sum = download(&agent, &source, progress)?;
        if entry.checksum == Checksum::Unpublished {
            write_atomic(sum_of(&path), format!("{sum}  {}\n", entry.file).as_bytes())?;
        }
        Ok(path)
    }

    /// The address that an entry's file is fetched from.
    pub fn url(&self, entry: &CatalogueEntry) -> String {
        match &self.settings.mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), entry.file),
            None => entry.url.to_owned(),
        }
    }
}

/// Whether a file has the published content or, without a published checksum, that of its download.
fn is_intact(entry: &CatalogueEntry, path: &Path, found: &Sums) -> bool {
    match entry.checksum {
        // A file that a person put there has no checksum beside it and is trusted.
        Checksum::Unpublished => {
            fs::read_to_string(sum_of(path)).map_or(true, |kept| kept.starts_with(&found.sha256))
        }
        checksum => checksum.allows(found),
    }
}
