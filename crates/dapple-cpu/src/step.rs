//! One step of a plan: a kernel with its places.

use crate::kernels::conv_gemm::{ConvGemm, GemmWeights};
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::conv3x3_weights::Conv3x3Weights;
use crate::kernels::norm::{self, Norm};
use crate::kernels::operand::{Operand, Target};
use crate::kernels::pixels::{self, ChannelCopy, Shift};
use crate::kernels::pool::Pool;
use crate::kernels::resize::Resize;
use crate::memory::{Base, Buffer};
use crate::simd::Level;
use dapple_graph::ParamId;

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Conv3x3(Conv3x3),
    ConvGemm(ConvGemm),
    /// Scale and shift from the batch.
    NormTrain(Norm),
    /// Scale and shift from the running statistics.
    NormEval(Norm),
    MaxPool {
        pool: Pool,
        from: Operand,
        to: Target,
    },
    /// Small to large by the pool's positions.
    Spread {
        pool: Pool,
        from: Operand,
        to: Target,
    },
    /// Large to small by the pool's positions.
    Collect {
        pool: Pool,
        from: Operand,
        to: Target,
    },
    Copy {
        from: Operand,
        to: Target,
        shift: Option<Shift>,
    },
    CopyChannels(ChannelCopy),
    Zero {
        offset: usize,
        len: usize,
    },
    Add {
        a: Operand,
        b: Operand,
        to: Target,
    },
    Resize {
        resize: Resize,
        from: Operand,
        to: Target,
    },
    Conv3x3Weights(Conv3x3Weights),
    GemmWeights(GemmWeights),
    /// Clears a dense gradient between the groups of a grouped convolution.
    ClearBetweenGroups(ParamId),
    BiasGradient {
        gradient: Operand,
        to: usize,
    },
    /// A bias before a batch norm of the batch's own mean changes nothing: its gradient is zero.
    ZeroBiasGradient {
        to: usize,
        len: usize,
    },
    NormGradient {
        norm: Norm,
        gradient: Operand,
        to: Target,
        relu: bool,
    },
    ReluGradient {
        value: Operand,
        gradient: Operand,
        to: Target,
    },
}

/// A kernel with the graph node that it serves.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub kernel: Kernel,
    /// Index of the node, for tables and messages.
    pub node: usize,
}

/// The buffers that steps work on.
pub(crate) struct Memory<'a> {
    pub arena: Base,
    pub params: Base,
    pub statistics: Base,
    pub shared: Base,
    pub local: Base,
    /// None outside training.
    pub gradients: Option<&'a mut Buffer>,
    /// Add to the gradients instead of overwriting them.
    pub accumulate: bool,
}

fn visit_operand(operand: &mut Operand, f: &mut dyn FnMut(&mut usize)) {
    for block in &mut operand.blocks {
        f(&mut block.offset);
        if let Some((scale, shift)) = &mut block.affine {
            f(scale);
            f(shift);
        }
    }
}

pub(crate) fn visit_target(target: &mut Target, f: &mut dyn FnMut(&mut usize)) {
    target.blocks.iter_mut().for_each(|b| f(&mut b.offset));
}

impl Kernel {
    /// Shows every arena offset of the step to `f`, which may change it.
    pub fn visit(&mut self, f: &mut dyn FnMut(&mut usize)) {
        let norm_places = |norm: &mut Norm, f: &mut dyn FnMut(&mut usize)| {
            visit_operand(&mut norm.source, f);
            [&mut norm.scale, &mut norm.shift, &mut norm.mean, &mut norm.inverse].into_iter().for_each(f);
        };
        match self {
            Self::Conv3x3(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
            }
            Self::ConvGemm(c) => {
                visit_operand(&mut c.input, f);
                visit_target(&mut c.output, f);
            }
            Self::NormTrain(norm) | Self::NormEval(norm) => norm_places(norm, f),
            Self::MaxPool { pool, from, to }
            | Self::Spread { pool, from, to }
            | Self::Collect { pool, from, to } => {
                f(&mut pool.positions);
                visit_operand(from, f);
                visit_target(to, f);
            }
            Self::Copy { from, to, .. } | Self::Resize { from, to, .. } => {
                visit_operand(from, f);
                visit_target(to, f);
            }
            Self::CopyChannels(c) => {
                f(&mut c.from);
                f(&mut c.to);
            }
            Self::Zero { offset, .. } => f(offset),
            Self::Add { a, b, to } => {
                visit_operand(a, f);
                visit_operand(b, f);
                visit_target(to, f);
            }
            Self::Conv3x3Weights(c) => {
                visit_operand(&mut c.input, f);
                visit_operand(&mut c.gradient, f);
            }
            Self::GemmWeights(c) => {
                visit_operand(&mut c.gathered, f);
                visit_operand(&mut c.points, f);
            }
            Self::ClearBetweenGroups(_) | Self::ZeroBiasGradient { .. } => {}
            Self::BiasGradient { gradient, .. } => visit_operand(gradient, f),
            Self::NormGradient { norm, gradient, to, .. } => {
                norm_places(norm, f);
                visit_operand(gradient, f);
                visit_target(to, f);
            }
            Self::ReluGradient { value, gradient, to } => {
                visit_operand(value, f);
                visit_operand(gradient, f);
                visit_target(to, f);
            }
        }
    }

    /// The kernel's name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv3x3(c) if c.transposed => "conv3x3 data gradient",
            Self::Conv3x3(_) => "conv3x3",
            Self::ConvGemm(c) if c.turned => "conv data gradient",
            Self::ConvGemm(_) => "conv",
            Self::NormTrain(_) | Self::NormEval(_) => "batch norm",
            Self::MaxPool { .. } => "max pool",
            Self::Spread { .. } => "spread",
            Self::Collect { .. } => "collect",
            Self::Copy { .. } | Self::CopyChannels(_) => "copy",
            Self::Zero { .. } | Self::ZeroBiasGradient { .. } => "zero",
            Self::Add { .. } => "add",
            Self::Resize { .. } => "resize",
            Self::Conv3x3Weights(_) => "conv3x3 weight gradient",
            Self::GemmWeights(_) => "conv weight gradient",
            Self::ClearBetweenGroups(_) => "clear between groups",
            Self::BiasGradient { .. } => "bias gradient",
            Self::NormGradient { .. } => "batch norm gradient",
            Self::ReluGradient { .. } => "relu gradient",
        }
    }

    /// Offsets in the gradient buffer of the parameters whose gradients the step writes.
    pub fn writes_gradients(&self) -> Vec<usize> {
        match self {
            Self::Conv3x3Weights(c) => vec![c.weights],
            Self::GemmWeights(c) => vec![c.weights.offset],
            Self::BiasGradient { to, .. } | Self::ZeroBiasGradient { to, .. } => vec![*to],
            Self::NormGradient { norm, .. } => vec![norm.gamma, norm.beta],
            _ => Vec::new(),
        }
    }

    /// Values of scratch memory: shared, and for each thread.
    pub fn scratch(&self) -> (usize, usize) {
        match self {
            Self::Conv3x3(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::ConvGemm(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::Conv3x3Weights(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::GemmWeights(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::NormTrain(norm) | Self::NormGradient { norm, .. } => (norm.shared_scratch(), 0),
            Self::BiasGradient { gradient, .. } => (norm::channel_sums_scratch(gradient), 0),
            _ => (0, 0),
        }
    }

    /// Runs the step on the current thread pool.
    pub fn run(&self, level: Level, layout: &crate::layout::Layout, m: &mut Memory) {
        let Memory { arena, params, statistics, shared, local, accumulate, .. } = *m;
        let mut gradients =
            || m.gradients.as_mut().expect("only training plans have steps that need gradients").base();
        match self {
            Self::Conv3x3(c) => c.run(level, arena, params, shared, local),
            Self::ConvGemm(c) => c.run(level, arena, params, shared, local),
            Self::NormTrain(norm) => norm.train(level, arena, params, statistics, shared),
            Self::NormEval(norm) => norm.eval(arena, params, statistics),
            Self::MaxPool { pool, from, to } => pool.forward(level, arena, from, to),
            Self::Spread { pool, from, to } => pool.spread(level, arena, from, to),
            Self::Collect { pool, from, to } => pool.collect(level, arena, from, to),
            Self::Copy { from, to, shift } => pixels::copy(level, arena, from, to, shift.as_ref()),
            Self::CopyChannels(c) => pixels::copy_channels(arena, c),
            Self::Zero { offset, len } => pixels::zero(arena, *offset, *len),
            Self::Add { a, b, to } => pixels::add(level, arena, a, b, to),
            Self::Resize { resize, from, to } => resize.run(level, arena, from, to),
            Self::Conv3x3Weights(c) => c.run(level, arena, gradients(), shared, local, accumulate),
            Self::GemmWeights(c) => c.run(level, arena, gradients(), shared, local, accumulate),
            Self::ClearBetweenGroups(id) => {
                let buffer = m.gradients.as_mut().expect("only training plans clear gradients");
                layout.clear_between_groups(*id, buffer.as_mut_slice());
            }
            Self::BiasGradient { gradient, to } => {
                norm::channel_sums(level, arena, gradient, shared, gradients(), *to, accumulate);
            }
            Self::ZeroBiasGradient { to, len } => {
                if !accumulate {
                    pixels::zero(gradients(), *to, *len);
                }
            }
            Self::NormGradient { norm, gradient, to, relu } => {
                norm.backward(level, arena, params, gradients(), shared, gradient, to, *relu, accumulate);
            }
            Self::ReluGradient { value, gradient, to } => {
                pixels::relu_gradient(level, arena, value, gradient, to)
            }
        }
    }
}
