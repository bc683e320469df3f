//! Batch normalization: its settings.

/// Settings of batch normalization (Ioffe and Szegedy 2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f32,
    /// Share of the new batch in the running statistics (PyTorch's convention).
    pub momentum: f32,
    /// In training too, normalizes with the running statistics, which stay as they are.
    pub frozen: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1, frozen: false }
    }
}
