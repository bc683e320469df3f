//! Quantization of maps, which are kept as fractions: only the range of the quantized numbers stays.

use super::activation::clip;
use super::builder::Builder;
use super::call::Call;
use super::constant::Constant;
use super::numbers::quantized_type;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};

/// `QuantizeLinear` of a map: the range that its numbers have. Exporters leave activations out that this range makes needless.
pub(crate) fn quantize(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let Some(scale) = call.needed(1, "scale")?.scalar() else {
        return refuse("each channel has a scale of its own");
    };
    let (_, [least, most]) = quantized_type(call)?;
    let zero = call.known(2, "zero point")?.map_or(Some(0.0), Constant::scalar);
    let Some(zero) = zero else { return refuse("each channel has a zero point of its own") };
    if !(scale.is_finite() && scale > 0.0) {
        return refuse(format!("its scale is {scale}"));
    }
    b.quantized += 1;
    let x = b.plain(map)?;
    let node = clip(b, x, (least - zero) * scale, (most - zero) * scale)?;
    b.quantizers.insert(node, [scale.to_bits(), zero.to_bits()]);
    Ok(Value::Map(Map { node, view: map.view.clone(), factor: 1.0 }))
}

/// `DequantizeLinear` of a map, which undoes the quantization that made it.
pub(crate) fn dequantize(b: &Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let scale = call.needed(1, "scale")?.scalar().map(f32::to_bits);
    let zero = call.known(2, "zero point")?.and_then(|zero| zero.scalar()).unwrap_or(0.0).to_bits();
    match (b.quantizers.get(&map.node), scale) {
        (Some(of), Some(scale)) if *of == [scale, zero] => Ok(Value::Map(map.clone())),
        _ => refuse("it does not undo the QuantizeLinear before it"),
    }
}
