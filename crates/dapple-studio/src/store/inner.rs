//! What is known of a folder: its classes, its photographs, and the state of their masks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use dapple_base::{WriteError, write_atomic};
use dapple_data::Classes;

use super::entries::{Entry, ImageInfo, New, Saved, Stamp, new_entries, read_state};
use super::journal::recover;
use super::mask::{Mask, UNLABELLED};
use super::places::Places;
use super::table::read_classes;
use crate::error::{Result, StudioError};

/// What others have changed since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The photographs whose masks have changed, with the new revisions.
    pub masks: Vec<(String, u64)>,
    /// Whether photographs were added, taken away or replaced.
    pub images: bool,
    /// Whether the classes are others.
    pub classes: bool,
}

impl Refreshed {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub classes: Classes,
    classes_stamp: Option<Stamp>,
    /// Whether `classes.toml` gives the value of each class, as this program writes it.
    classes_written: bool,
    pub images: BTreeMap<String, Entry>,
    pub notes: Vec<String>,
    /// The mask that was used last.
    recent: Option<(String, u64, Mask)>,
    /// Grows when the numbers in masks mean other classes than before.
    pub numbering: u64,
    /// A change of all masks was decided perhaps, and is not carried out yet.
    pub unsettled: bool,
    /// It was carried out since the last look, or forgotten.
    settled: bool,
    /// A training reads the masks: those that lose all labels stay as files.
    keeps_files: bool,
    /// The photographs whose masks stay for that reason alone.
    emptied: BTreeSet<String>,
}

impl Inner {
    /// Reads a folder in which no change is half done.
    pub fn read(places: &Places) -> Result<Self> {
        let (classes, classes_written) = read_classes(places)?;
        let mut inner = Self {
            classes,
            classes_stamp: Stamp::of(&places.classes),
            classes_written,
            images: BTreeMap::new(),
            notes: Vec::new(),
            recent: None,
            // Another one than that of an earlier process, from which a page may be open.
            numbering: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            unsettled: false,
            settled: false,
            keeps_files: false,
            emptied: BTreeSet::new(),
        };
        inner.find_images(places)?;
        Ok(inner)
    }

    pub fn entry(&self, id: &str) -> Result<&Entry> {
        self.images.get(id).ok_or_else(|| unknown(id))
    }

    /// Looks at a photograph before it is used: its mask may have been changed by another program.
    pub fn look_at(&mut self, id: &str, places: &Places) -> Result<()> {
        self.settle(places)?;
        self.look_again(id)?;
        self.entry(id)?.info.problem.clone().map_or(Ok(()), |problem| Err(StudioError::Refused(problem)))
    }

    /// The mask of a photograph, kept until another one is asked for.
    pub fn recent_mask(&mut self, id: &str) -> Result<&(String, u64, Mask)> {
        let entry = self.entry(id)?;
        let revision = entry.info.revision;
        let mask = match &self.recent {
            Some((known, at, _)) if known == id && *at == revision => None,
            _ if entry.stamp.is_none() => Some(Mask::empty(entry.info.size)),
            _ => Some(Mask::read(&entry.mask, entry.info.size, self.classes.len())?),
        };
        if let Some(mask) = mask {
            self.recent = Some((id.to_owned(), revision, mask));
        }
        self.recent.as_ref().ok_or_else(|| unknown(id))
    }

    /// Finishes a change of all masks that met an error: until then nobody knows which classes a mask is of.
    pub fn settle(&mut self, places: &Places) -> Result<()> {
        if !self.unsettled {
            return Ok(());
        }
        recover(places)?;
        let (classes, written) = read_classes(places)?;
        self.classes = classes;
        (self.classes_stamp, self.classes_written) = (Stamp::of(&places.classes), written);
        self.renumber();
        (self.unsettled, self.settled) = (false, true);
        Ok(())
    }

    /// The numbers in masks mean other classes now: no change that was made from older ones fits any mask. Gives the new
    /// revisions.
    pub fn renumber(&mut self) -> Vec<(String, u64)> {
        let count = self.classes.len();
        self.numbering += 1;
        self.recent = None;
        let renew = |(id, entry): (&String, &mut Entry)| {
            entry.stamp = Stamp::of(&entry.mask);
            entry.info.revision += 1;
            if entry.info.size.pixels() > 0 {
                read_state(entry, count);
            }
            (id.clone(), entry.info.revision)
        };
        self.images.iter_mut().map(renew).collect()
    }

    /// Looks for changes that other programs have made.
    pub fn refresh(&mut self, places: &Places) -> Result<Refreshed> {
        let before: HashMap<String, u64> =
            self.images.iter().map(|(id, entry)| (id.clone(), entry.info.revision)).collect();
        self.settle(places)?;
        let mut refreshed = Refreshed { classes: std::mem::take(&mut self.settled), ..Refreshed::default() };
        if Stamp::of(&places.classes) != self.classes_stamp {
            let (classes, written) = read_classes(places)?;
            (self.classes_stamp, self.classes_written) = (Stamp::of(&places.classes), written);
            if classes != self.classes {
                let same = classes.names.starts_with(&self.classes.names);
                self.classes = classes;
                if same {
                    let count = self.classes.len();
                    let usable = |entry: &&mut Entry| entry.stamp.is_some() && entry.info.size.pixels() > 0;
                    self.images.values_mut().filter(usable).for_each(|entry| read_state(entry, count));
                } else {
                    self.renumber();
                }
                refreshed.classes = true;
            }
        }
        refreshed.images = self.find_images(places)?;
        let ids: Vec<String> = self.images.keys().cloned().collect();
        for id in ids {
            self.look_again(&id)?;
            let revision = self.entry(&id)?.info.revision;
            // Of a photograph that is new, the page asks by itself.
            if before.get(&id).is_some_and(|before| *before != revision) {
                refreshed.masks.push((id, revision));
            }
        }
        Ok(refreshed)
    }

    /// Notices what another program has made of a mask.
    fn look_again(&mut self, id: &str) -> Result<()> {
        let classes = self.classes.len();
        let entry = self.images.get_mut(id).ok_or_else(|| unknown(id))?;
        let stamp = Stamp::of(&entry.mask);
        if stamp != entry.stamp && entry.info.size.pixels() > 0 {
            entry.stamp = stamp;
            entry.info.revision += 1;
            read_state(entry, classes);
        }
        Ok(())
    }

    /// Writes `classes.toml` where it does not say yet what the masks hold.
    pub fn write_classes(&mut self, places: &Places) -> Result<()> {
        if !self.classes_written {
            write_atomic(&places.classes, self.classes.to_toml_of_labels(UNLABELLED).as_bytes())?;
            self.take_classes(self.classes.clone(), places);
        }
        Ok(())
    }

    /// Takes over the classes that were written.
    pub fn take_classes(&mut self, classes: Classes, places: &Places) {
        self.classes = classes;
        (self.classes_stamp, self.classes_written) = (Stamp::of(&places.classes), true);
    }

    /// Lets masks that lose all labels stay as files, or removes those that have stayed.
    pub fn keep_files(&mut self, keep: bool) {
        self.keeps_files = keep;
        if keep {
            return;
        }
        for id in std::mem::take(&mut self.emptied) {
            // What another program has written since is not this one's to remove.
            if self.look_again(&id).is_err() {
                continue;
            }
            if let Some(entry) = self.images.get_mut(&id)
                && entry.info.labelled == 0.0
                && entry.info.problem.is_none()
            {
                // A file without labels that cannot be removed says nothing wrong.
                let _ = fs::remove_file(&entry.mask);
                entry.stamp = Stamp::of(&entry.mask);
            }
        }
    }

    /// Writes a mask; one without any label is no file, unless a training reads it.
    pub fn write_mask(&mut self, id: &str, mask: Mask) -> Result<Saved> {
        let labelled = mask.labelled();
        let path = self.entry(id)?.mask.clone();
        let stays = labelled == 0.0 && self.keeps_files && path.exists();
        if stays {
            self.emptied.insert(id.to_owned());
        }
        if labelled > 0.0 || stays {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source))?;
            write_atomic(&path, &mask.png()?)?;
        } else if path.exists() {
            fs::remove_file(&path).map_err(|source| WriteError::new(&path, source))?;
        }
        let entry = self.images.get_mut(id).ok_or_else(|| unknown(id))?;
        entry.stamp = Stamp::of(&path);
        entry.info.revision += 1;
        entry.info.labelled = labelled;
        let saved = Saved { revision: entry.info.revision, labelled };
        self.recent = Some((id.to_owned(), saved.revision, mask));
        Ok(saved)
    }

    /// Finds the photographs; gives whether they are others than before. One whose file has changed is read again.
    pub fn find_images(&mut self, places: &Places) -> Result<bool> {
        let (paths, mut notes) = places.list()?;
        let mut known = std::mem::take(&mut self.images);
        let before = known.len();
        let (mut kept, mut new): (BTreeMap<String, Entry>, Vec<New>) = (BTreeMap::new(), Vec::new());
        let mut replaced: HashMap<String, ImageInfo> = HashMap::new();
        let mut masks: BTreeMap<PathBuf, String> = BTreeMap::new();
        for path in paths {
            let Some(id) = places.id(&path) else {
                notes.push(format!("{}: the file name is not UTF-8; rename it", path.display()));
                continue;
            };
            let mask = places.mask(&id);
            if let Some(first) = masks.get(&mask) {
                notes.push(format!("{id} and {first} have one name but for the extension; rename one"));
                continue;
            }
            masks.insert(mask.clone(), id.clone());
            match known.remove(&id) {
                Some(entry) if entry.photograph == Stamp::of(&path) => _ = kept.insert(id, entry),
                before => {
                    replaced.extend(before.map(|entry| (id.clone(), entry.info)));
                    new.push((id, path, mask));
                }
            }
        }
        let changed = !new.is_empty() || kept.len() < before;
        for mut entry in new_entries(&new, self.classes.len()) {
            if let Some(before) = replaced.get(&entry.info.id) {
                entry.info.revision = before.revision + 1;
                entry.info.photograph = before.photograph + 1;
            }
            kept.insert(entry.info.id.clone(), entry);
        }
        (self.images, self.notes) = (kept, notes);
        Ok(changed)
    }
}

fn unknown(id: &str) -> StudioError {
    StudioError::Unknown(format!("there is no photograph `{id}`"))
}
