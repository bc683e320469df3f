//! Checksums of files.

use md5::Md5;
use sha1::Sha1;
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

/// What the content of a file must agree with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proof<'a> {
    /// The checksum of the catalogue.
    Published(Checksum),
    /// The whole SHA-256, in lower-case hexadecimal digits.
    Sha256(&'a str),
    /// Git's name of the content: the SHA-1, in lower-case hexadecimal digits, of `blob LENGTH`, a zero byte and the content.
    GitSha1(&'a str),
}

impl Proof<'_> {
    /// Where a file with these digests disagrees, the expected digits and those of the file.
    pub fn disagreement(self, path: &Path, found: &Sums) -> io::Result<Option<[String; 2]>> {
        let (expected, found) = match self {
            Self::Published(checksum) if checksum.allows(found) => return Ok(None),
            Self::Published(checksum) => (checksum.digits(), checksum.of(found).to_owned()),
            Self::Sha256(sum) => (sum, found.sha256.clone()),
            Self::GitSha1(sum) => (sum, git_sha1(path)?),
        };
        let differs = matches!(self, Self::Published(_)) || expected != found;
        Ok(differs.then(|| [expected.to_owned(), found]))
    }
}

/// Git's name of a file's content.
fn git_sha1(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut sha1, mut buffer) = (Sha1::new(), vec![0; 1 << 18]);
    sha1.update(format!("blob {}\0", file.metadata()?.len()));
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&sha1.finalize())),
            len => sha1.update(&buffer[..len]),
        }
    }
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digests of a file.
pub(crate) fn sums(path: &Path) -> io::Result<Sums> {
    let mut file = File::open(path)?;
    let (mut sha256, mut md5, mut buffer) = (Sha256::new(), Md5::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => {
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
        // `printf abc | git hash-object --stdin`.
        assert_eq!(git_sha1(&path)?, "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
        assert_eq!(
            Proof::GitSha1("f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f").disagreement(&path, &sum)?,
            None
        );
        let [expected, found] = Proof::Sha256("ba78").disagreement(&path, &sum)?.expect("it is shorter");
        assert!(expected == "ba78" && found == sum.sha256);
        Ok(())
    }
}
