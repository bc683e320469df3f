//! Reading regular files only: a pipe, a device or an endless file would let a program wait, or read, for ever.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file, or a link to one.
///
/// # Errors
/// Those of opening; [`ErrorKind::InvalidInput`] for pipes, sockets, devices and folders, which are never opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    check_regular(path)?;
    File::open(path)
}

/// Checks that a path leads to a regular file.
///
/// # Errors
/// As [`open_regular`].
pub fn check_regular(path: &Path) -> io::Result<()> {
    match kind(fs::metadata(path)?.file_type()) {
        None => Ok(()),
        Some(kind) => {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {kind}, not a regular file")))
        }
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open_regular`]; [`ErrorKind::FileTooLarge`] for a larger file, also one that grows while it is read.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    read_limited(file, limit, &mut bytes)?;
    Ok(bytes)
}

/// Reads everything from a source that has at most `limit` bytes.
///
/// # Errors
/// Those of reading; [`ErrorKind::FileTooLarge`].
pub fn read_limited(source: impl Read, limit: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let read = source.take(limit.saturating_add(1)).read_to_end(bytes)?;
    if read as u64 > limit { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it has more than the {} MiB allowed", limit >> 20))
}

/// The kind of something that is no regular file, with its article.
fn kind(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    if kind.is_dir() {
        return Some("a folder");
    }
    (!kind.is_file()).then_some("a special file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_limited_size_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, "four").expect("the folder is writable");
        assert_eq!(read_regular(&path, 4).expect("it is short enough"), b"four");
        let error = read_regular(&path, 3).expect_err("it is too large");
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let error = open_regular(folder.path()).expect_err("a folder");
        assert!(error.to_string().contains("a folder"), "{error}");
        let mut bytes = Vec::new();
        read_limited(io::repeat(7), 1000, &mut bytes).expect_err("it never ends");
        #[cfg(unix)]
        {
            let error = read_regular(Path::new("/dev/zero"), 1 << 20).expect_err("it never ends");
            assert!(error.to_string().contains("a device"), "{error}");
        }
    }
}
