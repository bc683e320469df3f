//! Attributes where readers of the standard easily differ. What is wanted is what onnxruntime 1.23 gives.

use super::{bytes, counting, file, float, floats, int, ints, node, read, result, text, values, whole, with};
use dapple_graph::{Shape, Tensor};
use dapple_onnx::Ending;
use dapple_onnx::proto::{DataType, NodeProto, TensorProto};

/// The result of nodes over an image, by an operator set.
fn made(opset: i64, input: &Tensor, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<f32> {
    values(&result(&file(opset, [1, input.shape.c as i64, 0, 0], nodes, constants), input))
}

/// The reason why a model for images of so many channels is refused.
fn refused(opset: i64, channels: i64, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> String {
    let found = read(&file(opset, [1, channels, 0, 0], nodes, constants), [8, 8]);
    found.err().map(|error| error.to_string()).expect("it cannot be read")
}

#[test]
fn the_larger_half_of_a_transposed_convolutions_padding_stands_before() {
    let input = Tensor::new(Shape::new(1, 1, 2, 1), vec![1.0, 10.0]);
    // Whole, the result is 1, 2, 13, 20, 30.
    for (automatic, wanted) in [
        ("NOTSET", [2.0, 13.0, 20.0, 30.0]),
        ("SAME_LOWER", [2.0, 13.0, 20.0, 30.0]),
        ("SAME_UPPER", [1.0, 2.0, 13.0, 20.0]),
    ] {
        let settings = vec![
            text("auto_pad", automatic),
            ints("strides", &[1, 2]),
            ints("output_shape", &[1, 4]),
            ints("pads", &[0, 0, 0, 0]),
        ];
        let up = with(node("ConvTranspose", &["x", "w"], &["y"]), settings);
        let weights = vec![floats("w", &[1, 1, 1, 3], &[1.0, 2.0, 3.0])];
        assert_eq!(made(17, &input, vec![up], weights), wanted, "{automatic}");
    }
}

#[test]
fn slices_backwards_start_within_the_tensor() {
    let slice = || vec![node("Slice", &["x", "from", "to", "axis", "step"], &["y"])];
    let places = |from: i64, to: i64, axis: i64, step: i64| {
        vec![whole("from", &[from]), whole("to", &[to]), whole("axis", &[axis]), whole("step", &[step])]
    };
    assert_eq!(made(17, &counting(2, 5, 1), slice(), places(-10, -20, 3, -1)), [0.0, 5.0]);
    let backwards = places(-1, i64::from(i32::MIN), 1, -2);
    assert_eq!(made(17, &counting(1, 2, 5), slice(), backwards), [4.0, 2.0, 0.0, 9.0, 7.0, 5.0]);
}

#[test]
fn rests_have_the_sign_that_the_file_says() {
    for (fmod, wanted) in [(1, [-1.0, 0.0]), (0, [2.0, 3.0])] {
        let nodes = vec![
            with(node("Mod", &["a", "b"], &["m"]), vec![int("fmod", fmod)]),
            with(node("Cast", &["m"], &["f"]), vec![int("to", 1)]),
            node("Add", &["x", "f"], &["y"]),
        ];
        let constants = vec![whole("a", &[-7]), whole("b", &[3])];
        assert_eq!(made(17, &counting(1, 2, 1), nodes, constants), wanted);
    }
}

#[test]
fn no_axes_are_all_of_them_or_none() {
    let input = counting(1, 2, 2);
    for (none, wanted) in [(0, [-6.0, -5.0, -4.0, -3.0]), (1, [0.0; 4])] {
        let nodes = vec![
            with(node("ReduceSum", &["x", "axes"], &["sum"]), vec![int("noop_with_empty_axes", none)]),
            node("Sub", &["x", "sum"], &["y"]),
        ];
        assert_eq!(made(17, &input, nodes, vec![whole("axes", &[])]), wanted);
    }
}

#[test]
fn quantized_numbers_have_the_type_that_the_node_names() {
    let nodes = vec![
        with(node("QuantizeLinear", &["x", "scale"], &["q"]), vec![int("output_dtype", 3)]),
        node("DequantizeLinear", &["q", "scale"], &["y"]),
    ];
    let input = Tensor::new(Shape::new(1, 1, 3, 1), vec![-5.0, 5.0, 20.0]);
    let found = made(21, &input, nodes, vec![floats("scale", &[], &[0.1])]);
    assert!(found.iter().zip([-5.0, 5.0, 12.7]).all(|(f, w)| (f - w).abs() < 1e-3), "{found:?}");
}

#[test]
fn weights_are_rounded_where_the_file_quantizes_them_itself() {
    let nodes = vec![
        node("QuantizeLinear", &["w", "scale", "zero"], &["q"]),
        node("DequantizeLinear", &["q", "scale", "zero"], &["weight"]),
        node("Conv", &["x", "weight"], &["y"]),
    ];
    // 2.03 / 0.5 is 4 steps, and 100 is beyond the type: (127 - 1) / 2.
    let constants = vec![
        floats("w", &[2, 1, 1, 1], &[2.03, 100.0]),
        floats("scale", &[], &[0.5]),
        bytes("zero", &[], DataType::Int8, &[1]),
    ];
    let input = Tensor::new(Shape::new(1, 1, 2, 1), vec![1.0, 3.0]);
    assert_eq!(made(17, &input, nodes, constants), [2.0, 63.0, 6.0, 189.0]);
}

#[test]
fn far_bounds_leave_values_within_as_they_are() {
    let input = Tensor::new(Shape::new(1, 1, 4, 1), vec![-1e6, 1.234_567e-4, -0.765_432_1, 70_000.0]);
    for (least, most) in [(-65504.0, 65504.0), (-65504.0, f32::INFINITY), (f32::NEG_INFINITY, 65504.0)] {
        let settings = vec![float("min", least), float("max", most)];
        let clip = with(node("Clip", &["x"], &["y"]), settings);
        let found = result(&file(10, [1, 1, 0, 0], vec![clip], Vec::new()), &input).data;
        for (found, value) in found.iter().zip(&input.data) {
            let wanted = f64::from(value.max(least).min(most));
            assert!((found - wanted).abs() <= 1e-7 * wanted.abs(), "{least} {most}: {found}, not {wanted}");
        }
    }
}

#[test]
fn layers_in_training_mode_are_refused() {
    let ones = |name: &str| floats(name, &[3], &[1.0; 3]);
    let norm = node("BatchNormalization", &["x", "s", "b", "m", "v"], &["y", "mean", "var"]);
    let said = refused(9, 3, vec![norm], vec![ones("s"), ones("b"), ones("m"), ones("v")]);
    assert!(said.contains("training mode"), "{said}");
    let dropout = || vec![node("Dropout", &["x", "ratio", "mode"], &["d"]), node("Neg", &["d"], &["y"])];
    let settings =
        |mode: i32| vec![floats("ratio", &[], &[0.5]), bytes("mode", &[], DataType::Bool, &[mode])];
    let said = refused(17, 3, dropout(), settings(1));
    assert!(said.contains("training mode"), "{said}");
    assert_eq!(made(17, &counting(1, 2, 1), dropout(), settings(0)), [0.0, -1.0]);
}

#[test]
fn parameters_of_groups_are_as_many_as_the_groups() {
    let norm = || {
        let norm = node("GroupNormalization", &["x", "s", "b"], &["y"]);
        vec![with(norm, vec![int("num_groups", 2)])]
    };
    let params = |count: usize| {
        let ones = |name: &str| floats(name, &[count as i64], &vec![1.0; count]);
        vec![ones("s"), ones("b")]
    };
    let input = Tensor::new(Shape::new(1, 1, 2, 4), vec![0.0, 2.0, 5.0, 5.0, 2.0, 0.0, 7.0, 7.0]);
    for count in [2, 4] {
        let found = made(21, &input, norm(), params(count));
        assert_eq!(found, [0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0], "{count}");
    }
    let said = refused(21, 4, norm(), params(3));
    assert!(said.contains("for each of 4 channels"), "{said}");
}

#[test]
fn a_choice_goes_over_the_channels_also_behind_a_transposition() {
    let nodes = |axis: i64| {
        vec![
            node("Relu", &["x"], &["logits"]),
            with(node("Softmax", &["logits"], &["shares"]), vec![int("axis", 1)]),
            with(node("Transpose", &["shares"], &["last"]), vec![ints("perm", &[0, 2, 3, 1])]),
            with(node("ArgMax", &["last"], &["y"]), vec![int("axis", axis), int("keepdims", 0)]),
        ]
    };
    for axis in [3, -1] {
        let found = read(&file(17, [1, 3, 0, 0], nodes(axis), Vec::new()), [8, 8]);
        assert_eq!(found.map(|found| (found.ending, found.logits)), Ok((Ending::ArgMax, 3)));
    }
    // Over the rows, as it stands behind the transposition.
    let said = refused(17, 3, nodes(1), Vec::new());
    assert!(said.contains("another axis"), "{said}");
}

#[test]
fn values_behind_a_sigmoid_are_not_taken_for_logits() {
    let sigmoid = || node("Sigmoid", &["r"], &["s"]);
    let relu = || node("Relu", &["x"], &["r"]);
    let constants = || vec![floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]), floats("white", &[], &[255.0])];
    for behind in [
        with(node("Resize", &["s", "", "scales"], &["y"]), vec![text("mode", "nearest")]),
        node("Mul", &["s", "white"], &["y"]),
        node("Sub", &["white", "s"], &["y"]),
        with(node("Concat", &["s", "s"], &["y"]), vec![int("axis", 1)]),
    ] {
        let said = refused(17, 1, vec![relu(), sigmoid(), behind], constants());
        assert!(said.contains("no logits"), "{said}");
    }
    // A quantized file rounds them.
    let rounded = vec![
        relu(),
        sigmoid(),
        node("QuantizeLinear", &["s", "step", "low"], &["q"]),
        node("DequantizeLinear", &["q", "step", "low"], &["y"]),
    ];
    let constants = vec![floats("step", &[], &[1.0 / 255.0]), bytes("low", &[], DataType::Uint8, &[0])];
    let found = read(&file(17, [1, 1, 0, 0], rounded, constants), [8, 8]);
    assert_eq!(found.map(|found| found.ending), Ok(Ending::Sigmoid));
    // As a gate it is a part of the network.
    let gate = node("Mul", &["s", "x"], &["y"]);
    assert!(read(&file(17, [1, 1, 0, 0], vec![relu(), sigmoid(), gate], Vec::new()), [8, 8]).is_ok());
}

#[test]
fn products_of_channels_with_channels_are_no_attention() {
    // Of one pixel, `[channels, 1]` by `[1, channels]` looks like queries and keys.
    let nodes = vec![
        node("GlobalAveragePool", &["x"], &["pooled"]),
        node("Reshape", &["pooled", "column"], &["c"]),
        node("Reshape", &["pooled", "row"], &["r"]),
        node("MatMul", &["c", "r"], &["scores"]),
        with(node("Softmax", &["scores"], &["shares"]), vec![int("axis", -1)]),
        node("MatMul", &["shares", "c"], &["mixed"]),
        node("Reshape", &["mixed", "image"], &["gate"]),
        node("Mul", &["x", "gate"], &["y"]),
    ];
    let constants =
        vec![whole("column", &[1, 2, 1]), whole("row", &[1, 1, 2]), whole("image", &[1, 2, 1, 1])];
    let said = refused(17, 2, nodes, constants);
    assert!(said.contains("nor attention"), "{said}");
}

#[test]
fn names_that_stand_for_two_values_are_refused() {
    let one = || floats("w", &[], &[1.0]);
    let said = refused(17, 3, vec![node("Add", &["x", "w"], &["y"])], vec![one(), one()]);
    assert!(said.contains("two of its constants are called `w`"), "{said}");
    for name in ["w", "x"] {
        let nodes = vec![node("Relu", &["x"], &[name]), node("Add", &["x", "w"], &["y"])];
        let said = refused(17, 3, nodes, vec![one()]);
        assert!(said.contains("its input or a constant"), "{said}");
    }
}
