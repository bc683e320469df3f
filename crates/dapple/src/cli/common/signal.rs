//! Ctrl-C.

use std::process;
use std::time::{Duration, Instant};

use dapple_base::StopFlag;

use crate::cli::failure::Failure;

/// Some supervisors send a signal to a process and to its group, so that it arrives twice.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Exit code after a second Ctrl-C, that of shells for SIGINT.
const INTERRUPTED: i32 = 130;

/// The first Ctrl-C (or request to terminate) raises the flag and prints the message; a second one ends the process.
pub fn stop_on_signal(stop: StopFlag, message: &'static str) -> Result<(), Failure> {
    listen(stop, Some(message))
}

/// As [`stop_on_signal`], for a process beside another one that prints.
pub fn stop_in_silence(stop: StopFlag) -> Result<(), Failure> {
    listen(stop, None)
}

fn listen(stop: StopFlag, message: Option<&'static str>) -> Result<(), Failure> {
    let mut first: Option<Instant> = None;
    let handler = move || match first {
        Some(first) if first.elapsed() > SAME_SIGNAL => process::exit(INTERRUPTED),
        Some(_) => {}
        None => {
            first = Some(Instant::now());
            stop.raise();
            if let Some(message) = message {
                note!("\n{message}");
            }
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::other(format!("cannot listen for Ctrl-C: {error}")))
}
