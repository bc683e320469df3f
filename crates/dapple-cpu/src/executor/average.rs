//! The moving average of parameters and running statistics.

use super::CpuExecutor;
use crate::memory::Buffer;
use rayon::prelude::*;

/// Values of a task.
const CHUNK: usize = 64 << 10;

impl CpuExecutor {
    /// `average = decay average + (1 - decay) values`; the first time, the values.
    pub(super) fn move_average(&mut self, decay: f32) {
        let first = self.average.is_none();
        let average = self.average.get_or_insert_with(|| {
            [Buffer::zeroed(self.params.len()), Buffer::zeroed(self.statistics.len())]
        });
        let share = if first { 1.0 } else { 1.0 - decay };
        let [params, statistics] = average;
        self.pool.install(|| {
            approach(params, &self.params, share);
            approach(statistics, &self.statistics, share);
        });
    }
}

/// Moves `from` towards `to` by a share of the way.
fn approach(from: &mut Buffer, to: &Buffer, share: f32) {
    let pairs = from.as_mut_slice().par_chunks_mut(CHUNK).zip(to.as_slice().par_chunks(CHUNK));
    pairs.for_each(|(from, to)| from.iter_mut().zip(to).for_each(|(a, v)| *a += share * (v - *a)));
}
