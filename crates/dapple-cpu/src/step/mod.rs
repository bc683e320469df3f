//! One step of a plan: a kernel with its places.

mod visit;

pub(crate) use visit::visit_target;

use crate::kernels::attention::Attention;
use crate::kernels::attention_gradient::AttentionGradient;
use crate::kernels::conv_gemm::ConvGemm;
use crate::kernels::conv_gemm_weights::GemmWeights;
use crate::kernels::conv_thin::ConvThin;
use crate::kernels::conv3x3::Conv3x3;
use crate::kernels::conv3x3_weights::Conv3x3Weights;
use crate::kernels::depthwise::Depthwise;
use crate::kernels::depthwise_weights::DepthwiseWeights;
use crate::kernels::group_norm::GroupNorm;
use crate::kernels::layer_norm::LayerNorm;
use crate::kernels::norm::{self, Norm};
use crate::kernels::operand::{Operand, Target};
use crate::kernels::pixels::{self, ChannelCopy, Shift};
use crate::kernels::pointwise::{self, Dropout};
use crate::kernels::pool::Pool;
use crate::kernels::products::{self, ProductSums};
use crate::kernels::resize::Resize;
use crate::memory::{Base, Buffer};
use crate::simd::Level;
use dapple_graph::{DropoutState, ParamId, Pointwise};

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    Conv3x3(Conv3x3),
    ConvGemm(ConvGemm),
    ConvThin(ConvThin),
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
    Depthwise(Depthwise),
    Pointwise {
        function: Pointwise,
        from: Operand,
        to: Target,
    },
    Multiply {
        a: Operand,
        b: Operand,
        gate: bool,
        to: Target,
    },
    /// A layer scale's factors as a scale for readers, and a shift of zero.
    Factors {
        from: usize,
        len: usize,
        scale: usize,
        shift: usize,
    },
    LayerNorm {
        norm: LayerNorm,
        to: Target,
    },
    GroupNorm {
        norm: GroupNorm,
        to: Target,
    },
    Attention {
        attention: Attention,
        to: Target,
    },
    /// Of values, or of a gradient.
    Dropout {
        dropout: Dropout,
        from: Operand,
        to: Target,
    },
    Conv3x3Weights(Conv3x3Weights),
    GemmWeights(GemmWeights),
    DepthwiseWeights(DepthwiseWeights),
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
    PointwiseGradient {
        function: Pointwise,
        value: Operand,
        gradient: Operand,
        to: Target,
    },
    GateGradient {
        sums: ProductSums,
        to: Target,
    },
    FactorGradient {
        sums: ProductSums,
        to: usize,
    },
    LayerNormGradient {
        norm: LayerNorm,
        gradient: Operand,
        to: Option<Target>,
    },
    GroupNormGradient {
        norm: GroupNorm,
        gradient: Operand,
        to: Option<Target>,
    },
    AttentionGradient(AttentionGradient),
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
    /// Of the pass.
    pub dropout: DropoutState,
}

impl Kernel {
    /// The kernel's name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv3x3(c) if c.transposed => "conv3x3 data gradient",
            Self::Conv3x3(_) => "conv3x3",
            Self::ConvGemm(c) if c.turned => "conv data gradient",
            Self::ConvGemm(_) => "conv",
            Self::ConvThin(_) => "conv to one channel",
            Self::NormTrain(_) | Self::NormEval(_) => "batch norm",
            Self::MaxPool { .. } => "max pool",
            Self::Spread { .. } => "spread",
            Self::Collect { .. } => "collect",
            Self::Copy { .. } | Self::CopyChannels(_) => "copy",
            Self::Zero { .. } | Self::ZeroBiasGradient { .. } => "zero",
            Self::Add { .. } => "add",
            Self::Resize { resize, .. } => resize.name(),
            Self::Depthwise(c) if c.gradient => "depthwise data gradient",
            Self::Depthwise(_) => "depthwise",
            Self::DepthwiseWeights(_) => "depthwise weight gradient",
            Self::Pointwise { .. } => "activation",
            Self::PointwiseGradient { .. } => "activation gradient",
            Self::Multiply { .. } => "multiply",
            Self::GateGradient { .. } => "gate gradient",
            Self::Factors { .. } => "scale",
            Self::FactorGradient { .. } => "scale gradient",
            Self::LayerNorm { .. } => "layer norm",
            Self::LayerNormGradient { .. } => "layer norm gradient",
            Self::GroupNorm { .. } => "group norm",
            Self::GroupNormGradient { .. } => "group norm gradient",
            Self::Attention { .. } => "attention",
            Self::AttentionGradient(_) => "attention gradient",
            Self::Dropout { .. } => "dropout",
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
            Self::Conv3x3Weights(c) => vec![c.weights.offset],
            Self::GemmWeights(c) => vec![c.weights.offset],
            Self::BiasGradient { to, .. } | Self::ZeroBiasGradient { to, .. } => vec![*to],
            Self::NormGradient { norm, .. } => vec![norm.gamma, norm.beta],
            Self::LayerNormGradient { norm, .. } => vec![norm.gamma, norm.beta],
            Self::GroupNormGradient { norm, .. } => vec![norm.gamma, norm.beta],
            Self::DepthwiseWeights(c) => vec![c.weights],
            Self::FactorGradient { to, .. } => vec![*to],
            _ => Vec::new(),
        }
    }

    /// Values of scratch memory: shared, and for each thread.
    pub fn scratch(&self) -> (usize, usize) {
        match self {
            Self::Conv3x3(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::ConvGemm(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::ConvThin(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::Conv3x3Weights(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::GemmWeights(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::NormTrain(norm) | Self::NormGradient { norm, .. } => (norm.shared_scratch(), 0),
            Self::Depthwise(c) => (0, c.thread_scratch()),
            Self::DepthwiseWeights(c) => (c.shared_scratch(), c.thread_scratch()),
            Self::GateGradient { sums, .. } | Self::FactorGradient { sums, .. } => (sums.shared_scratch(), 0),
            Self::LayerNormGradient { norm, .. } => (norm.shared_scratch(), 0),
            Self::GroupNorm { norm, .. } | Self::GroupNormGradient { norm, .. } => (norm.shared_scratch(), 0),
            Self::Attention { attention, .. } => (attention.shared_scratch(), attention.thread_scratch()),
            Self::AttentionGradient(a) => (a.shared_scratch(), a.thread_scratch()),
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
            Self::ConvThin(c) => c.run(level, arena, params, shared, local),
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
            Self::Depthwise(c) => c.run(level, arena, params, local),
            Self::DepthwiseWeights(c) => c.run(level, arena, gradients(), shared, local, accumulate),
            Self::Pointwise { function, from, to } => pointwise::forward(level, arena, *function, from, to),
            Self::PointwiseGradient { function, value, gradient, to } => {
                pointwise::backward(level, arena, *function, value, gradient, to);
            }
            Self::Multiply { a, b, gate, to } => products::multiply(level, arena, a, b, *gate, to),
            Self::GateGradient { sums, to } => sums.of_images(level, arena, shared, to),
            Self::Factors { from, len, scale, shift } => {
                pixels::copy_values(params, *from, arena, *scale, *len);
                pixels::zero(arena, *shift, *len);
            }
            Self::FactorGradient { sums, to } => {
                sums.of_all(level, arena, shared, gradients(), *to, accumulate);
            }
            Self::LayerNorm { norm, to } => norm.forward(level, arena, params, to),
            Self::LayerNormGradient { norm, gradient, to } => {
                norm.backward(level, arena, params, gradients(), shared, gradient, to.as_ref(), accumulate);
            }
            Self::GroupNorm { norm, to } => norm.forward(level, arena, params, shared, to),
            Self::GroupNormGradient { norm, gradient, to } => {
                norm.backward(level, arena, params, gradients(), shared, gradient, to.as_ref(), accumulate);
            }
            Self::Attention { attention, to } => attention.forward(level, arena, shared, local, to),
            Self::AttentionGradient(a) => a.run(level, arena, shared, local),
            Self::Dropout { dropout, from, to } => {
                dropout.run(level, arena, m.dropout.key(dropout.stream), from, to);
            }
        }
    }
}
