//! The labels of a folder: reading, drawing, noticing what others write.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dapple_base::{FolderLock, WriteError, remove_leftovers, write_atomic};
use dapple_data::{Classes, image_size_bytes};

use super::classes::{ClassEdit, Relabelling};
use super::entries::{ImageInfo, Saved};
use super::inner::{Inner, Refreshed};
use super::journal::{Change, recover};
use super::mask::{Mask, Patch, UNLABELLED};
use super::places::{Places, stays_below};
use crate::error::{Result, StudioError};

/// The file that the process with the folder locks.
const LOCK: &str = "studio.lock";

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
        let inner = Mutex::new(Inner::read(&places)?);
        Ok(Self { places, inner, _lock: lock })
    }

    /// The places of the folder.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The classes in the order of their labels.
    pub fn classes(&self) -> Classes {
        self.lock().classes.clone()
    }

    /// A number that grows when the numbers in masks mean other classes than before: what was made from older ones says
    /// something else now.
    pub fn numbering(&self) -> u64 {
        self.lock().numbering
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
        inner.look_at(id, &self.places)?;
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
        inner.look_at(id, &self.places)?;
        let (_, present, mask) = inner.recent_mask(id)?;
        if *present != revision {
            return Err(StudioError::Stale(*present));
        }
        let mut mask = mask.clone();
        change(&mut mask, inner.classes.len())?;
        inner.write_classes(&self.places)?;
        inner.write_mask(id, mask)
    }

    /// Adds, renames, recolours, reorders and merges classes; gives the photographs whose masks have changed, all of them where the
    /// numbers in masks mean other classes now.
    ///
    /// # Errors
    /// [`StudioError::Refused`] for a list that loses classes, and where a mask cannot be read; [`StudioError::Taken`] for a list of
    /// other classes than the present ones. Nothing has changed then. Those of writing: where the change was decided by then, it is
    /// finished before the next mask is used.
    pub fn change_classes(&self, edits: &[ClassEdit]) -> Result<Vec<(String, u64)>> {
        let mut inner = self.lock();
        inner.settle(&self.places)?;
        let present = inner.classes.len();
        let new = Relabelling::of(edits, &inner.classes.names)?;
        let changes_masks = new.changes_masks(present);
        let Relabelling { classes, labels } = new;
        let toml = classes.to_toml_of_labels(UNLABELLED);
        if !changes_masks {
            write_atomic(&self.places.classes, toml.as_bytes())?;
            inner.take_classes(classes, &self.places);
            return Ok(Vec::new());
        }
        let mut change = Change::begin(&self.places, toml)?;
        change.relabel(present, &labels)?;
        if let Err(error) = change.commit() {
            inner.unsettled = true;
            return Err(error);
        }
        inner.take_classes(classes, &self.places);
        Ok(inner.renumber())
    }

    /// While a training reads the masks, those that lose all labels stay as files without labels, instead of being removed.
    pub fn keep_files(&self, keep: bool) {
        self.lock().keep_files(keep);
    }

    /// Looks for changes that other programs have made.
    ///
    /// # Errors
    /// Those of listing the folder, and of reading the classes.
    pub fn refresh(&self) -> Result<Refreshed> {
        self.lock().refresh(&self.places)
    }

    /// Adds a photograph of that name; one that is there already with the same content stays.
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
        let file = self.places.photographs.join(name);
        if inner.images.contains_key(name) && fs::read(&file).is_ok_and(|present| present == bytes) {
            return Ok(name.to_owned());
        }
        let mask = self.places.mask(name);
        if inner.images.values().any(|entry| entry.mask == mask) || file.exists() {
            return Err(StudioError::Taken(format!("there is a photograph `{name}` already")));
        }
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
