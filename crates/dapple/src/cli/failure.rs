//! The program's failures: one message on standard error and an exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::process;

use dapple_base::{InputFault, PanicPlace, panic_place};

/// Exit code for wrong input.
pub const INPUT: u8 = 2;
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

    /// The program's exit code.
    pub fn code(&self) -> u8 {
        if self.is_input_fault { INPUT } else { OTHER }
    }

    /// Writes the message to standard error and returns the exit code.
    pub fn report(&self) -> u8 {
        note!("error: {self}");
        self.code()
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

/// Ends the program with code 1 on a panic that nothing contains, and asks the user to report it as a bug.
pub fn explain_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if let Some(why) = message(info).and_then(lost_thread) {
            note!(
                "error: the system starts no more threads{why}; use fewer (--threads, data.threads), or raise the limits of \
                 processes and memory (ulimit -u, ulimit -v)"
            );
            process::exit(OTHER.into());
        }
        match panic_place(info) {
            // It becomes an error of the work that contains it.
            PanicPlace::Contained => return,
            PanicPlace::BesideContained => return usual(info),
            PanicPlace::Open => usual(info),
        }
        note!("error: this is a bug in dapple, not in your input; please report the lines above");
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

/// The operating system's reason in the panic of a thread that could not be started, which shows its number among the fields
/// of an error as programmers see them: `Os { code: 11, kind: WouldBlock, … }`.
fn lost_thread(panic: &str) -> Option<String> {
    let fields = panic.strip_prefix("failed to spawn thread: ")?;
    let code = fields.split_once("code: ").and_then(|(_, rest)| rest.split([',', ' ']).next()?.parse().ok());
    Some(code.map(|code| format!(": {}", io::Error::from_raw_os_error(code))).unwrap_or_default())
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
    fn a_lost_thread_is_told_in_the_words_of_the_system() {
        let refused = io::Error::from_raw_os_error(11);
        let told = lost_thread(&format!("failed to spawn thread: {refused:?}")).expect("a lost thread");
        assert_eq!(told, format!(": {refused}"));
        assert!(!told.contains("kind"), "{told}");
        let other = io::Error::other("no name");
        assert_eq!(lost_thread(&format!("failed to spawn thread: {other:?}")).as_deref(), Some(""));
        assert_eq!(lost_thread("index out of bounds"), None);
    }

    #[test]
    fn sources_are_reported_where_they_add_to_the_message() {
        let quoted = Failure::input(Outer("a.png: no such file", Inner("no such file")));
        assert_eq!(quoted.to_string(), "a.png: no such file");
        let apart = Failure::other(Outer("a.png cannot be read", Inner("no such file")));
        assert_eq!(apart.to_string(), "a.png cannot be read\ncaused by: no such file");
    }
}
