//! Checksums of files.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A publisher's checksum of a file, in lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The whole SHA-256.
    Sha256(&'static str),
    /// The first digits of the SHA-256, as in the file names of torchvision.
    Sha256Prefix(&'static str),
    /// None. The SHA-256 of the first download is kept beside the file, so that later damage is noticed.
    Unpublished,
}

impl Checksum {
    /// Whether a file with this SHA-256 agrees with the checksum.
    pub fn allows(self, sha256: &str) -> bool {
        match self {
            Self::Sha256(sum) => sha256 == sum,
            Self::Sha256Prefix(digits) => sha256.starts_with(digits),
            Self::Unpublished => true,
        }
    }

    /// The known digits, empty if there are none.
    pub fn digits(self) -> &'static str {
        match self {
            Self::Sha256(digits) | Self::Sha256Prefix(digits) => digits,
            Self::Unpublished => "",
        }
    }
}

/// The SHA-256 of a file in 64 hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            len => hasher.update(&buffer[..len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() -> io::Result<()> {
        // FIPS 180-2, appendix B.1.
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc")?;
        let sum = sha256(&path)?;
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(
            Checksum::Sha256Prefix("ba7816bf").allows(&sum)
                && !Checksum::Sha256Prefix("ba7816be").allows(&sum)
        );
        assert!(!Checksum::Sha256("ba7816bf").allows(&sum), "a whole sum is compared as a whole");
        Ok(())
    }
}
