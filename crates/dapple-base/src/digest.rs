//! Fingerprints of files, models and settings, to tell whether they are the same as before.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Bytes of a fingerprint that are written: enough that two things never have the same one by chance.
const BYTES: usize = 16;

/// Bytes of a file that are read at a time.
const BLOCK: usize = 1 << 16;

/// The fingerprint of several parts in order (SHA-256, shortened).
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Of no part yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part. Its length counts, so that parts do not run into each other.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds numbers as one part.
    pub fn floats(&mut self, values: &[f32]) -> &mut Self {
        self.0.update((values.len() as u64).to_le_bytes());
        for block in values.chunks(BLOCK) {
            let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.0.update(&bytes);
        }
        self
    }

    /// The fingerprint as hexadecimal digits.
    pub fn text(&self) -> String {
        hexadecimal(self.0.clone())
    }

    /// The fingerprint of a file's content, read in blocks.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of_file(path: &Path) -> io::Result<String> {
        Self::of_reader(File::open(path)?)
    }

    /// The fingerprint of everything that is left to read.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn of_reader(mut source: impl Read) -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut block = vec![0; BLOCK];
        loop {
            match source.read(&mut block) {
                Ok(0) => return Ok(hexadecimal(hash)),
                Ok(read) => hash.update(&block[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize()[..BYTES].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_contents_and_parts_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").expect("the folder is writable");
        // SHA-256 of "abc", from FIPS 180-4.
        assert_eq!(Digest::of_file(&path).expect("it is there"), "ba7816bf8f01cfea414140de5dae2223");
        let of = |parts: &[&str]| {
            let mut digest = Digest::new();
            for part in parts {
                digest.part(part.as_bytes());
            }
            digest.text()
        };
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
    }
}
