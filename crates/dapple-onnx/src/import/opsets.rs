//! The versions of ONNX's operators that are read.

/// Operator sets that are read.
pub const READ_OPSETS: std::ops::RangeInclusive<i64> = 9..=22;
