//! Versions of dapple's model files.

/// The version of files whose weights are numbers, and of files of several models.
pub(super) const VERSION: u32 = 1;

/// The version of quantized models, whose weights are integers with scales. Programs that know version 1 only refuse them.
pub(super) const QUANTIZED: u32 = 2;
