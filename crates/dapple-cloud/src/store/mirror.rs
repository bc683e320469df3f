//! A folder of this machine that stands for one of a store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dapple_base::{Digest, WriteError};

use super::cloud::Cloud;
use super::list::Found;
use crate::error::CloudError;
use crate::location::Location;

/// A local folder with the content of a folder of a store, which is written back: what is new or changed goes up, what is gone is
/// removed there.
#[derive(Debug)]
pub struct Mirror {
    location: Location,
    folder: PathBuf,
    /// The fingerprints of the files as they are in the store, by their keys below the folder.
    known: BTreeMap<String, String>,
}

impl Mirror {
    /// Brings those objects below `location` whose keys below it are `wanted` into `folder`, which is created. There may be none.
    ///
    /// # Errors
    /// The first fault of [`Cloud::list`] or [`Cloud::download`].
    pub fn open(
        cloud: &Cloud,
        location: &Location,
        folder: &Path,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, CloudError> {
        make_folder(folder)?;
        let found = cloud.list_if_any(location)?;
        let files = below(location, folder, found, wanted)?;
        cloud.download(&files).into_iter().collect::<Result<(), _>>()?;
        let mut mirror =
            Self { location: location.clone(), folder: folder.to_owned(), known: BTreeMap::new() };
        mirror.known = mirror.fingerprints()?;
        Ok(mirror)
    }

    /// Writes new and changed files to the store, those of a lower `rank` of their key before those of a higher one, and removes objects
    /// whose files are gone. Gives the number of files that were written. After a fault, calling it again does what is left.
    ///
    /// # Errors
    /// The first fault of [`Cloud::upload`] or [`Cloud::remove`].
    pub fn deliver(&mut self, cloud: &Cloud, rank: &dyn Fn(&str) -> u8) -> Result<usize, CloudError> {
        let now = self.fingerprints()?;
        let changed = now.iter().filter(|(key, content)| self.known.get(*key) != Some(*content));
        let mut ranks: BTreeMap<u8, Vec<(PathBuf, Location)>> = BTreeMap::new();
        let mut written = 0;
        for (key, _) in changed {
            written += 1;
            ranks.entry(rank(key)).or_default().push((self.folder.join(key), self.location.join(key)));
        }
        for files in ranks.values() {
            cloud.upload(files)?;
        }
        for key in self.known.keys().filter(|key| !now.contains_key(*key)) {
            cloud.remove(&self.location.join(key))?;
        }
        self.known = now;
        Ok(written)
    }

    /// The fingerprints of the files below the folder; unfinished ones are none.
    fn fingerprints(&self) -> Result<BTreeMap<String, String>, CloudError> {
        let mut found = BTreeMap::new();
        let mut folders = vec![(self.folder.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let unread = |source| CloudError::Read { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(unread)? {
                let entry = entry.map_err(unread)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let (path, key) = (entry.path(), format!("{prefix}{name}"));
                if path.is_dir() {
                    folders.push((path, format!("{key}/")));
                } else if !(name.starts_with('.') && name.ends_with(".tmp")) {
                    let content = Digest::of_file(&path);
                    found.insert(key, content.map_err(|source| CloudError::Read { path, source })?);
                }
            }
        }
        Ok(found)
    }
}

/// The files below a folder that objects below an address become, whose folders are made.
fn below(
    location: &Location,
    folder: &Path,
    found: Vec<Found>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<(Found, PathBuf)>, CloudError> {
    let mut files = Vec::new();
    for found in found {
        let key = location.below(found.location.key()).to_owned();
        if wanted(&key) {
            let path = folder.join(&key);
            make_folder(path.parent().unwrap_or(folder))?;
            files.push((found, path));
        }
    }
    Ok(files)
}

fn make_folder(folder: &Path) -> Result<(), CloudError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source).into())
}
