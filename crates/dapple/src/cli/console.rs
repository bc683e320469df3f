//! Standard output and standard error as the commands write them. A lost one never ends the work, and names that other
//! people chose cannot act on a terminal.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dapple_base::plain;

/// Exit code of a command that succeeded.
const SUCCESS: u8 = 0;
/// Exit code where standard output is lost and matters.
const LOST: u8 = 1;

/// The role of standard output for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// All there is: a list that a reader such as `head` may stop reading.
    Listing,
    /// The result.
    Result,
    /// News of work whose results are files or answers; it goes on without.
    News,
}

struct Output {
    purpose: Purpose,
    /// The first failure; nothing is written after it.
    lost: Option<io::Error>,
}

static OUTPUT: Mutex<Output> = Mutex::new(Output { purpose: Purpose::Listing, lost: None });

fn output() -> MutexGuard<'static, Output> {
    OUTPUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what standard output is to the command that begins.
pub fn begin(purpose: Purpose) {
    output().purpose = purpose;
}

/// Writes text to standard output, without control characters.
pub fn write(text: fmt::Arguments<'_>) {
    write_raw(plain(&text.to_string()).as_bytes());
}

/// Writes bytes to standard output as they are.
pub fn write_raw(bytes: &[u8]) {
    let mut output = output();
    if output.lost.is_none() {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        keep_loss(&mut output, written);
    }
}

fn keep_loss(output: &mut Output, written: io::Result<()>) {
    let Err(error) = written else { return };
    match output.purpose {
        // A reader that closed the pipe, such as `head`, has seen enough.
        Purpose::Listing if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        Purpose::News => {
            write_error(format_args!("warning: standard output is lost: {error}; the work goes on\n"));
        }
        Purpose::Listing | Purpose::Result => {}
    }
    output.lost = Some(error);
}

/// Writes text to standard error, without control characters; nothing can be done where it is lost too.
pub fn write_error(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(plain(&text.to_string()).as_bytes());
}

/// As [`finish`], after something else has written to standard output.
pub fn finish_with(written: io::Result<()>) -> u8 {
    keep_loss(&mut output(), written);
    finish()
}

/// The exit code of a command that succeeded: that of a failure if its output was lost and somebody still waits for it.
pub fn finish() -> u8 {
    let output = output();
    match &output.lost {
        None => SUCCESS,
        Some(error) if output.purpose == Purpose::News && error.kind() == ErrorKind::BrokenPipe => SUCCESS,
        Some(error) => {
            write_error(format_args!("error: standard output cannot be written: {error}\n"));
            LOST
        }
    }
}

/// Prints a line to standard output.
macro_rules! say {
    () => { $crate::cli::console::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::cli::console::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints text to standard output as it is, without a line feed.
macro_rules! say_text {
    ($($text:tt)*) => { $crate::cli::console::write(format_args!($($text)*)) };
}

/// Prints a line to standard error.
macro_rules! note {
    ($($text:tt)*) => { $crate::cli::console::write_error(format_args!("{}\n", format_args!($($text)*))) };
}
