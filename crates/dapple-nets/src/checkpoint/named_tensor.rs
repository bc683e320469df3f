//! The elements of state dicts.

/// One tensor of a state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Key; the keys of nested dictionaries are joined by dots.
    pub name: String,
    /// Shape, empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// Whether the number of values agrees with the shape.
    pub(crate) fn is_whole(&self) -> bool {
        self.shape.iter().product::<usize>() == self.values.len()
    }
}
