//! Centred zero-padding or cropping.

use super::Map;
use burn_tensor::Device;
use std::ops::Range;

pub(crate) fn fit(x: Map, [oh, ow]: [usize; 2], device: &Device) -> Map {
    let [n, h, w, c] = x.dims();
    let ((from_y, to_y), (from_x, to_x)) = (place(h, oh), place(w, ow));
    let x = if from_y.len() < h || from_x.len() < w { x.slice([0..n, from_y, from_x, 0..c]) } else { x };
    match to_y.len() < oh || to_x.len() < ow {
        true => Map::zeros([n, oh, ow, c], device).slice_assign([0..n, to_y, to_x, 0..c], x),
        false => x,
    }
}

/// The part of an axis that is taken, and its place in the output.
fn place(input: usize, output: usize) -> (Range<usize>, Range<usize>) {
    let (less, more) = (input.saturating_sub(output) / 2, output.saturating_sub(input) / 2);
    let len = input.min(output);
    (less..less + len, more..more + len)
}
