//! Writing files so that a reader never sees half of one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Digest, InputFault};

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
        match OpenOptions::new().read(true).write(true).create_new(true).open(&temporary) {
            Ok(file) => {
                // Tells `remove_leftovers` that somebody is still writing. Where a file system has no locks, nothing is
                // removed.
                let _ = file.try_lock();
                Ok(Self { path, temporary, writer: Some(BufWriter::new(file)) })
            }
            Err(source) => Err(WriteError { path, source }),
        }
    }

    /// Begins a file that another program writes, to [`AtomicFile::temporary`]. The folder must exist.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn reserve(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let file = Self::create(path)?;
        // There, the lock would keep the other program out; a file that it has open is not removed in any case.
        if let (true, Some(writer)) = (cfg!(windows), &file.writer) {
            let _ = writer.get_ref().unlock();
        }
        Ok(file)
    }

    /// The name that the file has until it is complete.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The final name of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The fingerprint of the content so far, which is flushed to the disk: for records of a file that are made before it
    /// gets its name.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn fingerprint(&mut self) -> Result<String, WriteError> {
        let digest: io::Result<String> = self.writer.as_mut().map_or(Ok(Digest::new().text()), |writer| {
            writer.flush()?;
            // The same handle reads it: on Windows, the lock keeps all others out.
            let mut file = writer.get_ref();
            file.sync_all()?;
            file.seek(SeekFrom::Start(0))?;
            let digest = Digest::of_reader(file)?;
            file.seek(SeekFrom::End(0))?;
            Ok(digest)
        });
        digest.map_err(|source| WriteError { path: self.path.clone(), source })
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

/// The most bytes of the final name in the temporary one, which must not be longer than a file system allows: 255.
const KEPT: usize = 200;

/// The age from which a file without a lock is left over: nobody is between making and locking it.
const LEAST_AGE: Duration = Duration::from_secs(10);

/// A name beside `path` that no other thread or process of this machine uses: `.NAME.PROCESS.NUMBER.tmp`.
fn temporary_name(path: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let final_name = path.file_name().unwrap_or_default();
    let mut name = OsString::from(".");
    if final_name.len() > KEPT {
        // The beginning tells a reader enough; the number makes the name unique.
        let text = final_name.to_string_lossy();
        let mut end = KEPT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        name.push(&text[..end]);
    } else {
        name.push(final_name);
    }
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

/// Whether a file has the name of a temporary one, [`temporary_name`].
fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = name.rsplit('.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.starts_with('.') && parts.next() == Some("tmp") && is_number(parts.next()) && is_number(parts.next())
}

/// Removes the temporary files that killed programs left in a folder and those below it, and gives their number.
///
/// Files that somebody still writes stay. What cannot be looked at or removed stays too: it harms nobody.
pub fn remove_leftovers(folder: impl AsRef<Path>) -> usize {
    let mut removed = 0;
    let mut folders = vec![folder.as_ref().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() && is_temporary(&path) && is_left_over(&path) => {
                    removed += usize::from(fs::remove_file(&path).is_ok());
                }
                _ => {}
            }
        }
    }
    removed
}

/// Whether nobody has locked a file that is old enough to be locked.
fn is_left_over(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let age = file.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age >= LEAST_AGE) && file.try_lock().is_ok()
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
    fn a_fingerprint_is_of_what_is_written_so_far() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let mut file = AtomicFile::create(&path).expect("the folder is writable");
        file.write_all(b"abc").expect("space for three bytes");
        let first = file.fingerprint().expect("it is readable");
        file.write_all(b"def").expect("space for three bytes");
        let second = file.fingerprint().expect("it is readable");
        file.commit().expect("the folder is writable");
        assert_eq!(fs::read(&path).expect("just written"), b"abcdef");
        assert_eq!(second, Digest::of_file(&path).expect("just written"));
        fs::write(&path, "abc").expect("the folder is writable");
        assert_eq!(first, Digest::of_file(&path).expect("just written"));
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
    fn a_file_that_another_program_writes_is_nobodys_leftover() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x".repeat(255));
        let reserved = AtomicFile::reserve(&path).expect("the folder is writable");
        fs::write(reserved.temporary(), "a film").expect("the program writes");
        let file = File::options().write(true).open(reserved.temporary()).expect("just made");
        file.set_modified(std::time::SystemTime::now() - 2 * LEAST_AGE).expect("a time");
        assert!(is_temporary(reserved.temporary()));
        assert_eq!(remove_leftovers(folder.path()), 0);
        reserved.commit().expect("the folder is writable");
        assert_eq!(fs::read(&path).expect("just written"), b"a film");
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

    #[test]
    fn names_as_long_as_the_file_system_allows() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["x".repeat(255), "\u{e9}".repeat(127), "\u{1f40e}".repeat(63)] {
            write_atomic(folder.path().join(&name), b"x").expect("a name of at most 255 bytes");
            assert!(names(folder.path()).contains(&name));
        }
    }

    #[test]
    fn leftovers_of_killed_programs_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).expect("the folder is writable");
        let old = std::time::SystemTime::now() - 2 * LEAST_AGE;
        let put = |path: PathBuf, time| {
            let file = File::create(path).expect("the folder is writable");
            file.set_modified(time).expect("a time");
        };
        put(folder.path().join(".a.png.123.4.tmp"), old);
        put(inner.join(".b.png.99.0.tmp"), old);
        for other in ["a.png", ".a.tmp", ".a.png.12.tmp", "a.1.2.tmp", ".a.b.c.tmp"] {
            put(folder.path().join(other), old);
        }
        put(folder.path().join(".new.png.123.4.tmp"), std::time::SystemTime::now());
        let writing = AtomicFile::create(folder.path().join("c.png")).expect("the folder is writable");
        let file = File::options().write(true).open(&writing.temporary).expect("just made");
        file.set_modified(old).expect("a time");
        assert_eq!(remove_leftovers(folder.path()), 2);
        assert_eq!((names(folder.path()).len(), names(&inner).len()), (8, 0));
        writing.commit().expect("it was not removed");
    }
}
