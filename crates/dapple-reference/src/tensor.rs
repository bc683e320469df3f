//! Dense maps in `f64`.

use dapple_graph::{Shape, Tensor};

/// A dense batch of maps, channels-last, in `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor64 {
    /// `[n, h, w, c]`.
    pub shape: Shape,
    /// Row-major values, `shape.len()` of them.
    pub data: Vec<f64>,
}

impl Tensor64 {
    /// A tensor of these values.
    ///
    /// # Panics
    /// If their number is not that of the shape.
    pub fn new(shape: Shape, data: Vec<f64>) -> Self {
        assert_eq!(shape.len(), data.len(), "{shape} needs {} values", shape.len());
        Self { shape, data }
    }

    /// A tensor of zeros.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: vec![0.0; shape.len()] }
    }

    /// Where `data` holds channel `c` of the pixel in row `y`, column `x` of image `n`.
    pub fn index(&self, n: usize, y: usize, x: usize, c: usize) -> usize {
        index(self.shape, n, y, x, c)
    }

    /// The values rounded to `f32`.
    pub fn to_f32(&self) -> Tensor {
        Tensor::new(self.shape, self.data.iter().map(|&v| v as f32).collect())
    }

    /// Adds another tensor of the same shape.
    pub(crate) fn accumulate(&mut self, other: &Tensor64) {
        assert_eq!(self.shape, other.shape, "gradients of one value have one shape");
        self.data.iter_mut().zip(&other.data).for_each(|(a, b)| *a += b);
    }
}

impl From<&Tensor> for Tensor64 {
    fn from(tensor: &Tensor) -> Self {
        Self { shape: tensor.shape, data: tensor.data.iter().map(|&v| f64::from(v)).collect() }
    }
}

/// Where a tensor of shape `s` holds `[n, y, x, c]`.
pub(crate) fn index(s: Shape, n: usize, y: usize, x: usize, c: usize) -> usize {
    ((n * s.h + y) * s.w + x) * s.c + c
}

/// How far an engine's values are from the expected ones: the largest difference, relative to the largest
/// expected magnitude. Values that are not finite are infinitely far.
///
/// # Panics
/// If the lengths differ.
pub fn relative_distance(expected: &[f64], found: &[f32]) -> f64 {
    assert_eq!(expected.len(), found.len(), "the two have as many values");
    if found.iter().any(|v| !v.is_finite()) {
        return f64::INFINITY;
    }
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |m: f64, v| m.max(v.abs()));
    let difference = largest(&mut expected.iter().zip(found).map(|(&e, &f)| e - f64::from(f)));
    // A gradient that is zero everywhere is compared absolutely.
    let scale = largest(&mut expected.iter().copied());
    if scale == 0.0 { difference } else { difference / scale }
}
