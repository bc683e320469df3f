//! The optimizers over the flat buffers, in one pass.

use crate::memory::{Base, Buffer};
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::{Decay, Optimizer};

/// A run of parameters with one weight decay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub start: usize,
    pub len: usize,
    /// Whether these are weights, which [`Decay::Weights`] decays.
    pub weights: bool,
    /// Factor of the learning rate.
    pub rate: f32,
    /// Index of the parameter.
    pub param: usize,
}

/// Smoothing of the parameters that Muon leaves to AdamW.
const MUON_BETAS: (f32, f32) = (0.9, 0.95);

/// Values that a task updates.
const CHUNK: usize = 32 << 10;

/// The segments cut into tasks.
pub(crate) fn tasks(segments: &[Segment]) -> Vec<Segment> {
    let mut tasks = Vec::new();
    for s in segments {
        for start in (0..s.len).step_by(CHUNK) {
            tasks.push(Segment { start: s.start + start, len: CHUNK.min(s.len - start), ..*s });
        }
    }
    tasks
}

/// The Euclidean norm of a buffer.
pub(crate) fn norm(level: Level, buffer: &mut Buffer) -> f64 {
    let len = buffer.len() / LANES * LANES;
    let parts = len.div_ceil(CHUNK);
    let mut sums = Buffer::zeroed(parts);
    let (values, out) = (buffer.base(), sums.base());
    parallel::for_each(parts, |part| {
        let start = part * CHUNK;
        let count = CHUNK.min(len - start);
        // SAFETY: both ranges are checked by `at`; each task writes its own sum.
        unsafe { square_sum(level, values.at(start, count), count, out.at(part, 1)) };
    });
    sums.as_slice().iter().map(|&v| f64::from(v)).sum::<f64>().sqrt()
}

simd_fn! {
    /// # Safety
    /// `values` must be valid for `count` values, a multiple of 16.
    square_sum = square_sum_impl(values: *const f32, count: usize, out: *mut f32)
}

#[inline(always)]
unsafe fn square_sum_impl<S: Simd>(values: *const f32, count: usize, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut total = 0.0f64;
        for start in (0..count).step_by(64 * LANES) {
            let mut sum = S::splat(0.0);
            for i in (start..count.min(start + 64 * LANES)).step_by(LANES) {
                let v = S::load(values.add(i));
                sum = S::fma(v, v, sum);
            }
            let mut lanes = [0.0f32; LANES];
            S::store(lanes.as_mut_ptr(), sum);
            total += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        *out = total as f32;
    }
}

/// A step's factors, ready for the kernel.
#[derive(Clone, Copy, Debug)]
struct Step {
    optimizer: Optimizer,
    rate: f32,
    /// Factor of the gradient (clipping).
    scale: f32,
    /// Adam's bias corrections: `1 / (1 - beta1^t)` and `1 / sqrt(1 - beta2^t)`.
    mean_correction: f32,
    root_correction: f32,
}

/// One step; `steps` have been taken before. `scale` multiplies the gradient.
#[allow(clippy::too_many_arguments)]
pub(crate) fn step(
    level: Level,
    optimizer: Optimizer,
    tasks: &[Segment],
    params: Base,
    gradients: Base,
    slots: &[Base],
    rate: f32,
    scale: f32,
    steps: u64,
) {
    let t = (steps + 1) as f64;
    let (b1, b2) = match optimizer {
        Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. } => (beta1, beta2),
        Optimizer::Muon { .. } => MUON_BETAS,
        _ => (0.0, 0.0),
    };
    let step = Step {
        optimizer,
        rate,
        scale,
        mean_correction: (1.0 / (1.0 - f64::from(b1).powf(t))) as f32,
        root_correction: (1.0 / (1.0 - f64::from(b2).powf(t)).sqrt()) as f32,
    };
    parallel::for_each(tasks.len(), |i| {
        let task = &tasks[i];
        let step = Step { rate: step.rate * task.rate, ..step };
        let at = |base: Base| base.at(task.start, task.len);
        let first = at(slots[0]);
        let second = slots.get(1).map_or(first, |s| at(*s));
        // SAFETY: ranges are checked by `at`; segments do not overlap.
        unsafe { update(level, &step, task.weights, task.len, at(params), at(gradients), first, second) };
    });
}

simd_fn! {
    /// # Safety
    /// All pointers must be valid for `len` values, a multiple of 16.
    update = update_impl(
        step: &Step,
        weights: bool,
        len: usize,
        params: *mut f32,
        gradients: *const f32,
        first: *mut f32,
        second: *mut f32,
    )
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn update_impl<S: Simd>(
    step: &Step,
    weights: bool,
    len: usize,
    params: *mut f32,
    gradients: *const f32,
    first: *mut f32,
    second: *mut f32,
) {
    let decay_of = |amount: f32, on: Decay| if on == Decay::All || weights { amount } else { 0.0 };
    // SAFETY: the caller's promise.
    unsafe {
        let scale = S::splat(step.scale);
        let rate = S::splat(-step.rate);
        for i in (0..len).step_by(LANES) {
            let g = S::mul(S::load(gradients.add(i)), scale);
            let p = S::load(params.add(i));
            let a = S::load(first.add(i));
            let p = match step.optimizer {
                Optimizer::Sgd { momentum, nesterov, weight_decay, decay } => {
                    let g = S::fma(S::splat(decay_of(weight_decay, decay)), p, g);
                    let v = S::fma(S::splat(momentum), a, g);
                    S::store(first.add(i), v);
                    let direction = if nesterov { S::fma(S::splat(momentum), v, g) } else { v };
                    S::fma(rate, direction, p)
                }
                Optimizer::RmsProp { alpha, eps, momentum, weight_decay, decay } => {
                    let g = S::fma(S::splat(decay_of(weight_decay, decay)), p, g);
                    let square = S::fma(S::splat(1.0 - alpha), S::mul(g, g), S::mul(S::splat(alpha), a));
                    S::store(first.add(i), square);
                    let direction = S::div(g, S::add(S::sqrt(square), S::splat(eps)));
                    let v = S::fma(S::splat(momentum), S::load(second.add(i)), direction);
                    S::store(second.add(i), v);
                    S::fma(rate, v, p)
                }
                Optimizer::Adam { beta1, beta2, eps, weight_decay, decay } => {
                    let g = S::fma(S::splat(decay_of(weight_decay, decay)), p, g);
                    adam::<S>(step, beta1, beta2, eps, g, p, first.add(i), second.add(i))
                }
                Optimizer::AdamW { beta1, beta2, eps, weight_decay, decay } => {
                    let keep = S::splat(1.0 - step.rate * decay_of(weight_decay, decay));
                    adam::<S>(step, beta1, beta2, eps, g, S::mul(p, keep), first.add(i), second.add(i))
                }
                Optimizer::Lion { beta1, beta2, weight_decay, decay } => {
                    let mixed = S::fma(S::splat(1.0 - beta1), g, S::mul(S::splat(beta1), a));
                    let mean = S::fma(S::splat(1.0 - beta2), g, S::mul(S::splat(beta2), a));
                    S::store(first.add(i), mean);
                    let zero = S::splat(0.0);
                    let not_above = S::select_greater(zero, mixed, S::splat(-1.0), zero);
                    let sign = S::select_greater(mixed, zero, S::splat(1.0), not_above);
                    let keep = S::splat(1.0 - step.rate * decay_of(weight_decay, decay));
                    S::fma(rate, sign, S::mul(p, keep))
                }
                Optimizer::Muon { weight_decay, decay, .. } => {
                    let (beta1, beta2) = MUON_BETAS;
                    let keep = S::splat(1.0 - step.rate * decay_of(weight_decay, decay));
                    adam::<S>(step, beta1, beta2, 1e-8, g, S::mul(p, keep), first.add(i), second.add(i))
                }
            };
            S::store(params.add(i), p);
        }
    }
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn adam<S: Simd>(
    step: &Step,
    beta1: f32,
    beta2: f32,
    eps: f32,
    g: S::V,
    p: S::V,
    first: *mut f32,
    second: *mut f32,
) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let m = S::fma(S::splat(1.0 - beta1), g, S::mul(S::splat(beta1), S::load(first)));
        let v = S::fma(S::splat(1.0 - beta2), S::mul(g, g), S::mul(S::splat(beta2), S::load(second)));
        S::store(first, m);
        S::store(second, v);
        let root = S::fma(S::sqrt(v), S::splat(step.root_correction), S::splat(eps));
        S::fma(S::splat(-step.rate * step.mean_correction), S::div(m, root), p)
    }
}
