//! Activations: functions of single values, all but ReLU, which is how kernels read; and their gradients.

use super::elementary::{normal, sigmoid};
use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pixels::over;
use super::values::{Function, apply};
use crate::memory::Base;
use crate::simd::{Level, Simd, simd_fn};
use dapple_graph::Pointwise;
use std::ops::Range;

/// The functions as constants, so that each gets a loop of its own.
const SIGMOID: u8 = 0;
const HARD_SIGMOID: u8 = 1;
const HARD_SWISH: u8 = 2;
const SILU: u8 = 3;
const GELU: u8 = 4;
const RELU6: u8 = 5;
const NEGATIVE: u8 = 6;

macro_rules! for_function {
    ($function:expr, $call:ident :: <$s:ident> $args:tt) => {
        match $function {
            Pointwise::Sigmoid => $call::<$s, SIGMOID> $args,
            Pointwise::Relu6 => $call::<$s, RELU6> $args,
            Pointwise::HardSigmoid => $call::<$s, HARD_SIGMOID> $args,
            Pointwise::HardSwish => $call::<$s, HARD_SWISH> $args,
            Pointwise::Silu => $call::<$s, SILU> $args,
            Pointwise::Gelu => $call::<$s, GELU> $args,
            Pointwise::Negative => $call::<$s, NEGATIVE> $args,
        }
    };
}

/// `min(max(x, 0), 6)`.
#[inline(always)]
unsafe fn relu6<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic only. What may be NaN comes second in `max` and last in the selection, so that it is kept.
    unsafe {
        let six = S::splat(6.0);
        let v = S::max(S::splat(0.0), x);
        S::select_greater(v, six, six, v)
    }
}

/// `min(max(x + 3, 0), 6) / 6`.
#[inline(always)]
unsafe fn hard_sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { S::mul(relu6::<S>(S::add(x, S::splat(3.0))), S::splat(1.0 / 6.0)) }
}

#[inline(always)]
unsafe fn value<S: Simd, const F: u8>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe {
        match F {
            SIGMOID => sigmoid::<S>(x),
            RELU6 => relu6::<S>(x),
            HARD_SIGMOID => hard_sigmoid::<S>(x),
            HARD_SWISH => S::mul(x, hard_sigmoid::<S>(x)),
            SILU => S::mul(x, sigmoid::<S>(x)),
            NEGATIVE => S::sub(S::splat(0.0), x),
            _ => S::mul(x, normal::<S>(x).0),
        }
    }
}

/// A function's values of sixteen lanes, for kernels that end with it.
///
/// # Safety
/// The level of `S` must be there.
#[inline(always)]
pub(super) unsafe fn of_lanes<S: Simd>(function: Pointwise, x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe { for_function!(function, value::<S>(x)) }
}

/// A loop that ends with a function of each value, compiled for each function.
pub(super) trait Ends<S: Simd> {
    /// # Safety
    /// As the loop says.
    unsafe fn run(&self, function: &impl Function<S, 1>);
}

/// Runs a loop that ends with `function`.
///
/// # Safety
/// As [`Ends::run`].
#[inline(always)]
pub(super) unsafe fn end_with<S: Simd>(function: Pointwise, work: &impl Ends<S>) {
    // SAFETY: passed on.
    unsafe { for_function!(function, run_of::<S>(work)) }
}

#[inline(always)]
unsafe fn run_of<S: Simd, const F: u8>(work: &impl Ends<S>) {
    // SAFETY: passed on.
    unsafe { work.run(&Value::<F>) }
}

/// Whether a function of zero is zero, as the padding channels must stay.
pub(crate) fn keeps_zero(function: Pointwise) -> bool {
    !matches!(function, Pointwise::Sigmoid | Pointwise::HardSigmoid)
}

#[inline(always)]
unsafe fn slope<S: Simd, const F: u8>(x: S::V) -> S::V {
    // SAFETY: arithmetic only.
    unsafe {
        let (zero, one, three) = (S::splat(0.0), S::splat(1.0), S::splat(3.0));
        match F {
            SIGMOID => {
                let y = sigmoid::<S>(x);
                S::mul(y, S::sub(one, y))
            }
            RELU6 => S::where_greater(S::splat(6.0), x, S::where_greater(x, zero, one)),
            HARD_SIGMOID => {
                let inside = S::where_greater(x, S::splat(-3.0), S::splat(1.0 / 6.0));
                S::where_greater(three, x, inside)
            }
            HARD_SWISH => {
                let middle = S::fma(x, S::splat(1.0 / 3.0), S::splat(0.5));
                let lower = S::select_greater(S::splat(-3.0), x, zero, middle);
                S::select_greater(x, three, one, lower)
            }
            SILU => {
                let y = sigmoid::<S>(x);
                S::mul(y, S::fma(x, S::sub(one, y), one))
            }
            NEGATIVE => S::splat(-1.0),
            _ => {
                let (below, bell) = normal::<S>(x);
                // 1 / sqrt(2 pi).
                S::fma(S::mul(x, S::splat(0.398_942_3)), bell, below)
            }
        }
    }
}

/// Writes the function of each value of `from` to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Activation {
    pub function: Pointwise,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { function, from, to }) = (memory.arena, self);
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels.
            unsafe { forward_part(level, arena, *function, from, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.from.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

impl Backward for Activation {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        let (function, value) = (self.function, self.from.clone());
        Some(Box::new(ActivationGradient { function, value, gradient, to: to? }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    forward_part = forward_impl(arena: Base, function: Pointwise, from: &Operand, to: &Target, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn forward_impl<S: Simd>(
    arena: Base,
    function: Pointwise,
    from: &Operand,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: passed on.
    unsafe { for_function!(function, forward_of::<S>(arena, from, to, pixels)) }
}

#[inline(always)]
unsafe fn forward_of<S: Simd, const F: u8>(arena: Base, from: &Operand, to: &Target, pixels: Range<usize>) {
    // SAFETY: passed on.
    unsafe { apply::<S, 1>(&Value::<F>, arena, [from], to, pixels) }
}

/// The function itself.
struct Value<const F: u8>;

impl<S: Simd, const F: u8> Function<S, 1> for Value<F> {
    const LIFTS_ZERO: bool = F == SIGMOID || F == HARD_SIGMOID;

    #[inline(always)]
    unsafe fn of(&self, [x]: [S::V; 1]) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { value::<S, F>(x) }
    }
}

/// The gradient of its input from its input and the gradient of its value.
struct Gradient<const F: u8>;

impl<S: Simd, const F: u8> Function<S, 2> for Gradient<F> {
    #[inline(always)]
    unsafe fn of(&self, [x, gradient]: [S::V; 2]) -> S::V {
        // SAFETY: arithmetic only.
        unsafe { S::mul(slope::<S, F>(x), gradient) }
    }
}

/// The gradient of an activation's input `value` from that of its output, to `to`, which may be the gradient's own
/// place.
#[derive(Clone, Debug)]
pub(crate) struct ActivationGradient {
    function: Pointwise,
    value: Operand,
    gradient: Operand,
    to: Target,
}

impl Kernel for ActivationGradient {
    fn name(&self) -> &'static str {
        "activation gradient"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { function, value, gradient, to }) = (memory.arena, self);
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside the maps; tasks write disjoint pixels, each after it was read.
            unsafe { backward_part(level, arena, *function, value, gradient, to, pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.value.visit(f);
        self.gradient.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    backward_part = backward_impl(
        arena: Base,
        function: Pointwise,
        value: &Operand,
        gradient: &Operand,
        to: &Target,
        pixels: Range<usize>,
    )
}

#[inline(always)]
unsafe fn backward_impl<S: Simd>(
    arena: Base,
    function: Pointwise,
    value: &Operand,
    gradient: &Operand,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: passed on.
    unsafe { for_function!(function, backward_of::<S>(arena, value, gradient, to, pixels)) }
}

#[inline(always)]
unsafe fn backward_of<S: Simd, const F: u8>(
    arena: Base,
    value: &Operand,
    gradient: &Operand,
    to: &Target,
    pixels: Range<usize>,
) {
    // SAFETY: passed on.
    unsafe { apply::<S, 2>(&Gradient::<F>, arena, [value, gradient], to, pixels) }
}
