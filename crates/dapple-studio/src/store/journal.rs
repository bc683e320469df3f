//! Changes of many masks at once: all of them, or none, whenever the process is killed.
//!
//! The new masks are written beside the old ones first, then a journal that lists them. From then on the change is done: what is
//! left of it is finished when the folder is opened again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dapple_base::{WriteError, remove_leftovers, write_atomic};
use dapple_data::find_images;
use serde::{Deserialize, Serialize};

use super::mask::Mask;
use super::places::{Places, stays_below};
use crate::error::{Result, StudioError};

const FOLDER: &str = "relabelling";
const JOURNAL: &str = "relabelling.json";

/// A change that is decided.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    /// Names of new masks in the studio's folder, and the paths in `masks/` that they get.
    masks: Vec<(String, String)>,
    /// The text of `classes.toml`.
    classes: String,
}

/// A change of masks and classes that is not decided yet.
#[derive(Debug)]
pub(super) struct Change<'a> {
    places: &'a Places,
    folder: PathBuf,
    journal: Journal,
}

impl<'a> Change<'a> {
    /// Begins a change to these classes. What an earlier one left is forgotten: it was not decided.
    pub fn begin(places: &'a Places, classes: String) -> Result<Self> {
        let folder = places.own.join(FOLDER);
        absent_is_fine(&folder, fs::remove_dir_all(&folder))?;
        fs::create_dir_all(&folder).map_err(|source| WriteError::new(&folder, source))?;
        Ok(Self { places, folder, journal: Journal { masks: Vec::new(), classes } })
    }

    /// Adds all masks, of which each label becomes another; also those of photographs that are away at the moment, which would mean
    /// other classes when they come back.
    ///
    /// # Errors
    /// For a mask that cannot be read, or whose form is not the studio's.
    pub fn relabel(&mut self, present: usize, labels: &[u8; 256]) -> Result<()> {
        if !self.places.masks.is_dir() {
            return Ok(());
        }
        let found = find_images(&self.places.masks)?;
        if let Some(unreadable) = found.unreadable.into_iter().next() {
            return Err(unreadable.into());
        }
        for path in found.images {
            if path.extension().is_none_or(|extension| extension != "png") {
                return Err(StudioError::refused(format!(
                    "{}: this mask is no .png, as those of the studio are, and would mean other classes afterwards; convert it, or \
                     move it out of the folder",
                    path.display()
                )));
            }
            let mut mask = Mask::read_any(&path, present)?;
            mask.labels.iter_mut().for_each(|label| *label = labels[usize::from(*label)]);
            self.add(&path, &mask)?;
        }
        Ok(())
    }

    /// Adds the new content of a mask.
    fn add(&mut self, mask: &Path, content: &Mask) -> Result<()> {
        let name = format!("{}.png", self.journal.masks.len());
        let target = mask.strip_prefix(&self.places.masks).ok().and_then(Path::to_str);
        let target = target.ok_or_else(|| {
            StudioError::refused(format!("{}: the file name is not UTF-8; rename it", mask.display()))
        })?;
        write_atomic(self.folder.join(&name), &content.png()?)?;
        self.journal.masks.push((name, target.to_owned()));
        Ok(())
    }

    /// Decides the change, and carries it out.
    pub fn commit(self) -> Result<()> {
        let text = serde_json::to_vec(&self.journal).expect("lists of texts become JSON");
        write_atomic(self.places.own.join(JOURNAL), &text)?;
        carry_out(self.places, &self.journal)
    }
}

/// Finishes a change that was decided, and forgets one that was not.
pub(super) fn recover(places: &Places) -> Result<()> {
    remove_leftovers(&places.own);
    let path = places.own.join(JOURNAL);
    match fs::read(&path) {
        Ok(text) => {
            let journal = serde_json::from_slice(&text).map_err(|error| {
                StudioError::refused(format!("{}: {error}; remove this file", path.display()))
            })?;
            carry_out(places, &journal)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = places.own.join(FOLDER);
            absent_is_fine(&folder, fs::remove_dir_all(&folder))
        }
        Err(source) => Err(StudioError::Read { path, source }),
    }
}

/// Every step can be done again after it was done.
fn carry_out(places: &Places, journal: &Journal) -> Result<()> {
    let folder = places.own.join(FOLDER);
    for (name, target) in &journal.masks {
        if !stays_below(Path::new(name)) || !stays_below(Path::new(target)) {
            return Err(StudioError::refused(format!("{target}: a path out of the folder of masks")));
        }
        let (from, to) = (folder.join(name), places.masks.join(target));
        if from.is_file() {
            fs::rename(&from, &to).map_err(|source| WriteError::new(&to, source))?;
        }
    }
    write_atomic(&places.classes, journal.classes.as_bytes())?;
    absent_is_fine(&places.own.join(JOURNAL), fs::remove_file(places.own.join(JOURNAL)))?;
    absent_is_fine(&folder, fs::remove_dir_all(&folder))
}

fn absent_is_fine(path: &Path, result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(WriteError::new(path, source).into()),
        _ => Ok(()),
    }
}
