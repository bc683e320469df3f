//! Version of dapple's model files.

/// The version that this program writes and reads.
pub(super) const VERSION: u32 = 1;
