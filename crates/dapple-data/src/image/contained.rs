//! Decoders of others, whose panics cost the file and no more.

use std::path::Path;

use dapple_base::contain;

use crate::error::{DataError, Result};

/// Runs a decoder on a file; a panic in it is an error of that file.
pub(crate) fn contained<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    contain(decode).unwrap_or_else(|panicked| {
        let reason = format!("its decoder failed, which is a fault of the decoder: {panicked}");
        Err(DataError::Decode { path: path.to_owned(), reason })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_an_error_of_the_file() {
        let path = Path::new("a.tif");
        assert_eq!(contained(path, || Ok(3)).expect("no panic"), 3);
        let message =
            contained(path, || -> Result<u8> { panic!("slice index") }).expect_err("a panic").to_string();
        assert!(message.contains("a.tif") && message.contains("slice index"), "{message}");
    }
}
