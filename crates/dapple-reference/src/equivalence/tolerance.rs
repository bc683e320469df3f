//! The limit of differences.

/// Largest difference of an engine's single precision from the definition, as a share of the largest value.
pub const TOLERANCE: f64 = 1e-4;
