//! Quantization after training: the ranges of a model's feature maps are measured on images, its weights are rounded, and the
//! layers that lose too much stay in single precision (Nagel et al. 2021, "A white paper on neural network quantization").

mod observe;
mod range;
mod search;

pub use range::Method;
pub use search::{QuantizationReport, Quantized, quantize};
