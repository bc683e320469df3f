//! Sampling at another size, padding and cropping.

use super::context::channels_last;
use crate::transfer::extent;
use dapple_graph::{Interpolation, Shape};
use tch::{TchError, Tensor};

pub(super) fn resize(x: &Tensor, shape: Shape, interpolation: Interpolation) -> Result<Tensor, TchError> {
    let size = [shape.h, shape.w].map(extent);
    match interpolation {
        Interpolation::Bilinear { align_corners } => x.f_upsample_bilinear2d(size, align_corners, None, None),
        Interpolation::Nearest => {
            let from = x.size();
            if (0..2).all(|axis| library_takes_the_nearest(from[axis + 2], size[axis])) {
                return x.f_upsample_nearest2d(size, None, None);
            }
            let rows = x.f_index_select(2, &nearest(from[2], size[0], x)?)?;
            channels_last(&rows.f_index_select(3, &nearest(from[3], size[1], x)?)?)
        }
    }
}

/// The source of each output position, `floor(i * from / to)`.
fn source(i: i64, from: i64, to: i64) -> i64 {
    i * from / to
}

/// Whether libtorch, which multiplies by the quotient in single precision, takes the same sources.
fn library_takes_the_nearest(from: i64, to: i64) -> bool {
    let scale = from as f32 / to as f32;
    (0..to).all(|i| ((i as f32 * scale).floor() as i64).min(from - 1) == source(i, from, to))
}

/// The sources as an index on the device of `x`.
fn nearest(from: i64, to: i64, x: &Tensor) -> Result<Tensor, TchError> {
    let sources: Vec<i64> = (0..to).map(|i| source(i, from, to)).collect();
    Tensor::f_from_slice(&sources)?.f_to_device(x.device())
}

/// Centred zero-padding or cropping.
pub(super) fn fit(x: &Tensor, shape: Shape) -> Result<Tensor, TchError> {
    let from = x.size();
    // Negative paddings crop.
    let around = |from: i64, to: usize| {
        let (missing, surplus) = (extent(to) - from, from - extent(to));
        let before = if missing >= 0 { missing / 2 } else { -(surplus / 2) };
        [before, missing - before]
    };
    let [left, right] = around(from[3], shape.w);
    let [top, bottom] = around(from[2], shape.h);
    x.f_constant_pad_nd([left, right, top, bottom])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_multiples_are_the_librarys() {
        for from in 1..60 {
            for factor in [1, 2, 4, 8] {
                assert!(library_takes_the_nearest(from, from * factor), "{from} {factor}");
            }
        }
        let rounded = (1..200).flat_map(|from| (1..200).map(move |to| (from, to)));
        assert!(rounded.filter(|(from, to)| !library_takes_the_nearest(*from, *to)).count() > 0);
    }
}
