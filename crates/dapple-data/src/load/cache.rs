//! Decoded samples kept over the epochs, in memory or in a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::Result;
use crate::image::raster::Raster;
use crate::mask::label_map::{LabelMap, LabelledImage};

/// Where decoded samples are kept. Without effect on what a loader gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheSettings {
    /// Nowhere: every sample is decoded each time.
    None,
    /// In memory, until a number of bytes is reached; the others are decoded each time.
    Ram {
        /// The most bytes that are kept.
        bytes: usize,
    },
    /// In a file in the system's folder for temporary files (`TMPDIR`), as long as that has room. The file has no name
    /// and is gone when the program ends, however it ends.
    Disk,
}

/// The samples of one loader.
#[derive(Debug)]
pub(crate) enum Cache {
    None,
    Ram(Ram),
    Disk(Disk),
}

impl Cache {
    pub(crate) fn new(samples: usize, settings: CacheSettings) -> Self {
        match settings {
            CacheSettings::None => Self::None,
            CacheSettings::Ram { bytes } => {
                Self::Ram(Ram { slots: slots(samples), free: AtomicUsize::new(bytes) })
            }
            CacheSettings::Disk => {
                Self::Disk(Disk { slots: slots(samples), file: Mutex::new(Store::Unopened) })
            }
        }
    }

    /// The sample that is kept under `index`, or the one that `make` gives, which is kept if there is room.
    pub(crate) fn get_or_make(
        &self,
        index: usize,
        make: impl FnOnce() -> Result<LabelledImage>,
    ) -> Result<Arc<LabelledImage>> {
        match self {
            Self::None => make().map(Arc::new),
            Self::Ram(ram) => match ram.slots[index].get() {
                Some(kept) => Ok(Arc::clone(kept)),
                None => Ok(ram.keep(index, Arc::new(make()?))),
            },
            Self::Disk(disk) => match disk.get(index) {
                Some(kept) => Ok(Arc::new(kept)),
                None => {
                    let made = make()?;
                    disk.keep(index, &made);
                    Ok(Arc::new(made))
                }
            },
        }
    }
}

fn slots<T>(samples: usize) -> Vec<OnceLock<T>> {
    (0..samples).map(|_| OnceLock::new()).collect()
}

#[derive(Debug)]
pub(crate) struct Ram {
    slots: Vec<OnceLock<Arc<LabelledImage>>>,
    /// Bytes that may still be kept.
    free: AtomicUsize,
}

impl Ram {
    fn keep(&self, index: usize, made: Arc<LabelledImage>) -> Arc<LabelledImage> {
        let bytes = made.image.data.len() + made.labels.labels.len();
        let take = |free: usize| free.checked_sub(bytes);
        if self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
            && self.slots[index].set(Arc::clone(&made)).is_err()
        {
            // Another thread kept the same sample first: the bytes are free again.
            self.free.fetch_add(bytes, Ordering::Relaxed);
        }
        made
    }
}

#[derive(Debug)]
pub(crate) struct Disk {
    slots: Vec<OnceLock<Place>>,
    file: Mutex<Store>,
}

#[derive(Debug)]
enum Store {
    Unopened,
    /// The file and its length in bytes.
    Open(File, u64),
    /// It could not be opened, or has no more room; what is in it can still be read.
    Full(Option<File>),
}

/// A sample's bytes in the file: the image's, then the labels'.
#[derive(Debug)]
struct Place {
    start: u64,
    /// Height, width, channels.
    image: [usize; 3],
    /// Height, width.
    labels: [usize; 2],
}

impl Disk {
    /// The sample, if it is in the file and can be read.
    fn get(&self, index: usize) -> Option<LabelledImage> {
        let Place { start, image: [height, width, channels], labels: [rows, columns] } =
            *self.slots[index].get()?;
        let (mut image, mut labels) = (vec![0; height * width * channels], vec![0; rows * columns]);
        // A thread that panicked left a file whose places are still right.
        let mut store = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (Store::Open(file, _) | Store::Full(Some(file))) = &mut *store else { return None };
        file.seek(SeekFrom::Start(start)).ok()?;
        file.read_exact(&mut image).ok()?;
        file.read_exact(&mut labels).ok()?;
        drop(store);
        Some(LabelledImage {
            image: Raster::new(width, height, channels, image),
            labels: LabelMap { width: columns, height: rows, labels },
        })
    }

    fn keep(&self, index: usize, made: &LabelledImage) {
        let (image, labels) = (&made.image, &made.labels);
        let mut store = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if self.slots[index].get().is_some() {
            return;
        }
        if matches!(*store, Store::Unopened) {
            *store = tempfile::tempfile().map_or(Store::Full(None), |file| Store::Open(file, 0));
        }
        let Store::Open(file, length) = &mut *store else { return };
        let start = *length;
        match append(file, start, [&image.data, &labels.labels]) {
            Ok(end) => {
                *length = end;
                let place = Place {
                    start,
                    image: [image.height, image.width, image.channels],
                    labels: [labels.height, labels.width],
                };
                // Empty, as was seen above under the same lock.
                let _ = self.slots[index].set(place);
            }
            Err(_) => {
                if let Store::Open(file, _) = std::mem::replace(&mut *store, Store::Unopened) {
                    *store = Store::Full(Some(file));
                }
            }
        }
    }
}

/// Writes the parts one after the other from `start` on; gives where they end.
fn append(file: &mut File, start: u64, parts: [&[u8]; 2]) -> io::Result<u64> {
    file.seek(SeekFrom::Start(start))?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    Ok(start + parts.iter().map(|part| part.len() as u64).sum::<u64>())
}
