//! What is known of the machine.

use std::thread;

use dapple_base::machine;

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
        let memory = machine::available_memory().unwrap_or(4 << 30);
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
