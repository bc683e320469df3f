//! The call of each operation.

use super::context::{Computed, Context, channels_last};
use super::{attention, conv, dropout, norm, pool, resize};
use crate::transfer::extent;
use dapple_graph::{Mode, Node, Op, Pointwise, Shape};
use tch::{Kind, TchError, Tensor};

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
        Op::Pointwise(Pointwise::Relu6) => x.f_relu6()?,
        Op::Pointwise(Pointwise::HardSigmoid) => x.f_hardsigmoid()?,
        Op::Pointwise(Pointwise::HardSwish) => x.f_hardswish()?,
        Op::Pointwise(Pointwise::Silu) => x.f_silu()?,
        Op::Pointwise(Pointwise::Gelu) => x.f_gelu("none")?,
        Op::Pointwise(Pointwise::Negative) => x.f_neg()?,
        Op::ChannelSum => {
            let Shape { n, h, w, c } = node.shape;
            let sum = x.f_to_kind(Kind::Float)?.f_sum_dim_intlist(1, true, Kind::Float)?;
            channels_last(&sum.f_expand([n, c, h, w].map(extent), false)?)?
        }
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
