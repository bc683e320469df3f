//! What is known of the machine.

use std::thread;

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineFacts {
    /// Threads that the engine may use.
    pub threads: usize,
    /// Memory in bytes that can be had; 4 GiB are assumed where the system does not tell.
    pub memory: u64,
    /// Multiply-adds a second of one thread in training.
    pub speed: f64,
}

impl MachineFacts {
    /// This machine, with as many threads of the engine as were asked for.
    pub fn here(threads: Option<usize>) -> Self {
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        let memory = available_bytes().unwrap_or(4 << 30);
        Self { threads: threads.unwrap_or(cores), memory, speed: speed() }
    }
}

/// What a thread of a common processor with these instructions does, in multiply-adds of the plain definition: a little less
/// than the CPU engine was measured to reach on an EPYC with AVX-512 (U-Net of width 16 to 64: 0.9e11 to 1.4e11). A guess is
/// enough: the length of a training is measured where the time matters (`time_budget`).
fn speed() -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return 8e10;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return 4e10;
        }
    }
    1e10
}

/// What Linux says can be had without swapping.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}
