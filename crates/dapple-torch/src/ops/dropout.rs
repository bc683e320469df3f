//! Dropout, whose random numbers are those of all engines ([`dapple_graph::dropout`]), drawn on the device.

use super::context::Context;
use crate::transfer::extent;
use dapple_graph::Shape;
use dapple_graph::dropout::{GAMMA, LAST_SHIFT, ROUNDS, threshold};
use tch::{Kind, TchError, Tensor};

/// Drops single values.
pub(super) fn values(
    context: &Context<'_>,
    x: &Tensor,
    shape: Shape,
    rate: f32,
    stream: u64,
) -> Result<Tensor, TchError> {
    // Numbered as the batch stands in memory.
    let kept = draw(context, shape.len(), rate, stream)?;
    let kept = kept.f_view_([shape.n, shape.h, shape.w, shape.c].map(extent))?.f_permute([0, 3, 1, 2])?;
    drop_by(x, &kept, rate)
}

/// Drops whole images.
pub(super) fn images(
    context: &Context<'_>,
    x: &Tensor,
    shape: Shape,
    rate: f32,
    stream: u64,
) -> Result<Tensor, TchError> {
    let kept = draw(context, shape.n, rate, stream)?.f_view_([extent(shape.n), 1, 1, 1])?;
    drop_by(x, &kept, rate)
}

fn drop_by(x: &Tensor, kept: &Tensor, rate: f32) -> Result<Tensor, TchError> {
    let factor = 1.0 / (1.0 - f64::from(rate));
    x.f_mul(&kept.f_to_kind(x.f_kind()?)?.f_mul_scalar(factor)?)
}

/// Whether each of so many values is kept: SplitMix64 in 64-bit integers, whose overflow is the generator's modulus.
fn draw(context: &Context<'_>, count: usize, rate: f32, stream: u64) -> Result<Tensor, TchError> {
    let key = context.dropout.key(stream);
    let mut z = Tensor::f_arange(extent(count), (Kind::Int64, context.device))?;
    z = z.f_add_scalar(1)?.f_mul_scalar(GAMMA.cast_signed())?.f_add_scalar(key.cast_signed())?;
    for (shift, factor) in ROUNDS {
        z = z.f_bitwise_xor_tensor(&shifted(&z, shift)?)?.f_mul_scalar(factor.cast_signed())?;
    }
    z = z.f_bitwise_xor_tensor(&shifted(&z, LAST_SHIFT)?)?;
    shifted(&z, 32)?.f_ge(i64::from(threshold(rate)))
}

/// Shifted to the right with zeros coming in, where libtorch has the sign come in.
fn shifted(z: &Tensor, by: u32) -> Result<Tensor, TchError> {
    let mask = (u64::MAX >> by).cast_signed();
    z.f_bitwise_right_shift_tensor_scalar(i64::from(by))?.f_bitwise_and(mask)
}
