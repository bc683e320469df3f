//! The program's failures: one message on standard error and an exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::process::{self, ExitCode};

use dapple_base::{InputFault, PanicPlace, panic_place};

/// Exit code for wrong input.
const INPUT: u8 = 2;
/// Exit code for any other failure.
const OTHER: u8 = 1;

/// The reason why a command did not do its work.
#[derive(Debug)]
pub struct Failure {
    is_input_fault: bool,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// Wrong input, with a message or the error that found it.
    pub fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_input_fault: true, error: error.into() }
    }

    /// Any other failure.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { is_input_fault: false, error: error.into() }
    }

    /// Whether the user's input is at fault.
    pub fn is_input_fault(&self) -> bool {
        self.is_input_fault
    }

    /// Writes the message to standard error and returns the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(if self.is_input_fault { INPUT } else { OTHER })
    }
}

impl fmt::Display for Failure {
    /// The error's message, and a line for each of its sources that adds to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.error.to_string();
        f.write_str(&said)?;
        let mut source = self.error.source();
        while let Some(error) = source {
            let message = error.to_string();
            // Many messages quote their source already.
            if !said.contains(&message) {
                write!(f, "\ncaused by: {message}")?;
                said += &message;
            }
            source = error.source();
        }
        Ok(())
    }
}

impl<E: InputFault + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { is_input_fault: error.is_input_fault(), error: Box::new(error) }
    }
}

/// Ends the program with code 1 on a panic, and asks the user to report it as a bug.
pub fn explain_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        // `println!` panics if it cannot write, which is not a bug.
        if let Some(why) = message(info).and_then(lost_output) {
            // A reader that closed the pipe, such as `head`, has seen enough.
            if is_closed_pipe(why) {
                process::exit(0);
            }
            eprintln!("error: standard output cannot be written: {why}");
            process::exit(OTHER.into());
        }
        usual(info);
        eprintln!("error: this is a bug in dapple, not in your input; please report the lines above");
        process::exit(OTHER.into());
    }));
}

/// From now on, a panic ends nothing but the request that met it: for a service, in place of [`explain_panics`].
pub fn survive_panics() {
    drop(panic::take_hook());
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        // A contained one is told by the work that contains it.
        if panic_place(info) != PanicPlace::Contained {
            usual(info);
            let said = "error: this is a bug in dapple; please report the lines above. The service goes on";
            let _ = writeln!(io::stderr(), "{said}");
        }
    }));
}

/// The message of a panic, if it has one.
fn message<'a>(info: &'a PanicHookInfo<'_>) -> Option<&'a str> {
    let payload = info.payload();
    payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied())
}

/// The operating system's message in the panic of a failed `println!`.
fn lost_output(panic: &str) -> Option<&str> {
    panic.strip_prefix("failed printing to stdout: ")
}

/// Whether the operating system says that nobody reads a pipe any more: EPIPE, or on Windows `ERROR_BROKEN_PIPE` and
/// `ERROR_NO_DATA`.
fn is_closed_pipe(message: &str) -> bool {
    let codes: &[&str] = if cfg!(windows) { &["109", "232"] } else { &["32"] };
    codes.iter().any(|code| message.ends_with(&format!("(os error {code})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, Inner);

    #[derive(Debug)]
    struct Inner(&'static str);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl fmt::Display for Inner {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    impl Error for Inner {}

    #[test]
    fn sources_are_reported_where_they_add_to_the_message() {
        let quoted = Failure::input(Outer("a.png: no such file", Inner("no such file")));
        assert_eq!(quoted.to_string(), "a.png: no such file");
        let apart = Failure::other(Outer("a.png cannot be read", Inner("no such file")));
        assert_eq!(apart.to_string(), "a.png cannot be read\ncaused by: no such file");
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        let message = |code| format!("failed printing to stdout: some words (os error {code})");
        let closed = |code| lost_output(&message(code)).is_some_and(is_closed_pipe);
        assert!(closed(if cfg!(windows) { 232 } else { 32 }));
        assert!(!closed(28));
        assert_eq!(lost_output("index out of bounds"), None);
    }
}
