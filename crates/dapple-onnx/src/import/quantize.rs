//! Quantization of maps, which are kept as fractions: only the range of the quantized numbers stays.

use super::activation::clip;
use super::builder::Builder;
use super::call::Call;
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use crate::proto::DataType;

/// `QuantizeLinear` of a map: the range that its numbers have. Exporters leave activations out that this range makes needless.
pub(crate) fn quantize(b: &mut Builder, call: &Call<'_>) -> Result<Value, Refusal> {
    let map = call.map(0)?;
    let Some(scale) = call.needed(1, "scale")?.scalar() else {
        return refuse("each channel has a scale of its own");
    };
    let zero = call.known(2, "zero point")?;
    // Without a zero point, newer operator sets name the type.
    let kind = match (zero, call.int("output_dtype").unwrap_or(0)) {
        (Some(zero), _) => Some(zero.kind),
        (None, 0) => Some(DataType::Uint8),
        (None, number) => i32::try_from(number).ok().and_then(|number| DataType::try_from(number).ok()),
    };
    let zero = zero.map_or(Some(0.0), |zero| zero.scalar());
    let Some(zero) = zero else { return refuse("each channel has a zero point of its own") };
    let (least, most) = match kind {
        Some(DataType::Uint8) => (0.0, 255.0),
        Some(DataType::Int8) => (-128.0, 127.0),
        Some(DataType::Uint16) => (0.0, 65535.0),
        Some(DataType::Int16) => (-32768.0, 32767.0),
        _ => return refuse("it makes numbers of other types than 8 and 16 bits"),
    };
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
