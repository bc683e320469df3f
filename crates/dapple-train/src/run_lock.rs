//! One process a run: a lock on a file of the run's folder, which the system lets go when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use crate::TrainError;

/// Name of the file.
pub(crate) const FILE: &str = "run.lock";

/// Held as long as the run is written.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock, making the folder if need be.
    ///
    /// # Errors
    /// [`TrainError::RunInUse`] with what the other process wrote of itself; [`TrainError::Write`].
    pub fn take(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(FILE);
        let failed = |source| TrainError::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(|source| TrainError::Write { path: folder.to_owned(), source })?;
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
                return Err(TrainError::RunInUse { folder: folder.to_owned(), owner: owner.to_owned() });
            }
            // Some network file systems have no locks; a run there goes on without one, as all did before.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
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
        let lock = RunLock::take(folder.path()).expect("nobody has it");
        let message = RunLock::take(folder.path()).expect_err("it is taken").to_string();
        assert!(message.contains("process"), "{message}");
        #[cfg(unix)]
        assert!(message.contains(&std::process::id().to_string()), "{message}");
        drop(lock);
        RunLock::take(folder.path()).expect("it was let go");
    }
}
