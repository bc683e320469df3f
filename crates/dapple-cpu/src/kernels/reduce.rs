//! Sums of partial results, always in the same order.

use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};

/// Values that a task adds up.
const CHUNK: usize = 16 << 10;

/// `to[i] (+)= sum over parts of from[part * stride + i]` for `i < len`, a multiple of 16.
#[allow(clippy::too_many_arguments)]
pub(crate) fn sum_parts_strided(
    level: Level,
    from: Base,
    from_offset: usize,
    stride: usize,
    parts: usize,
    len: usize,
    to: Base,
    to_offset: usize,
    accumulate: bool,
) {
    debug_assert!(len.is_multiple_of(LANES));
    parallel::for_each(len.div_ceil(CHUNK), |task| {
        let start = task * CHUNK;
        let count = CHUNK.min(len - start);
        let source = from.at(from_offset + start, (parts - 1) * stride + count);
        let target = to.at(to_offset + start, count);
        // SAFETY: both ranges were checked; tasks write disjoint runs.
        unsafe { sum(level, source, stride, parts, target, count, accumulate) };
    });
}

/// As [`sum_parts_strided`] with parts one behind the other.
#[allow(clippy::too_many_arguments)]
pub(crate) fn sum_parts(
    level: Level,
    from: Base,
    from_offset: usize,
    parts: usize,
    len: usize,
    to: Base,
    to_offset: usize,
    accumulate: bool,
) {
    sum_parts_strided(level, from, from_offset, len, parts, len, to, to_offset, accumulate);
}

simd_fn! {
    /// # Safety
    /// `from` must be valid for all parts, `to` for writing `count` values.
    sum = sum_impl(from: *const f32, stride: usize, parts: usize, to: *mut f32, count: usize, accumulate: bool)
}

#[inline(always)]
unsafe fn sum_impl<S: Simd>(
    from: *const f32,
    stride: usize,
    parts: usize,
    to: *mut f32,
    count: usize,
    accumulate: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..count).step_by(LANES) {
            let mut v = S::load(from.add(i));
            for part in 1..parts {
                v = S::add(v, S::load(from.add(part * stride + i)));
            }
            if accumulate {
                v = S::add(v, S::load(to.add(i)));
            }
            S::store(to.add(i), v);
        }
    }
}
