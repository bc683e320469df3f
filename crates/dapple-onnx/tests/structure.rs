//! The written models as protocol buffers, without a runtime; `check_onnx.py` runs them in onnxruntime.

mod foreign;

use std::collections::HashSet;

use dapple_base::Normalization;
use dapple_graph::{Affine, Conv2d, Graph, GraphError, Network, Quantization, Role, Shape, State};
use dapple_nets::NetConfig;
use dapple_nets::registry::{NetworkEntry, networks};
use dapple_onnx::proto::{AttributeType, DataType, DimensionProto, GraphProto, ModelProto, TensorProto};
use dapple_onnx::{OPSETS, OnnxError, Options, OutputFunction, Preprocessing, export, export_graph};
use dapple_reference::random;
use prost::Message;

fn decode(bytes: &[u8]) -> ModelProto {
    ModelProto::decode(bytes).expect("what was written can be read")
}

/// All networks without a choice of encoders, U-Net on each encoder, and each decoder on a few of them: an encoder is written in
/// the same way below all decoders.
fn sampled() -> impl Iterator<Item = &'static NetworkEntry> {
    const FEW: [&str; 3] = ["resnet18", "mobilenetv3-large", "mit-b0"];
    networks().iter().filter(|entry| {
        entry.family == "unet" || entry.encoder.is_none_or(|encoder| FEW.contains(&encoder.name))
    })
}

fn state_of(network: &dyn Network) -> State {
    random::state(&network.build(network.example_input()).expect("the example fits"), 1)
}

/// Checks everything that the standard asks of a graph apart from what operators mean.
fn check(graph: &GraphProto) {
    let mut known = HashSet::new();
    let mut define = |name: &str| {
        assert!(!name.is_empty() && known.insert(name.to_owned()), "`{name}` is defined twice");
    };
    graph.input.iter().for_each(|input| define(input.name()));
    for tensor in &graph.initializer {
        define(tensor.name());
        let size = match tensor.data_type() {
            DataType::Float | DataType::Int32 => 4,
            DataType::Int64 => 8,
            DataType::Uint8 | DataType::Int8 => 1,
            DataType::Float16 => 2,
            other => panic!("`{}` is of type {other:?}, which is never written", tensor.name()),
        };
        let len: i64 = tensor.dims.iter().product();
        assert_eq!(tensor.raw_data().len(), len as usize * size, "{}", tensor.name());
    }
    let mut read: HashSet<&str> = graph.output.iter().map(|output| output.name()).collect();
    let mut defined: HashSet<String> = known.clone();
    let mut node_names = HashSet::new();
    for node in &graph.node {
        assert!(node_names.insert(node.name()), "two nodes are called `{}`", node.name());
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            assert!(defined.contains(input), "`{}` reads `{input}` before it is made", node.name());
            read.insert(input);
        }
        for output in &node.output {
            assert!(defined.insert(output.clone()), "`{output}` is made twice");
        }
        let mut names = HashSet::new();
        for attribute in &node.attribute {
            assert!(names.insert(attribute.name()), "`{}` has `{}` twice", node.name(), attribute.name());
            let set = match attribute.r#type() {
                AttributeType::Float => attribute.f.is_some(),
                AttributeType::Int => attribute.i.is_some(),
                AttributeType::String => attribute.s.is_some(),
                AttributeType::Ints => !attribute.ints.is_empty(),
                _ => false,
            };
            assert!(set, "`{}` of `{}` has no value of its type", attribute.name(), node.name());
        }
    }
    for output in &graph.output {
        assert!(defined.contains(output.name()), "output `{}` is never made", output.name());
    }
    let unread: Vec<_> = defined.iter().filter(|name| !read.contains(name.as_str())).collect();
    assert!(unread.is_empty(), "{unread:?} are made for nothing");
}

fn dims(graph: &GraphProto) -> [Vec<DimensionProto>; 2] {
    types(graph).map(|(kind, dims)| {
        assert_eq!(kind, DataType::Float);
        dims
    })
}

fn types(graph: &GraphProto) -> [(DataType, Vec<DimensionProto>); 2] {
    [&graph.input[0], &graph.output[0]].map(|value| {
        let tensor = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).expect("a tensor");
        (tensor.elem_type(), tensor.shape.as_ref().expect("a shape").dim.clone())
    })
}

fn named(name: &str) -> DimensionProto {
    DimensionProto { dim_value: None, dim_param: Some(name.into()) }
}

fn number(value: i64) -> DimensionProto {
    DimensionProto { dim_value: Some(value), dim_param: None }
}

#[test]
fn all_networks_are_well_formed() -> Result<(), Box<dyn std::error::Error>> {
    // Halvings of these encoders round up and down by turns.
    let mixed = ["linknet-densenet121", "linknet-se-resnet50"];
    let mixed = networks().iter().filter(move |entry| mixed.contains(&entry.name.as_str()));
    // Opsets by turns: what differs between them does not depend on the network.
    for (entry, opset) in sampled().chain(mixed).zip(std::iter::repeat(OPSETS).flatten()) {
        let mut config = NetConfig::new(&entry.name, 3, 4)?;
        config.width = 4;
        let state = state_of(&config);
        let options = Options { opset, all_outputs: true, ..Options::default() };
        let model = decode(&export(&config, &state, &options)?.bytes);
        assert_eq!(model.opset_import.len(), 1);
        assert_eq!(model.opset_import[0].version, Some(opset));
        let graph = model.graph.expect("a graph");
        check(&graph);
        let size = [named("height"), named("width")];
        let [input, output] = dims(&graph);
        assert_eq!(input, [&[named("batch"), number(3)][..], &size].concat(), "{}", entry.name);
        assert_eq!(output, [&[named("batch"), number(4)][..], &size].concat(), "{}", entry.name);
    }
    Ok(())
}

#[test]
fn parameters_keep_names_shapes_and_values() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = NetConfig::new("segnet", 3, 4)?;
    config.width = 4;
    let state = state_of(&config);
    let options = Options { fold_batch_norm: false, ..Options::default() };
    let graph = decode(&export(&config, &state, &options)?.bytes).graph.expect("a graph");
    for (index, spec) in state.specs.iter().enumerate() {
        let tensor =
            graph.initializer.iter().find(|t| t.name() == spec.name).expect("every parameter is used");
        assert!(tensor.dims.iter().map(|&d| d as usize).eq(spec.shape.iter().copied()), "{}", spec.name);
        let bytes: Vec<u8> = state.slice(index).iter().flat_map(|v| v.to_le_bytes()).collect();
        assert!(tensor.raw_data() == bytes, "{}", spec.name);
    }
    // Folding leaves the weights' names and no batch norm.
    let folded = decode(&export(&config, &state, &Options::default())?.bytes).graph.expect("a graph");
    assert!(folded.node.iter().all(|node| node.op_type() != "BatchNormalization"));
    assert!(folded.initializer.iter().any(|t| t.name() == "encoder.features.0.weight"));
    Ok(())
}

#[test]
fn nothing_of_the_size_is_written() -> Result<(), Box<dyn std::error::Error>> {
    for entry in sampled() {
        let mut config = NetConfig::new(&entry.name, 3, 2)?;
        config.width = 4;
        let state = state_of(&config);
        // At a size that stays odd through all halvings, no operation is left out as needless.
        let graph = config.build(Shape::new(3, 257, 255, 3))?;
        let written = export_graph(&graph, &state, &Options::default())?;
        assert!(written == export(&config, &state, &Options::default())?, "{}", entry.name);
    }
    for seed in 0..200 {
        let network = random::network(seed);
        let shape = network.example_input();
        let Ok(other) = network.build(Shape::new(shape.n + 1, shape.h + 3, shape.w + 8, shape.c)) else {
            continue;
        };
        let state = random::state(&network.graph, seed);
        let options = Options { all_outputs: true, ..Options::default() };
        let written = export_graph(&network.graph, &state, &options)?;
        assert!(written == export_graph(&other, &state, &options)?, "{}", network.description);
        check(&decode(&written.bytes).graph.expect("a graph"));
    }
    Ok(())
}

#[test]
fn side_outputs_and_what_only_they_need_are_left_out() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = NetConfig::new("u2net-lite", 3, 2)?;
    config.width = 4;
    let state = state_of(&config);
    let outputs = |options: &Options| -> Result<Vec<String>, OnnxError> {
        let graph = decode(&export(&config, &state, options)?.bytes).graph.expect("a graph");
        Ok(graph.output.iter().map(|output| output.name().to_owned()).collect())
    };
    assert_eq!(outputs(&Options::default())?, ["d0"]);
    let all = Options { all_outputs: true, ..Options::default() };
    assert_eq!(outputs(&all)?, ["d0", "d1", "d2", "d3", "d4", "d5", "d6"]);
    let probabilities = Options { function: Some(OutputFunction::Sigmoid), ..all };
    assert_eq!(outputs(&probabilities)?[..2], ["probabilities", "d1"]);
    Ok(())
}

/// A network whose second output nobody needs for the first, and one value under two names.
fn odd_outputs(input: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(input);
    let x = g.input();
    let y = g.conv2d("conv", x, &Conv2d::new(2, 1))?;
    let z = g.conv2d("aside", x, &Conv2d::new(2, 1))?;
    for (name, node) in [("a", y), ("b", y), ("image", x), ("aside", z)] {
        g.output(name, node)?;
    }
    Ok(g)
}

#[test]
fn outputs_may_be_anything() -> Result<(), Box<dyn std::error::Error>> {
    let network = (Shape::new(1, 8, 8, 3), odd_outputs);
    let state = state_of(&network);
    let metadata = vec![("key".to_owned(), "wert".to_owned())];
    let primary = decode(&export(&network, &state, &Options { metadata, ..Options::default() })?.bytes);
    let entry = &primary.metadata_props[0];
    assert_eq!((entry.key(), entry.value()), ("key", "wert"));
    let graph = primary.graph.expect("a graph");
    assert!(graph.initializer.iter().all(|tensor| !tensor.name().starts_with("aside")));
    let all = Options { all_outputs: true, ..Options::default() };
    let graph = decode(&export(&network, &state, &all)?.bytes).graph.expect("a graph");
    check(&graph);
    let names: Vec<_> = graph.output.iter().map(|output| output.name()).collect();
    assert_eq!(names, ["a", "b", "image", "aside"]);
    Ok(())
}

#[test]
fn what_cannot_be_written_says_why() -> Result<(), Box<dyn std::error::Error>> {
    let network = (Shape::new(1, 8, 8, 3), odd_outputs);
    let state = state_of(&network);
    for opset in [OPSETS.start() - 1, OPSETS.end() + 1] {
        let error = export(&network, &state, &Options { opset, ..Options::default() }).unwrap_err();
        assert_eq!(error, OnnxError::Opset(opset));
        assert!(error.to_string().contains("17"), "{error}");
    }
    let other = NetConfig::new("unet", 3, 2)?;
    let error = export(&other, &state, &Options::default()).unwrap_err();
    assert!(matches!(error, OnnxError::State(_)), "{error}");
    let none = (Shape::new(1, 8, 8, 3), |input| Ok::<_, GraphError>(Graph::new(input)));
    let error = export(&none, &state_of(&none), &Options::default()).unwrap_err();
    assert_eq!(error, OnnxError::NoOutput);
    Ok(())
}

#[test]
fn doubling_is_a_resize_and_linear_layers_are_products() -> Result<(), Box<dyn std::error::Error>> {
    let operators = |name: &str| -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let config = NetConfig::new(name, 3, 4)?;
        let graph =
            decode(&export(&config, &state_of(&config), &Options::default())?.bytes).graph.expect("a graph");
        Ok(graph.node.iter().map(|node| node.op_type().to_owned()).collect())
    };
    let count = |operators: &[String], wanted: &str| operators.iter().filter(|op| *op == wanted).count();
    // Five doublings of odd sizes too, and none by gathered rows.
    let doubled = operators("unet-efficientnet-b0")?;
    assert_eq!((count(&doubled, "Resize"), count(&doubled, "Slice"), count(&doubled, "Gather")), (5, 5, 0));
    // Those of maps that were padded as TensorFlow does, too.
    let padded = operators("unet-efficientnet-lite0")?;
    assert_eq!((count(&padded, "Resize"), count(&padded, "Gather"), count(&padded, "Clip")), (5, 0, 32));
    // ConvNeXt's sizes are rounded down, from the image's quarter on.
    let doubled = operators("unet-convnext-tiny")?;
    assert_eq!((count(&doubled, "Resize"), count(&doubled, "Pad"), count(&doubled, "Gather")), (5, 5, 0));
    // Two blocks a stage, in each at least queries, keys, values, projection and the first linear layer.
    let tokens = operators("segformer-b0")?;
    assert!(count(&tokens, "MatMul") >= 8 * (5 + 2), "{}", count(&tokens, "MatMul"));
    Ok(())
}

#[test]
fn weights_in_half_precision_halve_the_file_and_what_does_not_fit_stays()
-> Result<(), Box<dyn std::error::Error>> {
    let mut config = NetConfig::new("unet-convnext-tiny", 3, 4)?;
    config.width = 16;
    let mut state = state_of(&config);
    let index = state.specs.iter().position(|spec| spec.role == Role::ConvWeight).expect("a convolution");
    state.slice_mut(index)[0] = 1e6;
    let options = Options { half: true, ..Options::default() };
    let [single, half] = [Options::default(), options].map(|options| export(&config, &state, &options));
    let (single, half) = (single?, half?);
    assert!(half.bytes.len() < single.bytes.len() * 6 / 10);
    assert_eq!(half.kept_single, [state.specs[index].name.as_str()]);
    assert!(single.kept_single.is_empty());
    let graph = decode(&half.bytes).graph.expect("a graph");
    check(&graph);
    let mut halved = 0;
    for tensor in &graph.initializer {
        let role = state.specs.iter().find(|spec| spec.name == tensor.name()).map(|spec| spec.role);
        let is_half = tensor.data_type() == DataType::Float16;
        // Factors of channels, which begin at a millionth, would lose their digits.
        assert!(!is_half || role == Some(Role::ConvWeight), "{}", tensor.name());
        halved += usize::from(is_half);
    }
    assert!(halved > 50, "{halved}");
    Ok(())
}

#[test]
fn quantized_convolutions_are_written_in_integers() -> Result<(), Box<dyn std::error::Error>> {
    for name in ["unet-mobilenetv3-large", "segformer-mit-b0"] {
        let mut config = NetConfig { width: 8, ..NetConfig::new(name, 3, 4)? };
        let graph = config.build(config.example_input())?;
        let weights = graph.nodes().iter().filter_map(|node| Quantization::weight_of(&graph, node));
        let names: Vec<String> = weights.map(|weight| graph.param(weight).name.clone()).collect();
        let affine = |name: &String| (name.clone(), Affine { scale: 0.05, zero: 7 });
        let quantization = Quantization { inputs: names.iter().map(affine).collect() };
        let state = quantization.rounded(&state_of(&config));
        let int8 = Options { int8: true, ..Options::default() };
        assert!(matches!(export(&config, &state, &int8), Err(OnnxError::NotQuantized)));
        config.quantization = Some(quantization);

        let written = decode(&export(&config, &state, &int8)?.bytes).graph.expect("a graph");
        check(&written);
        let of_type =
            |kind: DataType| written.initializer.iter().filter(move |tensor| tensor.data_type() == kind);
        let is_weight = |tensor: &&TensorProto| names.iter().any(|name| name == tensor.name());
        let stored: HashSet<&str> = of_type(DataType::Int8).filter(is_weight).map(|t| t.name()).collect();
        let used = |name: &&String| written.initializer.iter().any(|tensor| tensor.name() == name.as_str());
        assert_eq!(stored.len(), names.iter().filter(used).count(), "{name}");
        assert!(stored.len() > 20, "{name}: {}", stored.len());
        let rounded = written.node.iter().filter(|node| node.op_type() == "QuantizeLinear").count();
        assert!(rounded > 10 && rounded <= stored.len(), "{name}: {rounded}");

        // Without, the rounded weights are numbers.
        let plain = decode(&export(&config, &state, &Options::default())?.bytes).graph.expect("a graph");
        check(&plain);
        assert!(plain.initializer.iter().all(|tensor| tensor.data_type() != DataType::Int8));
    }
    Ok(())
}

#[test]
fn with_preprocessing_images_become_labels_of_their_size() -> Result<(), Box<dyn std::error::Error>> {
    // Many logits and one, divisors that are constant and that follow from the image.
    for (name, classes, normalization) in
        [("unet", 4, Normalization::ImageNet), ("u2net-lite", 2, Normalization::U2Net)]
    {
        let mut config = NetConfig::new(name, 3, classes)?;
        config.width = 4;
        let state = state_of(&config);
        let images = Options {
            opset: 18,
            preprocessing: Some(Preprocessing { size: [32, 48], normalization }),
            ..Options::default()
        };
        let labels = Options { function: Some(OutputFunction::Labels), ..images.clone() };
        let model = decode(&export(&config, &state, &labels)?.bytes).graph.expect("a graph");
        check(&model);
        let (height, width) = (named("height"), named("width"));
        let [(kind, input), (result, output)] = types(&model);
        assert_eq!((kind, result), (DataType::Uint8, DataType::Uint8));
        assert_eq!(input, [named("batch"), height.clone(), width.clone(), number(3)]);
        assert_eq!(output, [named("batch"), height, width]);
        assert_eq!((model.input[0].name(), model.output[0].name()), ("image", "labels"));

        let logits = decode(&export(&config, &state, &images)?.bytes).graph.expect("a graph");
        check(&logits);
        let size = [named("height"), named("width")];
        let channels = number(config.logits() as i64);
        assert_eq!(types(&logits)[1].1, [&[named("batch"), channels][..], &size].concat());

        let old = Options { opset: 17, ..images };
        assert_eq!(export(&config, &state, &old), Err(OnnxError::PreprocessingOpset(17)));
        let labels = Options { function: Some(OutputFunction::Labels), ..Options::default() };
        let graph = decode(&export(&config, &state, &labels)?.bytes).graph.expect("a graph");
        check(&graph);
        assert_eq!(types(&graph).map(|(kind, _)| kind), [DataType::Float, DataType::Uint8]);
    }
    Ok(())
}
