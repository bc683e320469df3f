//! The group of one.

use super::group::{Ranks, RanksError};

/// One process by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        Ok(vec![bytes.to_vec()])
    }

    fn exchange(&self, parts: &[&[u8]], _: &[usize]) -> Result<Vec<Vec<u8>>, RanksError> {
        Ok(parts.iter().map(|part| part.to_vec()).collect())
    }

    /// Nothing: the error itself ends the one process.
    fn end(&self, _: &str, _: u8) {}
}
