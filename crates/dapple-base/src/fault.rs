//! Whose fault an error is.

/// An error that knows whether the user's input caused it.
///
/// The binary turns the answer into its exit code: 2 for input that the user can mend (data, settings, flags, files given), 1
/// for everything else (a full disk, a lost device, a bug).
pub trait InputFault: std::error::Error {
    /// Whether the user's input is at fault.
    fn is_input_fault(&self) -> bool;
}
