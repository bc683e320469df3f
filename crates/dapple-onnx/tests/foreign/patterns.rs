//! Patterns of other exporters, by hand.

use super::{
    branch, bytes, counting, file, float, floats, graph, int, ints, node, read, result, text, values, whole,
    with,
};
use dapple_graph::{Network, Shape, Tensor};
use dapple_onnx::proto::{DataType, NodeProto, TensorProto};
use dapple_onnx::{Ending, Imported};

/// One channel whose values are given.
fn image(h: usize, w: usize, values: &[f32]) -> Tensor {
    Tensor::new(Shape::new(1, h, w, 1), values.to_vec())
}

/// The result of nodes over an image of this many channels.
fn made(input: &Tensor, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<f32> {
    values(&result(&file(17, [1, input.shape.c as i64, 0, 0], nodes, constants), input))
}

#[test]
fn activations_are_composed() {
    let input = image(1, 4, &[-4.0, -0.5, 0.5, 8.0]);
    let one = |op: &str| node(op, &["x"], &["y"]);
    let cases: [(NodeProto, [f32; 4]); 12] = [
        (with(one("LeakyRelu"), vec![float("alpha", 0.1)]), [-0.4, -0.05, 0.5, 8.0]),
        (one("Abs"), [4.0, 0.5, 0.5, 8.0]),
        (one("Neg"), [4.0, 0.5, -0.5, -8.0]),
        (with(one("HardSigmoid"), vec![float("alpha", 0.25), float("beta", 0.5)]), [0.0, 0.375, 0.625, 1.0]),
        (one("Tanh"), [-0.9993, -0.4621, 0.4621, 1.0]),
        (with(one("Clip"), vec![float("min", -1.0), float("max", 2.0)]), [-1.0, -0.5, 0.5, 2.0]),
        (node("Clip", &["x", "", "two"], &["y"]), [-4.0, -0.5, 0.5, 2.0]),
        (node("Max", &["x", "two"], &["y"]), [2.0, 2.0, 2.0, 8.0]),
        (node("PRelu", &["x", "half"], &["y"]), [-2.0, -0.25, 0.5, 8.0]),
        (node("Pow", &["x", "two"], &["y"]), [16.0, 0.25, 0.25, 64.0]),
        (node("Sub", &["two", "x"], &["y"]), [6.0, 2.5, 1.5, -6.0]),
        (node("Div", &["x", "two"], &["y"]), [-2.0, -0.25, 0.25, 4.0]),
    ];
    for (node, wanted) in cases {
        let constants = vec![floats("two", &[], &[2.0]), floats("half", &[1, 1, 1], &[0.5])];
        let found = made(&input, vec![node.clone()], constants);
        assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 2e-4), "{}: {found:?}", node.op_type());
    }
}

#[test]
fn gelu_and_layer_norm_are_recognized_in_their_parts() {
    // LayerNorm over the two channels of tokens, then GELU, as opset 11 has them.
    let input = Tensor::new(Shape::new(1, 1, 2, 2), vec![1.0, 3.0, -2.0, 6.0]);
    let constants = vec![
        whole("tokens", &[1, 2, 2]),
        whole("image", &[1, 2, 1, 2]),
        floats("two", &[], &[2.0]),
        floats("eps", &[], &[1e-5]),
        floats("root", &[], &[std::f32::consts::SQRT_2]),
        floats("one", &[], &[1.0]),
        floats("half", &[], &[0.5]),
        floats("scale", &[2], &[1.0, 2.0]),
        floats("shift", &[2], &[0.0, 1.0]),
    ];
    let mean =
        |input: &str, output: &str| with(node("ReduceMean", &[input], &[output]), vec![ints("axes", &[-1])]);
    let nodes = vec![
        node("Reshape", &["x", "tokens"], &["flat"]),
        with(node("Transpose", &["flat"], &["t"]), vec![ints("perm", &[0, 2, 1])]),
        mean("t", "mean"),
        node("Sub", &["t", "mean"], &["d"]),
        node("Pow", &["d", "two"], &["square"]),
        mean("square", "variance"),
        node("Add", &["variance", "eps"], &["sum"]),
        node("Sqrt", &["sum"], &["deviation"]),
        node("Div", &["d", "deviation"], &["normal"]),
        node("Mul", &["normal", "scale"], &["scaled"]),
        node("Add", &["scaled", "shift"], &["n"]),
        node("Div", &["n", "root"], &["r"]),
        node("Erf", &["r"], &["erf"]),
        node("Add", &["erf", "one"], &["gate"]),
        node("Mul", &["n", "gate"], &["product"]),
        node("Mul", &["product", "half"], &["gelu"]),
        with(node("Transpose", &["gelu"], &["back"]), vec![ints("perm", &[0, 2, 1])]),
        node("Reshape", &["back", "image"], &["y"]),
    ];
    let found = values(&result(&file(11, [1, 2, 0, 0], nodes, constants), &input));
    // Both pixels are -1 and 1 once they are normalized, then -1 and 3: -0.1587 and 2.9960.
    for (found, wanted) in found.iter().zip([-0.1587, 2.9960, -0.1587, 2.9960]) {
        assert!((found - wanted).abs() < 2e-3, "{found} is not {wanted}");
    }
}

#[test]
fn uneven_padding_stands_where_the_file_says() {
    let input = image(4, 4, &[1.0; 16]);
    let ones = || vec![floats("w", &[1, 1, 3, 3], &[1.0; 9])];
    let conv = |automatic: &str| {
        with(
            node("Conv", &["x", "w"], &["y"]),
            vec![text("auto_pad", automatic), ints("strides", &[2, 2]), ints("kernel_shape", &[3, 3])],
        )
    };
    assert_eq!(made(&input, vec![conv("SAME_UPPER")], ones()), [9.0, 6.0, 6.0, 4.0]);
    assert_eq!(made(&input, vec![conv("SAME_LOWER")], ones()), [4.0, 6.0, 6.0, 9.0]);
    let pad = with(node("Pad", &["x", "pads"], &["y"]), vec![text("mode", "constant")]);
    let found = made(&image(1, 2, &[1.0, 2.0]), vec![pad], vec![whole("pads", &[0, 0, 1, 2, 0, 0, 0, 1])]);
    assert_eq!(found, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0]);
    // Groups, dilation and output padding of a transposed convolution.
    let up = with(
        node("ConvTranspose", &["x", "w"], &["y"]),
        vec![ints("strides", &[2, 2]), ints("output_padding", &[1, 1]), int("group", 2)],
    );
    let input = Tensor::new(Shape::new(1, 1, 1, 2), vec![3.0, 5.0]);
    let found = made(&input, vec![up], vec![floats("w", &[2, 1, 1, 1], &[1.0, 10.0])]);
    assert_eq!(found, [3.0, 50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn blocks_of_pixels_become_channels_and_back() {
    let input = counting(1, 1, 4);
    let blocks =
        |op: &str, mode: &str| with(node(op, &["x"], &["y"]), vec![int("blocksize", 2), text("mode", mode)]);
    assert_eq!(made(&input, vec![blocks("DepthToSpace", "DCR")], Vec::new()), [0.0, 1.0, 2.0, 3.0]);
    let input = counting(1, 1, 8);
    let found = made(&input, vec![blocks("DepthToSpace", "DCR")], Vec::new());
    assert_eq!(found, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let found = made(&input, vec![blocks("DepthToSpace", "CRD")], Vec::new());
    assert_eq!(found, [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
    let input = image(2, 2, &[0.0, 1.0, 2.0, 3.0]);
    let deep = with(node("SpaceToDepth", &["x"], &["deep"]), vec![int("blocksize", 2)]);
    let back = with(node("DepthToSpace", &["deep"], &["y"]), vec![int("blocksize", 2)]);
    assert_eq!(made(&input, vec![deep, back], Vec::new()), [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn parts_of_channels_and_of_pixels_are_taken() {
    let input = counting(2, 2, 4);
    let slice = node("Slice", &["x", "from", "to", "axis"], &["y"]);
    let constants = vec![whole("from", &[1]), whole("to", &[3]), whole("axis", &[1])];
    assert_eq!(made(&input, vec![slice], constants), [1.0, 2.0, 5.0, 6.0, 9.0, 10.0, 13.0, 14.0]);
    let parts = with(node("Split", &["x"], &["a", "b"]), vec![int("axis", 1)]);
    let joined = with(node("Concat", &["b", "a"], &["y"]), vec![int("axis", 1)]);
    let found = made(&counting(1, 2, 4), vec![parts, joined], Vec::new());
    assert_eq!(found, [2.0, 3.0, 0.0, 1.0, 6.0, 7.0, 4.0, 5.0]);
    // Every second pixel, from the second one on.
    let slice = node("Slice", &["x", "from", "to", "axis", "step"], &["y"]);
    let constants = vec![whole("from", &[1]), whole("to", &[9]), whole("axis", &[3]), whole("step", &[2])];
    assert_eq!(made(&counting(2, 4, 1), vec![slice], constants), [1.0, 3.0, 5.0, 7.0]);
    // Queries, keys and values out of one linear layer: [1, 3, 2, pixels].
    let nodes = vec![
        node("Reshape", &["x", "three"], &["split"]),
        with(node("Gather", &["split", "last"], &["part"]), vec![int("axis", 1)]),
        node("Reshape", &["part", "image"], &["y"]),
    ];
    let mut last = whole("last", &[2]);
    last.dims = Vec::new();
    let constants = vec![whole("three", &[1, 3, 2, 2]), last, whole("image", &[1, 2, 1, 2])];
    assert_eq!(made(&counting(1, 2, 6), nodes, constants), [4.0, 5.0, 10.0, 11.0]);
}

#[test]
fn sampling_is_recognized_by_the_places_that_it_reads() {
    let input = image(1, 2, &[0.0, 4.0]);
    let resize = |mode: &str, coordinates: &str| {
        with(
            node("Resize", &["x", "", "scales"], &["y"]),
            vec![text("mode", mode), text("coordinate_transformation_mode", coordinates)],
        )
    };
    let scales = || vec![floats("scales", &[4], &[1.0, 1.0, 1.0, 2.0])];
    let found = made(&input, vec![resize("nearest", "half_pixel")], scales());
    assert_eq!(found, [0.0, 0.0, 4.0, 4.0]);
    let found = made(&input, vec![resize("linear", "pytorch_half_pixel")], scales());
    assert_eq!(found, [0.0, 1.0, 3.0, 4.0]);
    let found = made(&input, vec![resize("linear", "align_corners")], scales());
    assert!((found[1] - 4.0 / 3.0).abs() < 1e-3, "{found:?}");
    let old = with(node("Upsample", &["x", "scales"], &["y"]), vec![text("mode", "nearest")]);
    let found = values(&result(&file(9, [1, 1, 0, 0], vec![old], scales()), &input));
    assert_eq!(found, [0.0, 0.0, 4.0, 4.0]);
    for (mode, coordinates) in
        [("cubic", "half_pixel"), ("linear", "asymmetric"), ("linear", "tf_crop_and_resize")]
    {
        let bytes = file(13, [1, 1, 0, 0], vec![resize(mode, coordinates)], scales());
        let error = read(&bytes, [3, 5]).expect_err("it is not read").to_string();
        assert!(error.contains(mode) && error.contains("node of y"), "{error}");
    }
}

#[test]
fn quantized_models_are_computed_as_fractions_within_their_ranges() {
    let nodes = vec![
        node("DequantizeLinear", &["w", "scale", "zero"], &["weight"]),
        node("Conv", &["x", "weight"], &["c"]),
        node("QuantizeLinear", &["c", "step", "low"], &["q"]),
        node("DequantizeLinear", &["q", "step", "low"], &["y"]),
    ];
    let constants = vec![
        bytes("w", &[1, 1, 1, 1], DataType::Int8, &[5]),
        floats("scale", &[], &[0.5]),
        bytes("zero", &[], DataType::Int8, &[1]),
        floats("step", &[], &[0.1]),
        bytes("low", &[], DataType::Uint8, &[0]),
    ];
    // A weight of (5 - 1) / 2; what is below 0 and above 25.5 is cut off.
    let input = image(1, 3, &[-1.0, 3.0, 20.0]);
    let written = file(13, [1, 1, 0, 0], nodes, constants);
    assert_eq!(values(&result(&written, &input)), [0.0, 6.0, 25.5]);
    assert_eq!(read(&written, [4, 4]).map(|found| found.quantized), Ok(1));
}

#[test]
fn channels_may_stand_last() {
    let nodes = vec![
        with(node("Transpose", &["x"], &["first"]), vec![ints("perm", &[0, 3, 1, 2])]),
        node("Conv", &["first", "w"], &["c"]),
        with(node("Transpose", &["c"], &["last"]), vec![ints("perm", &[0, 2, 3, 1])]),
        with(node("Softmax", &["last"], &["y"]), vec![int("axis", -1)]),
    ];
    let constants = vec![floats("w", &[2, 3, 1, 1], &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0])];
    let written = file(13, [0, 0, 0, 3], nodes, constants);
    let read = dapple_onnx::OnnxFile::from_bytes(&written).and_then(|file| file.import(&Default::default()));
    let Imported { network, state, ending, .. } = read.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ending, Ending::Softmax);
    let input = counting(2, 1, 3);
    let graph = network.build(input.shape).expect("it takes any size");
    assert_eq!(values(&super::logits(&graph, &state, &input)), [0.0, 2.0, 3.0, 5.0]);
}

#[test]
fn branches_with_known_conditions_are_taken() {
    let condition = vec![
        node("Shape", &["x"], &["shape"]),
        with(node("Gather", &["shape", "axis"], &["height"]), vec![int("axis", 0)]),
        node("Equal", &["height", "four"], &["is_four"]),
        with(
            node("If", &["is_four"], &["y"]),
            vec![
                branch("then_branch", graph(vec![node("Neg", &["x"], &["a"])], "a")),
                branch("else_branch", graph(vec![node("Relu", &["x"], &["b"])], "b")),
            ],
        ),
    ];
    let constants = || vec![whole("axis", &[2]), whole("four", &[4])];
    let found = made(&image(4, 1, &[1.0; 4]), condition.clone(), constants());
    assert_eq!(found, [-1.0; 4]);
    let found = made(&image(3, 1, &[1.0; 3]), condition, constants());
    assert_eq!(found, [1.0; 3]);
}

#[test]
fn attention_with_joined_heads_is_recognized() {
    // One head of two channels: PyTorch's multi-head module joins batch and heads.
    let constants = vec![
        whole("flat", &[1, 2, 4]),
        whole("image", &[1, 2, 2, 2]),
        floats("root", &[], &[std::f32::consts::FRAC_1_SQRT_2]),
    ];
    let swap = |input: &str, output: &str| {
        with(node("Transpose", &[input], &[output]), vec![ints("perm", &[0, 2, 1])])
    };
    let nodes = vec![
        node("Reshape", &["x", "flat"], &["f"]),
        swap("f", "t"),
        node("Mul", &["t", "root"], &["q"]),
        swap("t", "k"),
        node("MatMul", &["q", "k"], &["scores"]),
        with(node("Softmax", &["scores"], &["shares"]), vec![int("axis", -1)]),
        node("MatMul", &["shares", "t"], &["o"]),
        swap("o", "back"),
        node("Reshape", &["back", "image"], &["y"]),
    ];
    let input = Tensor::new(Shape::new(1, 2, 2, 2), vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let found = made(&input, nodes, constants);
    // Zero queries take the mean of all values.
    assert_eq!(found[..2], [0.5, 0.5]);
    // The last one by hand: scores 0, 0.7071, 0.7071, 1.4142.
    let e = std::f64::consts::FRAC_1_SQRT_2.exp();
    let wanted = ((e + e * e) / (1.0 + 2.0 * e + e * e)) as f32;
    assert!((found[6] - wanted).abs() < 1e-3 && (found[7] - wanted).abs() < 1e-3, "{found:?}");
}

#[test]
fn stacked_maps_are_summed() {
    let first = |input: &str, output: &str| node("Unsqueeze", &[input, "front"], &[output]);
    let nodes = vec![
        node("Neg", &["x"], &["n"]),
        node("Add", &["n", "one"], &["m"]),
        first("x", "a"),
        first("m", "b"),
        first("x", "c"),
        with(node("Concat", &["a", "b", "c"], &["stack"]), vec![int("axis", 0)]),
        with(node("ReduceSum", &["stack", "front"], &["y"]), vec![int("keepdims", 0)]),
    ];
    let constants = || vec![whole("front", &[0]), floats("one", &[], &[1.0])];
    let input = counting(1, 2, 3);
    assert_eq!(made(&input, nodes.clone(), constants()), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // The same, of which the mean is taken.
    let mut nodes = nodes;
    let mean = with(node("ReduceMean", &["stack"], &["y"]), vec![ints("axes", &[0]), int("keepdims", 0)]);
    nodes.pop();
    nodes.push(mean);
    let found = made(&input, nodes, constants());
    assert!(found.iter().zip([1.0, 2.0, 3.0]).all(|(f, w)| (f - w / 3.0).abs() < 1e-3), "{found:?}");
}
