//! The output of the forward pass: its steps, and the tape that the backward pass plays in reverse.

use super::builder::{Builder, ValueId};
use crate::kernels::attention::Attention;
use crate::kernels::batch_norm::Norm;
use crate::kernels::kernel::Backward;
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};

/// A graph's forward steps.
pub(super) struct Lowered<'a> {
    pub builder: Builder<'a>,
    /// With the node of each entry, in forward order; empty in inference.
    pub tape: Vec<(usize, Tape)>,
    pub input: ValueId,
    pub outputs: Vec<ValueId>,
    /// Whether a backward pass follows.
    pub trains: bool,
}

/// An operation that the backward pass must undo.
#[derive(Debug)]
pub(super) enum Tape {
    /// An operation with one input. `own`: nobody else reads `x`, so its gradient may take the place of `y`'s.
    Unary {
        way: Box<dyn Backward>,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    Conv {
        weight: ParamId,
        bias: Option<ParamId>,
        conv: Conv2d,
        x: ValueId,
        y: ValueId,
    },
    ConvTranspose {
        weight: ParamId,
        bias: Option<ParamId>,
        conv: ConvTranspose2d,
        x: ValueId,
        y: ValueId,
    },
    /// `own` as in [`Tape::Unary`].
    Norm {
        norm: Norm,
        relu: bool,
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    Add {
        a: ValueId,
        b: ValueId,
        y: ValueId,
    },
    /// `own`: nobody else reads `a`. `gate`: `b` is one pixel for each image.
    Mul {
        a: ValueId,
        b: ValueId,
        gate: bool,
        y: ValueId,
        own: bool,
    },
    /// `affine`: places of the factors and of zeros.
    Scale {
        factor: ParamId,
        affine: (usize, usize),
        x: ValueId,
        y: ValueId,
        own: bool,
    },
    Attention {
        attention: Attention,
        inputs: [ValueId; 3],
        y: ValueId,
    },
    /// Unaligned concatenation.
    Join {
        parts: Vec<ValueId>,
        y: ValueId,
    },
}
