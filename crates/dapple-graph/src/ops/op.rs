//! The set of operations and the facts about each that readers of graphs need: its name, its parameters, the nodes that it
//! refers to and the size of its output.

use super::avg_pool::AvgPool;
use super::batch_norm::BatchNorm;
use super::conv_transpose2d::ConvTranspose2d;
use super::conv2d::Conv2d;
use super::max_pool::MaxPool;
use super::pointwise::Pointwise;
use super::resize::Interpolation;
use crate::{NodeId, ParamId};

/// One operation. Its inputs stand in the node.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The image batch.
    Input,
    /// Convolution. Weight `[out, in / groups, kh, kw]`, bias `[out]`.
    Conv2d {
        /// Weight.
        weight: ParamId,
        /// Bias.
        bias: Option<ParamId>,
        /// Settings.
        conv: Conv2d,
    },
    /// Transposed convolution. Weight `[in, out, kh, kw]`, bias `[out]`.
    ConvTranspose2d {
        /// Weight.
        weight: ParamId,
        /// Bias.
        bias: Option<ParamId>,
        /// Settings.
        conv: ConvTranspose2d,
    },
    /// Batch normalization over batch, height and width. All parameters `[channels]`.
    BatchNorm {
        /// Scale.
        gamma: ParamId,
        /// Shift.
        beta: ParamId,
        /// Running mean (not trained).
        mean: ParamId,
        /// Running unbiased variance (not trained).
        var: ParamId,
        /// Settings.
        norm: BatchNorm,
    },
    /// `max(x, 0)`.
    Relu,
    /// Max pooling; the positions of the maxima are kept for [`Op::MaxUnpool`]. The first of equal
    /// values in row-major order wins.
    MaxPool(MaxPool),
    /// Puts each value back where the maximum of `pool` stood, zero elsewhere; the output has the size
    /// of that pooling's input. The pooling's windows must not overlap.
    MaxUnpool {
        /// The pooling whose positions are used.
        pool: NodeId,
    },
    /// Sampling at the height and width of `like`.
    Resize {
        /// The node whose size is taken (its values are not read).
        like: NodeId,
        /// Kind of sampling.
        interpolation: Interpolation,
    },
    /// Sampling at a whole multiple of the input's size.
    Upscale {
        /// Factor for height and width.
        factor: usize,
        /// Kind of sampling.
        interpolation: Interpolation,
    },
    /// Zero-padding or cropping to the height and width of `like`, centred: `floor(difference / 2)`
    /// pixels are added before (or, when cropping, dropped before).
    FitTo {
        /// The node whose size is taken (its values are not read).
        like: NodeId,
    },
    /// Concatenation along the channels, in the order of the inputs.
    Concat,
    /// Sum of two inputs of one shape.
    Add,
    /// A function of each value.
    Pointwise(Pointwise),
    /// The sum over the channels of each pixel, in every channel of the output.
    ChannelSum,
    /// Product of two inputs of one shape; or the second one is `[n, 1, 1, c]` and multiplies all pixels of its
    /// image (the gate of squeeze-and-excitation, Hu et al. 2018).
    Mul,
    /// Mean over windows that divide the input into the output's height and width: output row `i` is the mean
    /// of rows `floor(i * in / out) .. ceil((i + 1) * in / out)`, and so are the columns (PyTorch's adaptive
    /// average pooling).
    AdaptiveAvgPool,
    /// Mean over windows of one size.
    AvgPool(AvgPool),
    /// Layer normalization (Ba et al. 2016) over the channels of each pixel, with the biased variance:
    /// `gamma (x - mean) / sqrt(var + eps) + beta`. Parameters `[channels]`.
    LayerNorm {
        /// Scale.
        gamma: ParamId,
        /// Shift.
        beta: ParamId,
        /// Added to the variance.
        eps: f32,
    },
    /// Group normalization (Wu and He 2018): the channels of each image are split into `groups` runs, each of which is
    /// normalized over its channels, height and width with the biased variance. Parameters `[channels]`.
    GroupNorm {
        /// Scale.
        gamma: ParamId,
        /// Shift.
        beta: ParamId,
        /// Runs of channels.
        groups: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// Multiplication with a trainable value for each channel (layer scale, Touvron et al. 2021). Parameter
    /// `[channels, 1, 1]`.
    Scale {
        /// Factor.
        factor: ParamId,
    },
    /// Scaled dot-product attention over pixels (Vaswani et al. 2017, section 3.2). Inputs: queries
    /// `[n, h, w, c]`, keys and values `[n, h2, w2, c]`, whose channels are split into `heads` runs of
    /// `d = c / heads`; output of each head: `softmax(q k^T / sqrt(d)) v`, side by side.
    Attention {
        /// Independent parts of the channels.
        heads: usize,
    },
    /// Inverted dropout (Srivastava et al. 2014) of single values: zero with probability `rate`, else times
    /// `1 / (1 - rate)`. [`crate::dropout`] says which. Identity where the mode does not sample
    /// ([`crate::Mode`]).
    Dropout {
        /// Share of values that become zero, below 1.
        rate: f32,
        /// Number among the graph's dropouts, so that each draws numbers of its own.
        stream: u64,
    },
    /// Stochastic depth (Huang et al. 2016): all values of an image zero with probability `rate`, else times
    /// `1 / (1 - rate)`. Identity except in training ([`crate::Mode::Train`]); a residual branch ends with it.
    DropPath {
        /// Share of images whose values become zero, below 1.
        rate: f32,
        /// Number among the graph's dropouts and drop paths.
        stream: u64,
    },
}

/// How the height and width of a node's output follow from other maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sizing<'a> {
    /// They are the image batch's.
    Input,
    /// They are those of the first input.
    Kept,
    /// They are those of the inputs, all of one size.
    Equal,
    /// [`Conv2d::output_size`].
    Conv2d(&'a Conv2d),
    /// [`ConvTranspose2d::output_size`].
    ConvTranspose2d(&'a ConvTranspose2d),
    /// [`MaxPool::output_size`].
    MaxPool(&'a MaxPool),
    /// [`AvgPool::output_size`].
    AvgPool(&'a AvgPool),
    /// They are those of this node.
    Like(NodeId),
    /// They are those of what this node reads.
    LikeInputOf(NodeId),
    /// They are those of the input times this.
    Times(usize),
    /// They are the same for all inputs.
    Fixed,
}

impl Op {
    /// The kind's name in messages and tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Input => "input",
            Op::Conv2d { .. } => "conv2d",
            Op::ConvTranspose2d { .. } => "conv_transpose2d",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Relu => "relu",
            Op::MaxPool(_) => "max_pool",
            Op::MaxUnpool { .. } => "max_unpool",
            Op::Resize { .. } => "resize",
            Op::Upscale { .. } => "upscale",
            Op::FitTo { .. } => "fit_to",
            Op::Concat => "concat",
            Op::Add => "add",
            Op::Pointwise(Pointwise::Sigmoid) => "sigmoid",
            Op::Pointwise(Pointwise::Relu6) => "relu6",
            Op::Pointwise(Pointwise::HardSigmoid) => "hard_sigmoid",
            Op::Pointwise(Pointwise::HardSwish) => "hard_swish",
            Op::Pointwise(Pointwise::Silu) => "silu",
            Op::Pointwise(Pointwise::Gelu) => "gelu",
            Op::Pointwise(Pointwise::Negative) => "negative",
            Op::ChannelSum => "channel_sum",
            Op::Mul => "mul",
            Op::AdaptiveAvgPool => "adaptive_avg_pool",
            Op::AvgPool(_) => "avg_pool",
            Op::LayerNorm { .. } => "layer_norm",
            Op::GroupNorm { .. } => "group_norm",
            Op::Scale { .. } => "scale",
            Op::Attention { .. } => "attention",
            Op::Dropout { .. } => "dropout",
            Op::DropPath { .. } => "drop_path",
        }
    }

    /// How the height and width of the output follow from other maps.
    pub fn sizing(&self) -> Sizing<'_> {
        match self {
            Op::Input => Sizing::Input,
            Op::Conv2d { conv, .. } => Sizing::Conv2d(conv),
            Op::ConvTranspose2d { conv, .. } => Sizing::ConvTranspose2d(conv),
            Op::MaxPool(pool) => Sizing::MaxPool(pool),
            Op::AvgPool(pool) => Sizing::AvgPool(pool),
            Op::MaxUnpool { pool } => Sizing::LikeInputOf(*pool),
            Op::Resize { like, .. } | Op::FitTo { like } => Sizing::Like(*like),
            Op::Upscale { factor, .. } => Sizing::Times(*factor),
            Op::AdaptiveAvgPool => Sizing::Fixed,
            Op::Concat | Op::Add => Sizing::Equal,
            Op::BatchNorm { .. }
            | Op::Relu
            | Op::Pointwise(_)
            | Op::ChannelSum
            | Op::Mul
            | Op::LayerNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Scale { .. }
            | Op::Attention { .. }
            | Op::Dropout { .. }
            | Op::DropPath { .. } => Sizing::Kept,
        }
    }

    /// The parameters that it reads, in the order in which its builder adds them.
    pub fn params(&self) -> Vec<ParamId> {
        self.clone().params_mut().into_iter().map(|id| *id).collect()
    }

    /// As [`Op::params`], to be replaced.
    pub(crate) fn params_mut(&mut self) -> Vec<&mut ParamId> {
        match self {
            Op::Conv2d { weight, bias, .. } | Op::ConvTranspose2d { weight, bias, .. } => {
                std::iter::once(weight).chain(bias).collect()
            }
            Op::BatchNorm { gamma, beta, mean, var, .. } => vec![gamma, beta, mean, var],
            Op::LayerNorm { gamma, beta, .. } | Op::GroupNorm { gamma, beta, .. } => vec![gamma, beta],
            Op::Scale { factor } => vec![factor],
            Op::Input
            | Op::Relu
            | Op::MaxPool(_)
            | Op::MaxUnpool { .. }
            | Op::Resize { .. }
            | Op::Upscale { .. }
            | Op::FitTo { .. }
            | Op::Concat
            | Op::Add
            | Op::Pointwise(_)
            | Op::ChannelSum
            | Op::Mul
            | Op::AdaptiveAvgPool
            | Op::AvgPool(_)
            | Op::Attention { .. }
            | Op::Dropout { .. }
            | Op::DropPath { .. } => Vec::new(),
        }
    }

    /// The node that it refers to besides its inputs: for its size, or for the positions of its maxima.
    pub fn reference(&self) -> Option<NodeId> {
        match self {
            Op::MaxUnpool { pool: id } | Op::Resize { like: id, .. } | Op::FitTo { like: id } => Some(*id),
            _ => None,
        }
    }

    /// As [`Op::reference`], to be replaced.
    pub(crate) fn reference_mut(&mut self) -> Option<&mut NodeId> {
        match self {
            Op::MaxUnpool { pool: id } | Op::Resize { like: id, .. } | Op::FitTo { like: id } => Some(id),
            _ => None,
        }
    }
}
