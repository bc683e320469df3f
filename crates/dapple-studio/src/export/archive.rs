//! A ZIP archive in memory. Nothing is compressed: pictures are already.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::error::{Result, StudioError};

/// An archive that is being written.
pub(super) struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    pub fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// Adds a file.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let failed =
            |reason: String| StudioError::refused(format!("{name} cannot be put into the archive: {reason}"));
        self.0.start_file(name, stored).map_err(|error| failed(error.to_string()))?;
        self.0.write_all(content).map_err(|error| failed(error.to_string()))
    }

    /// The bytes of the archive.
    pub fn finish(self) -> Result<Vec<u8>> {
        let ended = self.0.finish();
        let cursor =
            ended.map_err(|error| StudioError::refused(format!("the archive cannot be written: {error}")))?;
        Ok(cursor.into_inner())
    }
}
