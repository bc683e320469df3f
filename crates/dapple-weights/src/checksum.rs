//! Checksums of files.

use md5::Md5;
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
    /// The whole MD5, of publishers who give no other. It notices damage, and is no proof against forgery.
    Md5(&'static str),
    /// None. The SHA-256 of the first download is kept beside the file, so that later damage is noticed.
    Unpublished,
}

/// The digests of a file, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// SHA-256, 64 digits.
    pub sha256: String,
    /// MD5, 32 digits.
    pub md5: String,
}

impl Checksum {
    /// Whether a file with these digests agrees with the checksum.
    pub fn allows(self, sums: &Sums) -> bool {
        match self {
            Self::Sha256(sum) => sums.sha256 == sum,
            Self::Sha256Prefix(digits) => sums.sha256.starts_with(digits),
            Self::Md5(sum) => sums.md5 == sum,
            Self::Unpublished => true,
        }
    }

    /// The digest of a file that the checksum is compared with.
    pub fn of(self, sums: &Sums) -> &str {
        match self {
            Self::Md5(_) => &sums.md5,
            Self::Sha256(_) | Self::Sha256Prefix(_) | Self::Unpublished => &sums.sha256,
        }
    }

    /// The known digits, empty if there are none.
    pub fn digits(self) -> &'static str {
        match self {
            Self::Sha256(digits) | Self::Sha256Prefix(digits) | Self::Md5(digits) => digits,
            Self::Unpublished => "",
        }
    }
}

/// The digests of a file.
pub(crate) fn sums(path: &Path) -> io::Result<Sums> {
    let mut file = File::open(path)?;
    let (mut sha256, mut md5, mut buffer) = (Sha256::new(), Md5::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => {
                let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                return Ok(Sums { sha256: hex(&sha256.finalize()), md5: hex(&md5.finalize()) });
            }
            len => {
                sha256.update(&buffer[..len]);
                md5.update(&buffer[..len]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() -> io::Result<()> {
        // FIPS 180-2, appendix B.1; RFC 1321, appendix A.5.
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc")?;
        let sum = sums(&path)?;
        assert_eq!(sum.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sum.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert!(Checksum::Md5("900150983cd24fb0d6963f7d28e17f72").allows(&sum));
        assert!(
            Checksum::Sha256Prefix("ba7816bf").allows(&sum)
                && !Checksum::Sha256Prefix("ba7816be").allows(&sum)
        );
        assert!(!Checksum::Sha256("ba7816bf").allows(&sum), "a whole sum is compared as a whole");
        Ok(())
    }
}
