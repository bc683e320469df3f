//! The labels of a folder: reading, drawing, noticing what others write.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dapple_base::{FolderLock, WriteError, remove_leftovers, write_atomic};
use dapple_data::{Classes, image_size_bytes};

use super::classes::{ClassEdit, Relabelling};
use super::entries::{Entry, ImageInfo, New, Stamp, new_entries, read_state};
use super::journal::{Change, recover};
use super::mask::{Mask, Patch, UNLABELLED};
use super::places::{Places, stays_below};
use super::table::read_classes;
use crate::error::{Result, StudioError};

/// The file that the process with the folder locks.
const LOCK: &str = "studio.lock";

/// A mask after a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saved {
    /// Its revision.
    pub revision: u64,
    /// The share of its pixels that have a label.
    pub labelled: f64,
}

/// What others have changed since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The photographs whose masks have changed, with the new revisions.
    pub masks: Vec<(String, u64)>,
    /// Whether photographs were added or taken away.
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
struct Inner {
    classes: Classes,
    classes_stamp: Option<Stamp>,
    /// Whether `classes.toml` gives the value of each class, as this program writes it.
    classes_written: bool,
    images: BTreeMap<String, Entry>,
    notes: Vec<String>,
    /// The mask that was used last.
    recent: Option<(String, u64, Mask)>,
}

/// The labels of a folder, which belongs to this process until the store is dropped. Threads may share it.
#[derive(Debug)]
pub struct LabelStore {
    places: Places,
    inner: Mutex<Inner>,
    _lock: FolderLock,
}

impl LabelStore {
    /// Opens a folder, and finishes a change of all masks that was interrupted.
    ///
    /// # Errors
    /// [`StudioError::Lock`] where another process has the folder, those of [`Places::find`] and of reading the classes.
    pub fn open(root: &Path) -> Result<Self> {
        let places = Places::find(root)?;
        let lock = FolderLock::take(&places.own, LOCK)?;
        remove_leftovers(&places.masks);
        recover(&places)?;
        let (classes, classes_written) = read_classes(&places)?;
        let mut inner = Inner {
            classes,
            classes_stamp: Stamp::of(&places.classes),
            classes_written,
            images: BTreeMap::new(),
            notes: Vec::new(),
            recent: None,
        };
        inner.find_images(&places)?;
        Ok(Self { places, inner: Mutex::new(inner), _lock: lock })
    }

    /// The places of the folder.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The classes in the order of their labels.
    pub fn classes(&self) -> Classes {
        self.lock().classes.clone()
    }

    /// The photographs in the order of their names.
    pub fn images(&self) -> Vec<ImageInfo> {
        self.lock().images.values().map(|entry| entry.info.clone()).collect()
    }

    /// Things that the person should know of the folder.
    pub fn notes(&self) -> Vec<String> {
        self.lock().notes.clone()
    }

    /// One photograph.
    ///
    /// # Errors
    /// [`StudioError::Unknown`].
    pub fn image(&self, id: &str) -> Result<ImageInfo> {
        Ok(self.lock().entry(id)?.info.clone())
    }

    /// The mask of a photograph with its revision; without a file, one without labels and revision 0.
    ///
    /// # Errors
    /// [`StudioError::Unknown`]; [`StudioError::Refused`] for a photograph or a mask that cannot be used.
    pub fn mask(&self, id: &str) -> Result<(Mask, u64)> {
        let mut inner = self.lock();
        inner.look_again(id)?;
        inner.usable(id)?;
        let (_, revision, mask) = inner.recent_mask(id)?;
        Ok((mask.clone(), *revision))
    }

    /// Draws a patch with its upper left corner at a pixel `(x, y)`. The mask is on the disk when this returns.
    ///
    /// # Errors
    /// [`StudioError::Stale`] unless the mask has this revision; [`StudioError::Refused`] for a patch that leaves the image or has
    /// unknown labels; those of writing.
    pub fn draw(&self, id: &str, revision: u64, at: (usize, usize), patch: &Patch) -> Result<Saved> {
        self.change(id, revision, |mask, classes| mask.draw(patch, at, classes))
    }

    /// Gives labels to the pixels that have none.
    ///
    /// # Errors
    /// Those of [`LabelStore::draw`].
    pub fn fill(&self, id: &str, revision: u64, labels: &Mask) -> Result<Saved> {
        self.change(id, revision, |mask, classes| {
            let mut full = mask.clone();
            full.draw(&Patch::of_labelled(labels), (0, 0), classes)?;
            full.draw(&Patch::of_labelled(mask), (0, 0), classes)?;
            *mask = full;
            Ok(())
        })
    }

    fn change(
        &self,
        id: &str,
        revision: u64,
        change: impl FnOnce(&mut Mask, usize) -> Result<()>,
    ) -> Result<Saved> {
        let mut inner = self.lock();
        inner.look_again(id)?;
        inner.usable(id)?;
        let (_, present, mask) = inner.recent_mask(id)?;
        if *present != revision {
            return Err(StudioError::Stale(*present));
        }
        let mut mask = mask.clone();
        change(&mut mask, inner.classes.len())?;
        inner.write_classes(&self.places)?;
        inner.write_mask(id, mask)
    }

    /// Adds, renames, recolours, reorders and merges classes; gives the photographs whose masks have changed.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for a list that loses classes, and where a mask cannot be read; those of writing. Nothing has
    /// changed then.
    pub fn change_classes(&self, edits: &[ClassEdit]) -> Result<Vec<(String, u64)>> {
        let mut inner = self.lock();
        let present = inner.classes.len();
        let new = Relabelling::of(edits, present)?;
        let changes_masks = new.changes_masks(present);
        let Relabelling { classes, labels } = new;
        let toml = classes.to_toml_of_labels(UNLABELLED);
        if !changes_masks {
            write_atomic(&self.places.classes, toml.as_bytes())?;
            inner.take_classes(classes, &self.places);
            return Ok(Vec::new());
        }
        let mut change = Change::begin(&self.places, toml)?;
        let mut changed = Vec::new();
        for (id, entry) in inner.images.iter().filter(|(_, entry)| entry.stamp.is_some()) {
            let mut mask = Mask::read(&entry.mask, entry.info.size, present)?;
            mask.labels.iter_mut().for_each(|label| *label = labels[usize::from(*label)]);
            change.add(&entry.mask, &mask)?;
            changed.push(id.clone());
        }
        change.commit()?;
        inner.take_classes(classes, &self.places);
        inner.recent = None;
        let noted = changed.into_iter().map(|id| {
            let revision = inner.images.get_mut(&id).map_or(0, |entry| {
                entry.stamp = Stamp::of(&entry.mask);
                entry.info.revision += 1;
                entry.info.revision
            });
            (id, revision)
        });
        Ok(noted.collect())
    }

    /// Looks for changes that other programs have made.
    ///
    /// # Errors
    /// Those of listing the folder, and of reading the classes.
    pub fn refresh(&self) -> Result<Refreshed> {
        let mut inner = self.lock();
        let mut refreshed = Refreshed::default();
        if Stamp::of(&self.places.classes) != inner.classes_stamp {
            let (classes, written) = read_classes(&self.places)?;
            (inner.classes_stamp, inner.classes_written) = (Stamp::of(&self.places.classes), written);
            if classes != inner.classes {
                let count = classes.len();
                inner.classes = classes;
                inner.recent = None;
                inner.images.values_mut().filter(|entry| entry.stamp.is_some()).for_each(|entry| {
                    read_state(entry, count);
                });
                refreshed.classes = true;
            }
        }
        refreshed.images = inner.find_images(&self.places)?;
        let ids: Vec<String> = inner.images.keys().cloned().collect();
        for id in ids {
            let before = inner.images.get(&id).map_or(0, |entry| entry.info.revision);
            inner.look_again(&id)?;
            let after = inner.images.get(&id).map_or(0, |entry| entry.info.revision);
            if before != after {
                refreshed.masks.push((id, after));
            }
        }
        Ok(refreshed)
    }

    /// Adds a photograph of that name.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for bytes that are no image, a name that leads elsewhere, and one that is taken.
    pub fn add_image(&self, name: &str, bytes: &[u8]) -> Result<String> {
        image_size_bytes(bytes, name)?;
        let mut inner = self.lock();
        let path = Path::new(name);
        let plain = stays_below(path) && path.components().count() == 1 && !name.starts_with('.');
        if !plain || name.contains(['\\', ':']) || name.chars().any(char::is_control) {
            return Err(StudioError::refused("a photograph needs the plain name of a file"));
        }
        let mask = self.places.mask(name);
        if inner.images.values().any(|entry| entry.mask == mask)
            || self.places.photographs.join(name).exists()
        {
            return Err(StudioError::Taken(format!("there is a photograph `{name}` already")));
        }
        let file = self.places.photographs.join(name);
        write_atomic(&file, bytes)?;
        inner.find_images(&self.places)?;
        if inner.images.contains_key(name) {
            return Ok(name.to_owned());
        }
        fs::remove_file(&file).map_err(|source| WriteError::new(&file, source))?;
        Err(StudioError::refused(format!(
            "`{name}` does not end as the names of pictures do; call it .jpg or .png"
        )))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while a mask was drawn has changed a copy only.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn entry(&self, id: &str) -> Result<&Entry> {
        self.images.get(id).ok_or_else(|| StudioError::Unknown(format!("there is no photograph `{id}`")))
    }

    fn usable(&self, id: &str) -> Result<()> {
        self.entry(id)?.info.problem.clone().map_or(Ok(()), |problem| Err(StudioError::Refused(problem)))
    }

    /// The mask of a photograph, kept until another one is asked for.
    fn recent_mask(&mut self, id: &str) -> Result<&(String, u64, Mask)> {
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
        self.recent.as_ref().ok_or_else(|| StudioError::Unknown(format!("there is no mask of `{id}`")))
    }

    /// Notices what another program has made of a mask.
    fn look_again(&mut self, id: &str) -> Result<()> {
        let classes = self.classes.len();
        let entry = self
            .images
            .get_mut(id)
            .ok_or_else(|| StudioError::Unknown(format!("there is no photograph `{id}`")))?;
        let stamp = Stamp::of(&entry.mask);
        if stamp != entry.stamp && entry.info.size.pixels() > 0 {
            entry.stamp = stamp;
            entry.info.revision += 1;
            read_state(entry, classes);
        }
        Ok(())
    }

    /// Writes `classes.toml` where it does not say yet what the masks hold.
    fn write_classes(&mut self, places: &Places) -> Result<()> {
        if !self.classes_written {
            write_atomic(&places.classes, self.classes.to_toml_of_labels(UNLABELLED).as_bytes())?;
            self.take_classes(self.classes.clone(), places);
        }
        Ok(())
    }

    fn take_classes(&mut self, classes: Classes, places: &Places) {
        self.classes = classes;
        (self.classes_stamp, self.classes_written) = (Stamp::of(&places.classes), true);
    }

    /// Writes a mask; one without any label is no file.
    fn write_mask(&mut self, id: &str, mask: Mask) -> Result<Saved> {
        let labelled = mask.labelled();
        let path = self.entry(id)?.mask.clone();
        if labelled > 0.0 {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source))?;
            write_atomic(&path, &mask.png()?)?;
        } else if path.exists() {
            fs::remove_file(&path).map_err(|source| WriteError::new(&path, source))?;
        }
        let entry = self
            .images
            .get_mut(id)
            .ok_or_else(|| StudioError::Unknown(format!("there is no photograph `{id}`")))?;
        entry.stamp = Stamp::of(&path);
        entry.info.revision += 1;
        entry.info.labelled = labelled;
        let saved = Saved { revision: entry.info.revision, labelled };
        self.recent = Some((id.to_owned(), saved.revision, mask));
        Ok(saved)
    }

    /// Finds the photographs; gives whether they are others than before.
    fn find_images(&mut self, places: &Places) -> Result<bool> {
        let (paths, mut notes) = places.list()?;
        let mut known = std::mem::take(&mut self.images);
        let before = known.len();
        let (mut kept, mut new): (BTreeMap<String, Entry>, Vec<New>) = (BTreeMap::new(), Vec::new());
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
                Some(entry) => _ = kept.insert(id, entry),
                None => new.push((id, path, mask)),
            }
        }
        let changed = before > 0 && (!new.is_empty() || kept.len() < before);
        for entry in new_entries(&new, self.classes.len()) {
            kept.insert(entry.info.id.clone(), entry);
        }
        (self.images, self.notes) = (kept, notes);
        Ok(changed)
    }
}
