//! A dense batch of feature maps.

use crate::Shape;

/// A dense batch of feature maps, channels-last.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// `[n, h, w, c]`.
    pub shape: Shape,
    /// Row-major values, `shape.len()` of them.
    pub data: Vec<f32>,
}

impl Tensor {
    /// A tensor of these values.
    ///
    /// # Panics
    /// If their number is not that of the shape.
    pub fn new(shape: Shape, data: Vec<f32>) -> Self {
        assert_eq!(shape.len(), data.len(), "{shape} needs {} values", shape.len());
        Self { shape, data }
    }

    /// A tensor of zeros.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: vec![0.0; shape.len()] }
    }
}
