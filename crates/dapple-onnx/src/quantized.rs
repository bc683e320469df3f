//! Quantized convolutions: `QuantizeLinear` and `DequantizeLinear` around numbers, the form from which runtimes make kernels of
//! integers.

use crate::proto::DataType;
use crate::writer::{Value, Writer};
use dapple_graph::{Affine, IntegerWeights, ParamId};

/// Magnitude of a bias in integers beyond which it stays a number.
const MOST: f64 = (1u32 << 30) as f64;

/// The inputs of a convolution that computes in integers: its input rounded to them, its weight in integers with a scale for
/// each output channel, and its bias in integers of their product. None for another convolution.
pub(crate) fn inputs(w: &mut Writer, x: &str, weight: ParamId, bias: Option<ParamId>) -> Option<Vec<Value>> {
    let spec = w.graph.param(weight);
    let affine = *w.quantization?.inputs.get(&spec.name)?;
    let integers = IntegerWeights::of(w.state.slice(weight.0), spec.shape[0]);
    let mut inputs = vec![rounded(w, x, affine)];
    let data = integers.values.iter().map(|value| value.to_le_bytes()[0]).collect();
    inputs.push(w.integer_parameter(weight, DataType::Int8, data, &integers.scales));
    if let Some(bias) = bias {
        let scales: Vec<f32> = integers.scales.iter().map(|scale| scale * affine.scale).collect();
        let values = w.state.slice(bias.0).iter().zip(&scales);
        let steps: Vec<f64> =
            values.map(|(&value, &scale)| (f64::from(value) / f64::from(scale)).round()).collect();
        let fits = steps.iter().all(|step| step.abs() <= MOST) && scales.iter().all(|scale| *scale > 0.0);
        inputs.push(if fits {
            let data = steps.iter().flat_map(|&step| (step as i32).to_le_bytes()).collect();
            w.integer_parameter(bias, DataType::Int32, data, &scales)
        } else {
            w.parameter(bias)
        });
    }
    Some(inputs)
}

/// A value rounded to the numbers of integers; the same ones once.
fn rounded(w: &mut Writer, x: &str, affine: Affine) -> Value {
    let key = (x.to_owned(), affine.scale.to_bits(), affine.zero);
    if let Some(value) = w.rounded.get(&key) {
        return value.clone();
    }
    let scale = w.scalar(affine.scale);
    let zero = w.constant(DataType::Uint8, Vec::new(), vec![affine.zero]);
    let integers = w.emit("QuantizeLinear", &[x, &scale, &zero], Vec::new());
    let value = w.emit("DequantizeLinear", &[&integers, &scale, &zero], Vec::new());
    w.rounded.insert(key, value.clone());
    value
}
