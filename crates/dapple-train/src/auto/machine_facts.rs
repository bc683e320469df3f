//! Facts about the machine.

use std::thread;

use dapple_base::machine;

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineFacts {
    /// Threads that the engine may use.
    pub threads: usize,
    /// Available memory in bytes; 4 GiB where the system does not report it.
    pub memory: u64,
    /// Multiply-adds a second of one thread in training.
    pub speed: f64,
}

impl MachineFacts {
    /// This machine, with that number of threads, or all cores.
    pub fn here(threads: Option<usize>) -> Self {
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        let memory = machine::available_memory().unwrap_or(4 << 30);
        Self { threads: threads.unwrap_or(cores), memory, speed: speed() }
    }
}

/// Multiply-adds a second (by the plain definition) of a thread of a common processor with these instructions: a little less
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
