//! A graph's operations as calls of libtorch: single calls here, all others in a file for each family. Values are `[n, c, h, w]` in channels-last memory.

mod attention;
mod conv;
mod dropout;
mod norm;
mod pool;
mod resize;

use crate::params::Views;
use crate::transfer::extent;
use dapple_graph::{DropoutState, Mode, Node, Op, Pointwise};
use tch::{Device, Kind, TchError, Tensor};

/// The circumstances of a pass.
pub(crate) struct Context<'a> {
    pub views: &'a Views,
    pub device: Device,
    pub mode: Mode,
    /// The kind that convolutions and attention are computed in, where it is not single precision.
    pub low: Option<Kind>,
    pub dropout: DropoutState,
}

/// A node's value.
pub(crate) struct Computed {
    pub value: Tensor,
    /// Of a pooling: where its maxima stood.
    pub positions: Option<Tensor>,
}

impl From<Tensor> for Computed {
    fn from(value: Tensor) -> Self {
        Self { value, positions: None }
    }
}

impl Context<'_> {
    /// Whether dropout drops.
    fn drops(&self) -> bool {
        matches!(self.mode, Mode::Train | Mode::Sample)
    }

    /// A value in the kind that convolutions want.
    fn lowered(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_to_kind(self.low.unwrap_or(Kind::Float))
    }
}

/// In channels-last memory, where a call has answered in another format.
fn channels_last(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}

/// Computes a node. `positions` are those of the pooling that an unpooling undoes.
pub(crate) fn compute(
    context: &Context<'_>,
    node: &Node,
    inputs: &[&Tensor],
    positions: Option<&Tensor>,
) -> Result<Computed, TchError> {
    let x = inputs[0];
    let value = match &node.op {
        Op::Input => unreachable!("only the first node is the input"),
        Op::Conv2d { weight, bias, conv } => conv::plain(context, x, *weight, *bias, conv)?,
        Op::ConvTranspose2d { weight, bias, conv } => conv::transposed(context, x, *weight, *bias, conv)?,
        Op::BatchNorm { gamma, beta, mean, var, norm } => {
            let params = norm::BatchParams { scale: *gamma, shift: *beta, mean: *mean, var: *var };
            norm::batch(context, x, &params, *norm)?
        }
        Op::LayerNorm { gamma, beta, eps } => norm::layer(context, x, *gamma, *beta, *eps)?,
        Op::GroupNorm { gamma, beta, groups, eps } => {
            let [scale, shift] = [gamma, beta].map(|id| context.views.get(*id));
            let x = x.f_to_kind(Kind::Float)?;
            channels_last(&x.f_group_norm(
                extent(*groups),
                Some(scale),
                Some(shift),
                f64::from(*eps),
                true,
            )?)?
        }
        Op::Relu => x.f_relu()?,
        Op::Pointwise(Pointwise::Sigmoid) => x.f_sigmoid()?,
        Op::Pointwise(Pointwise::HardSigmoid) => x.f_hardsigmoid()?,
        Op::Pointwise(Pointwise::HardSwish) => x.f_hardswish()?,
        Op::Pointwise(Pointwise::Silu) => x.f_silu()?,
        Op::Pointwise(Pointwise::Gelu) => x.f_gelu("none")?,
        Op::MaxPool(settings) => return pool::max(x, settings),
        Op::MaxUnpool { .. } => {
            pool::unpool(x, positions.expect("a pooling that is undone keeps its positions"), node.shape)?
        }
        Op::AdaptiveAvgPool => pool::dividing(x, node.shape)?,
        Op::AvgPool(settings) => pool::sliding(x, settings)?,
        Op::Resize { interpolation, .. } | Op::Upscale { interpolation, .. } => {
            resize::resize(x, node.shape, *interpolation)?
        }
        Op::FitTo { .. } => resize::fit(x, node.shape)?,
        Op::Concat => Tensor::f_cat(inputs, 1)?,
        Op::Add => x.f_add(inputs[1])?,
        Op::Mul => x.f_mul(inputs[1])?,
        Op::Scale { factor } => x.f_mul(context.views.get(*factor))?,
        Op::Attention { heads } => attention::attend(context, x, inputs[1], inputs[2], *heads)?,
        Op::Dropout { rate, stream } if context.drops() => {
            dropout::values(context, x, node.shape, *rate, *stream)?
        }
        Op::DropPath { rate, stream } if context.mode == Mode::Train => {
            dropout::images(context, x, node.shape, *rate, *stream)?
        }
        Op::Dropout { .. } | Op::DropPath { .. } => x.shallow_clone(),
    };
    Ok(value.into())
}
