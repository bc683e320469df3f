//! Writing files so that a reader never sees half of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::InputFault;

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}; check the folder, its permissions and the free space", path.display())]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

impl WriteError {
    /// The error of a path.
    pub fn new(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { path: path.into(), source }
    }
}

impl InputFault for WriteError {
    fn is_input_fault(&self) -> bool {
        false
    }
}

/// Writes `bytes` to `path` in one step: to a temporary name in the same folder, flushed to the disk, then renamed.
///
/// A crash at any moment leaves the old file or the new one, never a part. The folder must exist.
///
/// # Errors
/// [`WriteError`]; the temporary file is removed and an older file of the name stays as it was.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), WriteError> {
    let mut file = AtomicFile::create(path)?;
    match file.write_all(bytes) {
        Ok(()) => file.commit(),
        Err(source) => Err(WriteError { path: file.path.clone(), source }),
    }
}

/// A file that is written piece by piece and appears under its name only when it is complete.
///
/// The bytes go to a temporary name beside `path`, which is removed if the file is dropped before [`AtomicFile::commit`].
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` after [`AtomicFile::commit`].
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins a file. The folder must exist.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref().to_owned();
        if path.file_name().is_none() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file name");
            return Err(WriteError { path, source });
        }
        let temporary = temporary_name(&path);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => Ok(Self { path, temporary, writer: Some(BufWriter::new(file)) }),
            Err(source) => Err(WriteError { path, source }),
        }
    }

    /// The final name of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and gives it its name; an older file of the name is replaced.
    ///
    /// # Errors
    /// [`WriteError`]; the temporary file is removed.
    pub fn commit(mut self) -> Result<(), WriteError> {
        let committed = (|| {
            if let Some(writer) = self.writer.take() {
                writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            }
            fs::rename(&self.temporary, &self.path)?;
            sync_folder(&self.path);
            Ok(())
        })();
        // If the rename failed, the drop below removes the temporary file.
        committed.map_err(|source| WriteError { path: self.path.clone(), source })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a commit there is nothing of this name; a leftover that cannot be removed is no error of its own.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Makes the rename itself durable where the system can; not all file systems let a folder be synced.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A name beside `path` that no other thread or process of this machine uses.
fn temporary_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_replaces_an_older_one_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        for bytes in [&b"one"[..], b"", b"three"] {
            write_atomic(&path, bytes).expect("the folder is writable");
            assert_eq!(fs::read(&path).expect("just written"), bytes);
        }
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_file_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut file = AtomicFile::create(folder.path().join("file")).expect("the folder is writable");
        file.write_all(b"half").expect("space for four bytes");
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("missing").join("file");
        let error = write_atomic(&path, b"x").expect_err("the folder is missing");
        assert!(error.to_string().contains("missing") && !error.is_input_fault(), "{error}");
        // A folder stands under the name: the rename fails and the temporary file goes.
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("inside")).expect("the folder is writable");
        write_atomic(&taken, b"x").expect_err("a folder cannot be replaced by a file");
        assert_eq!(names(folder.path()), ["taken"]);
    }
}
