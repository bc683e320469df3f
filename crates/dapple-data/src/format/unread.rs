//! Pictures and videos of kinds that are not read: a folder that holds some is told so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::format::unread_kinds::kind_of;
use crate::format::walk::files_below;

/// The files of a folder that are pictures or videos, but of no kind that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    folder: PathBuf,
    /// The number of files of each kind, and the first of them.
    kinds: BTreeMap<&'static str, (usize, PathBuf)>,
}

impl Unread {
    /// Looks through a folder and the folders in it.
    ///
    /// # Errors
    /// Those of [`find_images`](crate::find_images).
    pub fn below(folder: &Path) -> Result<Self> {
        let mut unread = Self { folder: folder.to_owned(), kinds: BTreeMap::new() };
        for path in files_below(folder, &|path| kind_of(path).is_some())? {
            let kind = kind_of(&path).unwrap_or_default();
            unread.kinds.entry(kind).or_insert((0, path)).0 += 1;
        }
        Ok(unread)
    }

    /// Whether there is no such file.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The same without videos, for those who read them.
    #[must_use]
    pub fn without_videos(mut self) -> Self {
        self.kinds.remove("video");
        self
    }
}

impl fmt::Display for Unread {
    /// `photos: 3 files are not read: 2 HEIC (such as a.heic), 1 AVIF (b.avif); convert them to PNG or JPEG`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.kinds.values().map(|(count, _)| count).sum();
        let kind = |(kind, (count, first)): (&&str, &(usize, PathBuf))| {
            let such_as = if *count > 1 { "such as " } else { "" };
            let first = first.strip_prefix(&self.folder).unwrap_or(first);
            format!("{count} {kind} ({such_as}{})", first.display())
        };
        let kinds: Vec<String> = self.kinds.iter().map(kind).collect();
        let verb = if count == 1 { "file is" } else { "files are" };
        write!(
            f,
            "{}: {count} {verb} not read: {}; convert them to PNG or JPEG",
            self.folder.display(),
            kinds.join(", ")
        )
    }
}
