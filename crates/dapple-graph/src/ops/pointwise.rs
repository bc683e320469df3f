//! Functions of single values: its settings.

/// A function of each value by itself. [`Op::Relu`](crate::Op::Relu) is an operation of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pointwise {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(x, 0), 6)` (Howard et al. 2017, MobileNet).
    Relu6,
    /// `min(max(x + 3, 0), 6) / 6` (Howard et al. 2019, MobileNetV3).
    HardSigmoid,
    /// `x` times its hard sigmoid (Howard et al. 2019, MobileNetV3).
    HardSwish,
    /// `x` times its sigmoid, also called swish (Elfwing et al. 2018; Ramachandran et al. 2017).
    Silu,
    /// `x` times the normal distribution function of `x` (Hendrycks and Gimpel 2016), exact:
    /// `x (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// `-x`; a difference is a sum with it.
    Negative,
}
