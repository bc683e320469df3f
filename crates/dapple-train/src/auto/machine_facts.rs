//! What is known of the machine.

use std::thread;

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineFacts {
    /// Threads that the engine may use.
    pub threads: usize,
    /// Memory in bytes that can be had; 4 GiB are assumed where the system does not tell.
    pub memory: u64,
}

impl MachineFacts {
    /// This machine, with as many threads of the engine as were asked for.
    pub fn here(threads: Option<usize>) -> Self {
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        Self { threads: threads.unwrap_or(cores), memory: available_bytes().unwrap_or(4 << 30) }
    }
}

/// What Linux says can be had without swapping.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}
