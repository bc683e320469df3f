//! Files that cannot be read: one message, never a panic.

use super::{file, floats, graph, int, ints, node, read, text, whole, with};
use dapple_graph::{Network, Shape};
use dapple_onnx::proto::{ModelProto, StringStringEntryProto, TensorProto};
use dapple_onnx::{ImportError, ImportOptions, OnnxFile, Preparation};
use prost::Message;

fn refused(bytes: &[u8]) -> String {
    read(bytes, [8, 8]).err().map(|error| error.to_string()).expect("it cannot be read")
}

#[test]
fn all_nodes_that_cannot_be_read_are_listed_at_once() {
    let nodes = vec![
        node("Relu", &["x"], &["a"]),
        node("Mystery", &["a"], &["b"]),
        node("GridSample", &["a", "b"], &["c"]),
        with(node("Resize", &["x", "", "scales"], &["d"]), vec![text("mode", "cubic")]),
        node("Add", &["c", "d"], &["y"]),
        // Nothing needs it.
        node("NonMaxSuppression", &["x"], &["aside"]),
    ];
    let bytes = file(17, [1, 3, 0, 0], nodes, vec![floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0])]);
    let Err(ImportError::Nodes(unread)) = read(&bytes, [8, 8]) else { panic!("it cannot be read") };
    let found: Vec<&str> = unread.iter().map(|node| node.operator.as_str()).collect();
    assert_eq!(found, ["Mystery", "GridSample", "Resize"]);
    let message = refused(&bytes);
    assert!(message.contains("3 of its nodes") && message.contains("`node of d`"), "{message}");
    assert!(!message.contains("NonMaxSuppression"), "{message}");
}

#[test]
fn files_without_a_network_say_so() {
    for bytes in [&b""[..], b"not a model", &[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[8, 8]] {
        assert!(refused(bytes).contains("no ONNX model"), "{}", refused(bytes));
    }
    let relu = || vec![node("Relu", &["x"], &["y"])];
    for opset in [1, 8, 23, i64::MAX] {
        assert!(refused(&file(opset, [1, 3, 0, 0], relu(), Vec::new())).contains("opset"));
    }
    // Nodes out of order, and values made twice.
    let loose = vec![node("Relu", &["b"], &["y"]), node("Relu", &["x"], &["b"])];
    assert!(refused(&file(17, [1, 3, 0, 0], loose, Vec::new())).contains("which nothing before it makes"));
    let twice = vec![node("Relu", &["x"], &["y"]), node("Neg", &["x"], &["y"])];
    assert!(refused(&file(17, [1, 3, 0, 0], twice, Vec::new())).contains("two nodes"));
    assert!(
        refused(&file(17, [1, 3, 0, 0], vec![node("Relu", &["x"], &["z"])], Vec::new())).contains("output")
    );
    let any = file(17, [0, 0, 0, 0], relu(), Vec::new());
    let error = OnnxFile::from_bytes(&any).and_then(|file| file.layout(None)).expect_err("it does not tell");
    assert!(error.to_string().contains("--layout"), "{error}");
}

#[test]
fn hostile_tensors_are_refused() {
    let conv = || vec![node("Conv", &["x", "w"], &["y"])];
    let tensors = [
        // More elements than there are, and shapes that overflow.
        floats("w", &[1 << 40, 1 << 40], &[]),
        floats("w", &[4, 3, 3, 3], &[1.0]),
        floats("w", &[-1], &[1.0]),
        floats("w", &[0, 3, 1, 1], &[]),
        TensorProto { data_type: Some(99), ..floats("w", &[1], &[1.0]) },
        floats("w", &[1, 3, 1, 1], &[f32::NAN; 3]),
    ];
    for tensor in tensors {
        let dims = tensor.dims.clone();
        assert!(read(&file(17, [1, 3, 0, 0], conv(), vec![tensor]), [8, 8]).is_err(), "{dims:?}");
    }
    // Values in other files: none without a folder, none outside of it.
    let outside = |location: &str| {
        let entry = StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
        let tensor = TensorProto {
            data_location: Some(1),
            external_data: vec![entry],
            ..floats("w", &[1, 3, 1, 1], &[])
        };
        file(17, [1, 3, 0, 0], conv(), vec![tensor])
    };
    assert!(refused(&outside("w.data")).contains("another file"));
}

#[test]
fn weights_in_a_file_beside_the_model_are_read_and_no_others() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("dapple-onnx-outside-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let write = |location: &str, offset: &str| -> Result<std::path::PathBuf, std::io::Error> {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        let external_data = vec![entry("location", location), entry("offset", offset), entry("length", "12")];
        let tensor = TensorProto { data_location: Some(1), external_data, ..floats("w", &[1, 3, 1, 1], &[]) };
        let path = folder.join("model.onnx");
        std::fs::write(&path, file(17, [1, 3, 0, 0], vec![node("Conv", &["x", "w"], &["y"])], vec![tensor]))?;
        Ok(path)
    };
    let values: Vec<u8> = [7.0f32, 1.0, 2.0, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(folder.join("model.onnx.data"), values)?;
    let found = OnnxFile::read(&write("model.onnx.data", "4")?)?.import(&ImportOptions::default())?;
    assert_eq!(found.state.values, [1.0, 2.0, 3.0]);
    for (location, offset, why) in [
        ("../model.onnx.data", "4", "outside"),
        ("/etc/passwd", "0", "outside"),
        ("model.onnx.data", "8", "fewer"),
        ("model.onnx.data", "-1", "offset"),
        ("missing.data", "0", "missing.data"),
    ] {
        let error = OnnxFile::read(&write(location, offset)?).expect_err(location).to_string();
        assert!(error.contains(why), "{error}");
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[test]
fn hostile_numbers_end_with_an_error() {
    let huge = i64::MAX;
    let cases = [
        with(node("Conv", &["x", "w"], &["y"]), vec![ints("pads", &[huge; 4])]),
        with(node("Conv", &["x", "w"], &["y"]), vec![ints("strides", &[0, 0])]),
        with(node("Conv", &["x", "w"], &["y"]), vec![ints("dilations", &[-1, 1])]),
        with(node("Conv", &["x", "w"], &["y"]), vec![int("group", 0)]),
        with(node("MaxPool", &["x"], &["y"]), vec![ints("kernel_shape", &[huge, huge])]),
        with(node("MaxPool", &["x"], &["y"]), vec![ints("kernel_shape", &[65536, 65536])]),
        with(node("DepthToSpace", &["x"], &["y"]), vec![int("blocksize", huge)]),
        with(node("Transpose", &["x"], &["y"]), vec![ints("perm", &[0, 0, 0, 0])]),
        node("Reshape", &["x", "sides"], &["y"]),
        node("Tile", &["x", "sides"], &["y"]),
        node("Resize", &["x", "", "scales"], &["y"]),
        node("Pad", &["x", "sides"], &["y"]),
        node("Slice", &["x", "sides", "sides"], &["y"]),
        with(node("Gather", &["x", "sides"], &["y"]), vec![int("axis", huge)]),
        with(node("Concat", &["x", "x"], &["y"]), vec![int("axis", -9)]),
        node("ConstantOfShape", &["sides"], &["y"]),
        node("If", &["w"], &["y"]),
        with(node("ReduceMean", &["x"], &["y"]), vec![ints("axes", &[huge])]),
        with(node("ReduceMean", &["x"], &["y"]), vec![ints("axes", &[1, 1])]),
        with(node("GroupNormalization", &["x", "w", "w"], &["y"]), vec![int("num_groups", huge)]),
    ];
    for case in cases {
        let name = case.op_type().to_owned();
        let constants = vec![
            floats("w", &[1, 3, 1, 1], &[1.0; 3]),
            whole("sides", &[huge, huge, huge, huge]),
            floats("scales", &[4], &[1.0, 1.0, f32::MAX, f32::NAN]),
        ];
        assert!(read(&file(17, [1, 3, 0, 0], vec![case], constants), [8, 8]).is_err(), "{name}");
    }
}

#[test]
fn branches_within_branches_end() {
    let mut inner = graph(vec![node("Relu", &["x"], &["a"])], "a");
    for _ in 0..40 {
        let held = with(node("If", &["c"], &["a"]), vec![super::branch("then_branch", inner)]);
        inner = graph(vec![held], "a");
    }
    let last = with(node("If", &["c"], &["y"]), vec![super::branch("then_branch", inner)]);
    let message = refused(&file(17, [1, 3, 0, 0], vec![last], vec![floats("c", &[], &[1.0])]));
    assert!(message.contains("branches") || message.contains("no ONNX model"), "{message}");
}

#[test]
fn a_file_of_one_size_is_not_run_at_another() {
    let bytes = file(17, [1, 3, 16, 24], vec![node("Relu", &["x"], &["y"])], Vec::new());
    let file = OnnxFile::from_bytes(&bytes).expect("a model");
    let found = file.import(&ImportOptions::default()).expect("it is read at its size");
    assert_eq!((found.network.size(), found.network.is_fixed()), ([16, 24], true));
    assert!(found.network.build(Shape::new(2, 16, 24, 3)).is_ok());
    let huge = super::file(17, [1, 3, 60_000, 60_000], vec![node("Relu", &["x"], &["y"])], Vec::new());
    let huge = OnnxFile::from_bytes(&huge).and_then(|file| file.import(&ImportOptions::default()));
    assert!(huge.is_err_and(|error| error.to_string().contains("4096 x 4096 in all")));
    let error = found.network.build(Shape::new(1, 32, 24, 3)).expect_err("it takes one size").to_string();
    assert!(error.contains("16 x 24"), "{error}");
    assert!(file.import(&ImportOptions { size: Some([8, 8]), ..ImportOptions::default() }).is_err());
}

#[test]
fn pixels_are_prepared_by_the_first_operation() {
    let bytes = file(17, [1, 3, 0, 0], vec![node("Relu", &["x"], &["y"])], Vec::new());
    let preparation = Preparation { scale: vec![2.0, 3.0, 4.0], shift: vec![0.0, 1.0, -1.0], reversed: true };
    let options =
        ImportOptions { size: Some([1, 2]), preparation: Some(preparation), ..ImportOptions::default() };
    let found = OnnxFile::from_bytes(&bytes).and_then(|file| file.import(&options)).expect("it is read");
    let input = super::counting(1, 2, 3);
    let graph = found.network.build(input.shape).expect("it takes any size");
    // Blue, green, red: (2, 1, 0) and (5, 4, 3).
    let made = super::values(&super::logits(&graph, &found.state, &input));
    assert_eq!(made, [4.0, 4.0, 0.0, 10.0, 13.0, 11.0]);
}

#[test]
fn cut_and_flipped_bytes_never_panic() {
    let nodes = vec![
        node("Conv", &["x", "w"], &["c"]),
        with(node("Resize", &["c", "", "scales"], &["r"]), vec![text("mode", "nearest")]),
        node("Sigmoid", &["r"], &["y"]),
    ];
    let constants =
        vec![floats("w", &[2, 3, 1, 1], &[0.5; 6]), floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0])];
    let whole = file(17, [1, 3, 4, 4], nodes, constants);
    assert!(ModelProto::decode(&whole[..]).is_ok());
    for at in 0..whole.len() {
        let _ = read(&whole[..at], [4, 4]);
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let _ = read(&bytes, [4, 4]);
        }
    }
}
