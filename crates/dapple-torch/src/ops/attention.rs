//! Scaled dot-product attention over pixels.

use super::context::Context;
use crate::transfer::extent;
use tch::{TchError, Tensor};

/// `softmax(q k^T / sqrt(d)) v` for each head, side by side.
pub(super) fn attend(
    context: &Context<'_>,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
) -> Result<Tensor, TchError> {
    let heads = extent(heads);
    // Channels stand side by side in memory, so that heads can be cut out of them: [n, heads, pixels, d].
    let cut = |x: &Tensor| {
        let size = x.size();
        let pixels = context.lowered(x)?.f_permute([0, 2, 3, 1])?;
        pixels.f_reshape([size[0], size[2] * size[3], heads, size[1] / heads])?.f_transpose(1, 2)
    };
    let y = Tensor::f_scaled_dot_product_attention(
        &cut(q)?,
        &cut(k)?,
        &cut(v)?,
        None::<&Tensor>,
        0.0,
        false,
        None,
        false,
    )?;
    let size = q.size();
    let joined = y.f_transpose(1, 2)?.f_reshape([size[0], size[2], size[3], size[1]])?;
    joined.f_permute([0, 3, 1, 2])
}
