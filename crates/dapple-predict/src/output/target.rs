//! The destination of an output's bytes.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dapple_base::AtomicFile;

use crate::error::PredictError;

/// A file that appears when it is complete, or memory. Clones share the target: the output writes to one clone, and the
/// caller commits another when the output has finished.
#[derive(Clone, Debug)]
pub struct Target(Arc<Mutex<Sink>>);

#[derive(Debug)]
enum Sink {
    File(AtomicFile),
    Memory(Vec<u8>),
}

impl Target {
    /// A file; the folder must exist.
    ///
    /// # Errors
    /// [`PredictError::File`] if it cannot be created.
    pub fn file(path: &Path) -> Result<Self, PredictError> {
        Ok(Self(Arc::new(Mutex::new(Sink::File(AtomicFile::create(path)?)))))
    }

    /// Memory.
    pub fn memory() -> Self {
        Self(Arc::new(Mutex::new(Sink::Memory(Vec::new()))))
    }

    /// Takes the bytes that are in memory so far; of a file, none.
    pub fn take(&self) -> Vec<u8> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(_) => Vec::new(),
            Sink::Memory(bytes) => std::mem::take(bytes),
        }
    }

    /// The fingerprint of a file's content, before it gets its name; none of memory.
    ///
    /// # Errors
    /// [`PredictError::File`] if the file cannot be flushed.
    pub fn fingerprint(&self) -> Result<Option<String>, PredictError> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(file) => Ok(Some(file.fingerprint()?)),
            Sink::Memory(_) => Ok(None),
        }
    }

    /// Gives the file its name; returns the bytes of memory.
    ///
    /// # Errors
    /// [`PredictError::File`] if the file cannot be completed.
    pub fn commit(self) -> Result<Vec<u8>, PredictError> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *sink, Sink::Memory(Vec::new())) {
            Sink::File(file) => file.commit().map(|()| Vec::new()).map_err(Into::into),
            Sink::Memory(bytes) => Ok(bytes),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(file) => file.write(bytes).map_err(|error| of_file(file, &error)),
            Sink::Memory(memory) => memory.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(file) => file.flush().map_err(|error| of_file(file, &error)),
            Sink::Memory(_) => Ok(()),
        }
    }
}

/// An error of writing with the name of the file.
fn of_file(file: &AtomicFile, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.path().display()))
}
