//! The photographs of a folder with the state of their masks.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use dapple_base::Size;
use dapple_data::image_size;

use super::mask::Mask;

/// A photograph and the state of its mask.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInfo {
    /// Its name: the path in the folder of photographs.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Its size, upright.
    pub size: Size,
    /// 0 for no mask; grows with each change of the mask, and of what its numbers mean. Where there is a mask when the folder is
    /// opened, the time of its file, so that revisions of an earlier process are no present ones.
    pub revision: u64,
    /// Grows with each change of the photograph's file.
    pub photograph: u64,
    /// The share of its pixels that have a label.
    pub labelled: f64,
    /// Why the photograph or its mask cannot be used.
    pub problem: Option<String>,
}

/// A mask after a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saved {
    /// Its revision.
    pub revision: u64,
    /// The share of its pixels that have a label.
    pub labelled: f64,
}

/// The state of a file by which a change of it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Stamp {
    /// `None` where there is no file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })
    }

    /// The time of the last change, in milliseconds since 1970; 1 where it is not known.
    fn milliseconds(self) -> u64 {
        let since = self.modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(1).max(1)
    }
}

/// A photograph with its mask.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub info: ImageInfo,
    pub mask: PathBuf,
    /// Of the mask.
    pub stamp: Option<Stamp>,
    /// Of the photograph.
    pub photograph: Option<Stamp>,
}

/// A photograph that is new: its name, its file, and the file of its mask.
pub(super) type New = (String, PathBuf, PathBuf);

/// The entries of photographs, read by several threads.
pub(super) fn new_entries(new: &[New], classes: usize) -> Vec<Entry> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(new.len().max(1));
    let share = new.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let running: Vec<_> =
            new.chunks(share).map(|part| scope.spawn(move || entries_of(part, classes))).collect();
        let ended =
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.flatten().collect()
    })
}

fn entries_of(new: &[New], classes: usize) -> Vec<Entry> {
    new.iter().map(|(id, path, mask)| new_entry(id, path, mask, classes)).collect()
}

fn new_entry(id: &str, path: &Path, mask: &Path, classes: usize) -> Entry {
    let (stamp, photograph) = (Stamp::of(mask), Stamp::of(path));
    let (size, problem) = match image_size(path) {
        Ok(size) => (size, None),
        Err(error) => (Size { height: 0, width: 0 }, Some(error.to_string())),
    };
    let info = ImageInfo {
        id: id.to_owned(),
        path: path.to_owned(),
        size,
        revision: stamp.map_or(0, Stamp::milliseconds),
        photograph: 0,
        labelled: 0.0,
        problem,
    };
    let mut entry = Entry { info, mask: mask.to_owned(), stamp, photograph };
    if entry.info.problem.is_none() {
        read_state(&mut entry, classes);
    }
    entry
}

/// Reads how much of a photograph is labelled, and whether its mask can be used.
pub(super) fn read_state(entry: &mut Entry, classes: usize) {
    (entry.info.labelled, entry.info.problem) = match entry.stamp {
        None => (0.0, None),
        Some(_) => match Mask::read(&entry.mask, entry.info.size, classes) {
            Ok(mask) => (mask.labelled(), None),
            Err(error) => (0.0, Some(error.to_string())),
        },
    };
}
