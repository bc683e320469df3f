//! Convolutions.

use crate::attributes::{int, ints};
use crate::quantized;
use crate::writer::{Value, Writer};
use dapple_graph::{Conv2d, ConvTranspose2d, ParamId};

/// ONNX's `Conv` takes weights `[out, in / groups, kh, kw]`, as dapple stores them.
pub(crate) fn conv(w: &mut Writer, x: &str, weight: ParamId, bias: Option<ParamId>, conv: &Conv2d) -> Value {
    let attributes = vec![
        ints("kernel_shape", conv.kernel),
        ints("strides", conv.stride),
        ints("pads", both_ends(conv.padding)),
        ints("dilations", conv.dilation),
        int("group", conv.groups as i64),
    ];
    match quantized::inputs(w, x, weight, bias) {
        Some(inputs) => {
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            w.emit("Conv", &inputs, attributes)
        }
        None => with_parameters(w, "Conv", x, weight, bias, attributes),
    }
}

/// A 1 x 1 convolution as a linear layer over tokens. Runtimes transpose its weight once, when they load the model.
pub(crate) fn linear(w: &mut Writer, x: &str, weight: ParamId, bias: Option<ParamId>) -> Value {
    let [outs, ins] = [0, 1].map(|axis| w.graph.param(weight).shape[axis] as i64);
    let inputs = match quantized::inputs(w, x, weight, bias) {
        Some(inputs) => inputs,
        None => [x.to_owned(), w.parameter(weight)].into_iter().chain(bias.map(|b| w.parameter(b))).collect(),
    };
    let flat = w.ints(&[outs, ins]);
    let matrix = w.emit("Reshape", &[&inputs[1], &flat], Vec::new());
    let matrix = w.emit("Transpose", &[&matrix], vec![ints("perm", [1, 0])]);
    let y = w.emit("MatMul", &[&inputs[0], &matrix], Vec::new());
    match inputs.get(2) {
        Some(bias) => w.emit("Add", &[&y, bias], Vec::new()),
        None => y,
    }
}

/// Whether a convolution sees one pixel at a time.
pub(crate) fn is_pointwise(conv: &Conv2d) -> bool {
    conv.kernel == [1, 1] && conv.stride == [1, 1] && conv.padding == [0, 0] && conv.groups == 1
}

/// `ConvTranspose` takes weights `[in, out, kh, kw]`, as dapple stores them.
pub(crate) fn transposed(
    w: &mut Writer,
    x: &str,
    weight: ParamId,
    bias: Option<ParamId>,
    conv: &ConvTranspose2d,
) -> Value {
    let attributes = vec![
        ints("kernel_shape", conv.kernel),
        ints("strides", conv.stride),
        ints("pads", both_ends(conv.padding)),
    ];
    with_parameters(w, "ConvTranspose", x, weight, bias, attributes)
}

fn with_parameters(
    w: &mut Writer,
    op: &str,
    x: &str,
    weight: ParamId,
    bias: Option<ParamId>,
    attributes: Vec<crate::proto::AttributeProto>,
) -> Value {
    let weight = w.parameter(weight);
    let bias = bias.map(|bias| w.parameter(bias));
    let inputs: Vec<&str> = [x, &weight].into_iter().chain(bias.as_deref()).collect();
    w.emit(op, &inputs, attributes)
}

/// ONNX's order: above, left, below, right.
pub(crate) fn both_ends([height, width]: [usize; 2]) -> [usize; 4] {
    [height, width, height, width]
}
