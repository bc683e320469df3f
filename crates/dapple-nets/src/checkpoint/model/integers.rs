//! Weights stored as integers of eight bits.

use super::format::parameter;
use crate::checkpoint::error::ContentError;
use dapple_graph::{IntegerWeights, ParamSpec};

/// Behind the name of a parameter: the tensor with the scales, one for each entry of its first axis. That is an output channel, and
/// of a transposed convolution an input channel.
pub(in crate::checkpoint) const SCALE: &str = ".int8_scale";

/// The name of the tensor with a parameter's scales.
pub(super) fn scale_name(spec: &ParamSpec) -> String {
    format!("{}{SCALE}", spec.name)
}

/// The bytes of the integers and of the scales of a parameter, whose values must be exactly the numbers of integers.
pub(super) fn encode(spec: &ParamSpec, values: &[f32]) -> Result<[Vec<u8>; 2], ContentError> {
    let integers = IntegerWeights::of(values, spec.shape[0]);
    if integers.numbers() != values {
        return Err(parameter(
            &spec.name,
            "it is quantized, but its values are not those of integers with scales",
        ));
    }
    let scales = integers.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
    Ok([integers.values.iter().map(|value| value.to_le_bytes()[0]).collect(), scales])
}

/// The bytes of the nearest integers to a parameter's values, and of their scales. Reading them and writing them again changes
/// nothing.
pub(super) fn encode_rounded(spec: &ParamSpec, values: &[f32]) -> Result<[Vec<u8>; 2], ContentError> {
    encode(spec, &IntegerWeights::to_keep(values, spec.shape[0]).numbers())
}

/// The values of a parameter from the bytes of its integers and scales, one of these for each entry of its first axis.
pub(super) fn decode(integers: &[u8], scales: &[u8]) -> Vec<f32> {
    let scales = scales.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    IntegerWeights { values: integers.iter().map(|&byte| i8::from_le_bytes([byte])).collect(), scales }
        .numbers()
}
