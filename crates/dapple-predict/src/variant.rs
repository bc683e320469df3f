//! Flips of a network's input, undone on its output.

use dapple_graph::{Shape, Tensor};

/// A way of mirroring an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flip {
    pub horizontal: bool,
    pub vertical: bool,
}

impl Flip {
    /// The identity and the requested flips.
    pub fn all(horizontal: bool, vertical: bool) -> Vec<Self> {
        let ways = |on: bool| if on { &[false, true][..] } else { &[false][..] };
        let of = |v: bool| ways(horizontal).iter().map(move |&h| Self { horizontal: h, vertical: v });
        ways(vertical).iter().flat_map(|&v| of(v)).collect()
    }

    /// Mirrors a batch of maps; applying it twice restores the input.
    pub fn apply(self, tensor: Tensor) -> Tensor {
        let Shape { n, h, w, c } = tensor.shape;
        if self == Self::default() {
            return tensor;
        }
        let mut data = Vec::with_capacity(tensor.data.len());
        for image in 0..n {
            for y in 0..h {
                let y = if self.vertical { h - 1 - y } else { y };
                let row = &tensor.data[(image * h + y) * w * c..][..w * c];
                if self.horizontal {
                    row.rchunks_exact(c).for_each(|pixel| data.extend_from_slice(pixel));
                } else {
                    data.extend_from_slice(row);
                }
            }
        }
        Tensor::new(tensor.shape, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_move_pixels_and_undo_themselves() {
        let shape = Shape::new(1, 2, 2, 2);
        let tensor = Tensor::new(shape, vec![0., 1., 2., 3., 4., 5., 6., 7.]);
        let flips = Flip::all(true, true);
        let flipped: Vec<_> = flips.iter().map(|flip| flip.apply(tensor.clone()).data).collect();
        assert_eq!(flipped[0], tensor.data);
        assert_eq!(flipped[1], [2., 3., 0., 1., 6., 7., 4., 5.]);
        assert_eq!(flipped[2], [4., 5., 6., 7., 0., 1., 2., 3.]);
        assert_eq!(flipped[3], [6., 7., 4., 5., 2., 3., 0., 1.]);
        for flip in flips {
            assert_eq!(flip.apply(flip.apply(tensor.clone())), tensor);
        }
    }
}
