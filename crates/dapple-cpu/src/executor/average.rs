//! The moving average (EMA) of parameters and running statistics.

use super::trainer::CpuTrainer;
use crate::memory::Buffer;
use rayon::prelude::*;

/// Values of a task.
const CHUNK: usize = 64 << 10;

impl CpuTrainer {
    /// `average = decay average + (1 - decay) values`; the first time, the values.
    pub(super) fn move_average(&mut self, decay: f32) {
        let now = &self.executor;
        let first = self.average.is_none();
        let [params, statistics] = self
            .average
            .get_or_insert_with(|| [Buffer::zeroed(now.params.len()), Buffer::zeroed(now.statistics.len())]);
        let share = if first { 1.0 } else { 1.0 - decay };
        now.resources.pool.install(|| {
            approach(params, &now.params, share);
            approach(statistics, &now.statistics, share);
        });
        self.count_kept_values();
    }
}

/// Moves `from` towards `to` by a share of the way.
fn approach(from: &mut Buffer, to: &Buffer, share: f32) {
    let pairs = from.as_mut_slice().par_chunks_mut(CHUNK).zip(to.as_slice().par_chunks(CHUNK));
    pairs.for_each(|(from, to)| from.iter_mut().zip(to).for_each(|(a, v)| *a += share * (v - *a)));
}
