//! The service's log: lines on standard error, if anyone reads it.

use std::fmt::Display;
use std::io::Write;

/// Writes a line. A standard error that is closed or full is no reason to stop (`eprintln!` would panic).
pub(crate) fn log(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
