//! The gradient of attention. Weights are computed again block by block from queries and keys.
//!
//! With the weights `p` of a query, the gradient `g` of its result and `t = v g`: the score's gradient is
//! `p (t - sum p t)`; queries and keys get it times each other (and `1 / sqrt(d)`), values get `p g`. The sums over
//! queries are split into parts that depend on shapes alone and added in their order.

use super::attention::{Attention, Left, Right, softmax, times};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::{Operand, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, padded, simd_fn};

/// A planned gradient of attention.
#[derive(Clone, Debug)]
pub(crate) struct AttentionGradient {
    pub forward: Attention,
    /// Of the result.
    pub gradient: Operand,
    /// Where the gradients of queries, keys and values go, if they are wanted. They may be one place, all but the
    /// first to write it adding.
    pub to: [Option<Target>; 3],
}

/// Tasks that the work is split into at least, where there are as many blocks.
const TASKS: usize = 16;

impl Kernel for AttentionGradient {
    fn name(&self) -> &'static str {
        "attention gradient"
    }

    /// Four products; the scores are computed again besides.
    fn multiplied(&self) -> u64 {
        2
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, shared, local, .. } = *memory;
        let f = &self.forward;
        let [turned, _] = f.packed();
        parallel::for_each(f.all_heads(), |index| {
            let (head, place) = (f.head(index), shared.at(index * self.packed(), self.packed()));
            // SAFETY: each task writes its own head's part.
            unsafe {
                f.pack_turned(arena, &f.k, head, place);
                f.pack_turned(arena, &f.v, head, place.add(turned));
                let rows = place.add(2 * turned);
                f.pack_rows(arena, &f.k, head, 0, f.keys(), padded(f.keys()), rows);
            }
        });
        let parts = self.parts();
        let sums_start = f.all_heads() * self.packed();
        parallel::for_each(f.all_heads() * parts, |task| {
            let (index, part) = (task / parts, task % parts);
            let packed = shared.at(index * self.packed(), self.packed());
            let sums = shared.at(sums_start + task * 2 * self.sums(), 2 * self.sums());
            let scratch = local.at(parallel::thread() * self.thread_scratch(), self.thread_scratch());
            for (i, block) in parallel::run(f.blocks(), parts, part).enumerate() {
                // SAFETY: the scratch is this thread's, the sums this task's; blocks have queries of their own.
                unsafe { self.block(level, arena, index, block, packed, sums, i > 0, scratch) };
            }
        });
        // Keys before values: they may go to one place.
        for (which, to) in self.to[1..].iter().enumerate() {
            let Some(to) = to else { continue };
            parallel::for_each(f.all_heads(), |index| {
                let len = self.sums();
                let first = shared.at(sums_start + index * parts * 2 * len, parts * 2 * len);
                // SAFETY: each task adds up its own head's sums and writes that head's channels.
                unsafe {
                    for part in 1..parts {
                        add(level, first.add(which * len), first.add((2 * part + which) * len), len);
                    }
                    f.store(arena, to, f.head(index), 0, f.keys(), first.add(which * len));
                }
            });
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
    }

    fn visit(&mut self, f: Visit) {
        self.forward.visit(f);
        self.gradient.visit(f);
        self.to.iter_mut().flatten().for_each(|to| to.visit(f));
    }

    fn targets(&self) -> Vec<&Target> {
        self.to.iter().flatten().collect()
    }
}

impl AttentionGradient {
    /// Parts of the queries of a head.
    fn parts(&self) -> usize {
        TASKS.div_ceil(self.forward.all_heads()).min(self.forward.blocks())
    }

    /// Values of a head's packed maps: keys and values transposed, keys as rows.
    fn packed(&self) -> usize {
        let [turned, rows] = self.forward.packed();
        2 * turned + rows
    }

    /// Values of a part's sums for keys (or for values).
    fn sums(&self) -> usize {
        self.forward.packed()[1]
    }

    /// Values of shared scratch memory.
    fn shared_scratch(&self) -> usize {
        self.forward.all_heads() * (self.packed() + self.parts() * 2 * self.sums())
    }

    /// Values of scratch memory for each thread: weights and their gradients; queries, gradients and results as rows;
    /// a value for each row.
    fn thread_scratch(&self) -> usize {
        let f = &self.forward;
        f.block() * (2 * f.pitch() + 3 * padded(f.width()) + 1)
    }

    /// One block of queries of a head. `accumulate`: the sums of keys and values hold something.
    ///
    /// # Safety
    /// The memories must be of the head, the part and the thread.
    #[allow(clippy::too_many_arguments)]
    unsafe fn block(
        &self,
        level: Level,
        arena: Base,
        index: usize,
        block: usize,
        packed: *const f32,
        sums: *mut f32,
        accumulate: bool,
        scratch: *mut f32,
    ) {
        let f = &self.forward;
        let (head, size) = (f.head(index), f.block());
        let (first, keys, width) = (block * size, padded(f.keys()), padded(f.width()));
        let pitch = f.pitch();
        let rows = size.min(f.queries() - first);
        let [turned, _] = f.packed();
        // SAFETY: the scratch has room for all of them; the rest is the caller's promise.
        unsafe {
            let weights = scratch;
            let slopes = weights.add(size * pitch);
            let q = slopes.add(size * pitch);
            let g = q.add(size * width);
            let result = g.add(size * width);
            let inverses = result.add(size * width);
            f.pack_rows(arena, &f.q, head, first, rows, rows, q);
            f.pack_rows(arena, &self.gradient, head, first, rows, rows, g);
            f.scores(level, q, width, packed, rows, weights);
            softmax(level, weights, rows, f.keys(), pitch, f.scale(), inverses);
            f.scores(level, g, width, packed.add(turned), rows, slopes);
            score_slopes(level, weights, slopes, rows, keys, pitch, f.scale(), inverses);
            if self.to[2].is_some() {
                let right = Right { at: g, row: width, columns: width };
                let of_values = sums.add(self.sums());
                times(level, Left::turned(weights, pitch), right, of_values, width, keys, rows, accumulate);
            }
            if self.to[1].is_some() {
                let right = Right { at: q, row: width, columns: width };
                times(level, Left::turned(slopes, pitch), right, sums, width, keys, rows, accumulate);
            }
            if let Some(to) = &self.to[0] {
                let right = Right { at: packed.add(2 * turned), row: width, columns: width };
                times(level, Left::rows(slopes, pitch), right, result, width, rows, f.keys(), false);
                f.store(arena, to, head, first, rows, result);
            }
        }
    }
}

simd_fn! {
    /// Rows of powers become weights; rows of `t` become `scale p (t - sum p t)`.
    ///
    /// # Safety
    /// All addresses must be valid for the rows.
    score_slopes = score_slopes_impl(
        weights: *mut f32,
        slopes: *mut f32,
        rows: usize,
        keys: usize,
        pitch: usize,
        scale: f32,
        inverses: *const f32,
    )
}

#[inline(always)]
unsafe fn score_slopes_impl<S: Simd>(
    weights: *mut f32,
    slopes: *mut f32,
    rows: usize,
    keys: usize,
    pitch: usize,
    scale: f32,
    inverses: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..rows {
            let (weights, slopes) = (weights.add(r * pitch), slopes.add(r * pitch));
            let inverse = S::splat(*inverses.add(r));
            let mut sum = S::splat(0.0);
            for i in (0..keys).step_by(LANES) {
                let p = S::mul(S::load(weights.add(i)), inverse);
                S::store(weights.add(i), p);
                sum = S::fma(p, S::load(slopes.add(i)), sum);
            }
            let mut lanes = [0.0f32; LANES];
            S::store(lanes.as_mut_ptr(), sum);
            let (mean, scale) = (S::splat(lanes.iter().sum()), S::splat(scale));
            for i in (0..keys).step_by(LANES) {
                let t = S::sub(S::load(slopes.add(i)), mean);
                S::store(slopes.add(i), S::mul(S::mul(S::load(weights.add(i)), scale), t));
            }
        }
    }
}

simd_fn! {
    /// Adds `len` values, whole vectors.
    ///
    /// # Safety
    /// Both addresses must be valid for them.
    add = add_impl(to: *mut f32, from: *const f32, len: usize)
}

#[inline(always)]
unsafe fn add_impl<S: Simd>(to: *mut f32, from: *const f32, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..len).step_by(LANES) {
            S::store(to.add(i), S::add(S::load(to.add(i)), S::load(from.add(i))));
        }
    }
}
