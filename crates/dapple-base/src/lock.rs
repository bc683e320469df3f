//! One writer a folder: a lock on a file, which the system lets go when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::{InputFault, WriteError};

/// The lock of a folder, held until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// A lock that could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{}: this folder is being written by {owner}; wait until it has ended, or end it, or give another folder", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// The other process in words.
        owner: String,
    },
    /// The folder or the lock's file could not be made.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl InputFault for LockError {
    fn is_input_fault(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }
}

impl FolderLock {
    /// Takes the lock of a folder by a file of that name in it, making the folder if need be.
    ///
    /// # Errors
    /// [`LockError`]; the other process is named if it could write its name and this system lets it be read.
    pub fn take(folder: &Path, name: &str) -> Result<Self, LockError> {
        let path = folder.join(name);
        let failed = |source| WriteError::new(&path, source);
        fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source))?;
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Some systems let nobody read a locked file; then the other process stays unnamed.
                let _ = file.read_to_string(&mut owner);
                let owner = owner.trim();
                let owner = if owner.is_empty() { "another process" } else { owner };
                return Err(LockError::Taken { folder: folder.to_owned(), owner: owner.to_owned() });
            }
            // Some network file systems have no locks; writing goes on without one.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let program = std::env::args().next().unwrap_or_else(|| "dapple".into());
        let program = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
        let owner = format!("{}, process {}\n", program.unwrap_or_default(), std::process::id());
        file.set_len(0).and_then(|()| file.write_all(owner.as_bytes())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_of_the_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lock = FolderLock::take(folder.path(), "run.lock").expect("nobody has it");
        let message = FolderLock::take(folder.path(), "run.lock").expect_err("it is taken").to_string();
        assert!(message.contains("process"), "{message}");
        #[cfg(unix)]
        assert!(message.contains(&std::process::id().to_string()), "{message}");
        drop(lock);
        FolderLock::take(folder.path(), "run.lock").expect("it was let go");
    }
}
