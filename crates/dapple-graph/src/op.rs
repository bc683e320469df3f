//! The closed set of operations and their settings.

use crate::{NodeId, ParamId};

/// Settings of a two-dimensional convolution (cross-correlation, as every framework has it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero padding above and below, left and right.
    pub padding: [usize; 2],
    /// Distance between kernel taps.
    pub dilation: [usize; 2],
    /// Input and output channels are split into this many independent groups.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Conv2d {
    /// A square kernel with stride 1, no padding, one group and a bias.
    pub const fn new(out_channels: usize, kernel: usize) -> Self {
        Self {
            out_channels,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            bias: true,
        }
    }

    /// The same stride both ways.
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride; 2];
        self
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// The same dilation both ways.
    pub const fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = [dilation; 2];
        self
    }

    /// Number of groups.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// With or without bias.
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

/// Settings of a transposed convolution (the gradient of [`Conv2d`] as a layer), one group.
///
/// Output extent: `(input - 1) * stride - 2 * padding + kernel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose2d {
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding removed from the output's sides.
    pub padding: [usize; 2],
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvTranspose2d {
    /// A square kernel with its stride, no padding and a bias.
    pub const fn new(out_channels: usize, kernel: usize, stride: usize) -> Self {
        Self { out_channels, kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], bias: true }
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    /// With or without bias.
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

/// Settings of batch normalisation (Ioffe and Szegedy 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f32,
    /// Share of the new batch in the running statistics (PyTorch's convention).
    pub momentum: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

/// Settings of max pooling. Padding counts as minus infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Kernel height and width, at most 256 positions in all.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding, at most half the kernel.
    pub padding: [usize; 2],
    /// Round the output size up instead of down (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl MaxPool {
    /// A square kernel with its stride, floor mode.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], ceil: false }
    }

    /// Rounds the output size up.
    pub const fn ceil(mut self, ceil: bool) -> Self {
        self.ceil = ceil;
        self
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }
}

/// Settings of average pooling with windows of one size. Zeros of the padding count: each sum is divided by the kernel's
/// positions, those outside of the image included (PyTorch's `count_include_pad=True`, its default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Padding, at most half the kernel.
    pub padding: [usize; 2],
}

impl AvgPool {
    /// A square kernel with its stride, no padding.
    pub const fn new(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2] }
    }

    /// The same padding on all sides.
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }
}

/// How a map is sampled at another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The nearest source pixel, `floor(i * in / out)`.
    Nearest,
    /// Bilinear; corners aligned (source = `i * (in - 1) / (out - 1)`) or, as is now usual, pixel
    /// areas aligned (source = `(i + 0.5) * in / out - 0.5`, clamped below at 0).
    Bilinear {
        /// Align the centres of the corner pixels.
        align_corners: bool,
    },
}

/// A function of each value by itself. [`Op::Relu`] is an operation of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pointwise {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(x + 3, 0), 6) / 6` (Howard et al. 2019, MobileNetV3).
    HardSigmoid,
    /// `x` times its hard sigmoid (Howard et al. 2019, MobileNetV3).
    HardSwish,
    /// `x` times its sigmoid, also called swish (Elfwing et al. 2018; Ramachandran et al. 2017).
    Silu,
    /// `x` times the normal distribution function of `x` (Hendrycks and Gimpel 2016), exact:
    /// `x (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
}

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
    /// Batch normalisation over batch, height and width. All parameters `[channels]`.
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
    /// Product of two inputs of one shape; or the second one is `[n, 1, 1, c]` and multiplies all pixels of its
    /// image (the gate of squeeze-and-excitation, Hu et al. 2018).
    Mul,
    /// Mean over windows that divide the input into the output's height and width: output row `i` is the mean
    /// of rows `floor(i * in / out) .. ceil((i + 1) * in / out)`, and so are the columns (PyTorch's adaptive
    /// average pooling).
    AdaptiveAvgPool,
    /// Mean over windows of one size.
    AvgPool(AvgPool),
    /// Layer normalisation (Ba et al. 2016) over the channels of each pixel, with the biased variance:
    /// `gamma (x - mean) / sqrt(var + eps) + beta`. Parameters `[channels]`.
    LayerNorm {
        /// Scale.
        gamma: ParamId,
        /// Shift.
        beta: ParamId,
        /// Added to the variance.
        eps: f32,
    },
    /// Group normalisation (Wu and He 2018): the channels of each image are split into `groups` runs, each of which is
    /// normalised over its channels, height and width with the biased variance. Parameters `[channels]`.
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
    /// `1 / (1 - rate)`. Identity but in training ([`crate::Mode::Train`]); a residual branch ends with it.
    DropPath {
        /// Share of images whose values become zero, below 1.
        rate: f32,
        /// Number among the graph's dropouts and drop paths.
        stream: u64,
    },
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
            Op::Pointwise(Pointwise::HardSigmoid) => "hard_sigmoid",
            Op::Pointwise(Pointwise::HardSwish) => "hard_swish",
            Op::Pointwise(Pointwise::Silu) => "silu",
            Op::Pointwise(Pointwise::Gelu) => "gelu",
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
}
