//! ONNX files of other programs.

use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, MaxPool, Network, Pointwise, Shape, State};
use dapple_onnx::{ImportOptions, Layout, OnnxFile, Options, OutputFunction, export};

/// Height and width at which files are read.
const SIZE: [usize; 2] = [32, 24];

/// Reading ends with a network whose weights are those of its graph, or with an error.
pub(crate) fn onnx(bytes: &[u8]) {
    let Ok(file) = OnnxFile::from_bytes(bytes) else { return };
    let options = ImportOptions { layout: Some(Layout::Nchw), size: Some(SIZE), ..ImportOptions::default() };
    let Ok(found) = file.import(&options) else { return };
    let graph = found.network.build(found.network.example_input()).expect("it was read for this size");
    assert!(graph.params() == found.state.specs);
    assert_eq!(graph.trainable_len(), found.state.values.len());
    let [(_, logits)] = graph.outputs() else { panic!("one output is read") };
    assert!((1..=256).contains(&found.logits) && graph.shape(*logits).c == found.logits);
    assert!(found.state.values.iter().all(|value| value.is_finite()));
}

/// Convolutions, pooling, sampling and attention, small enough for mutations of the whole file.
fn small(input: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(input);
    let image = g.input();
    let x = g.conv2d("conv", image, &Conv2d::new(4, 3).stride(2).padding(1))?;
    let x = g.relu(x)?;
    let x = g.max_pool(x, &MaxPool::new(2, 2).ceil(true))?;
    let tokens = g.layer_norm("norm", x, 1e-6)?;
    let attended = g.attention(tokens, tokens, tokens, 2)?;
    let x = g.add(x, attended)?;
    let x = g.activate(x, Pointwise::Gelu)?;
    let x = g.group_norm("groups", x, 2)?;
    let x = g.conv2d("head", x, &Conv2d::new(3, 1))?;
    let x = g.resize(x, image, Interpolation::Bilinear { align_corners: false })?;
    g.output("logits", x)?;
    Ok(g)
}

/// The small network with and without a function of its logits.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let network = (Shape::new(1, 64, 64, 3), small);
    let graph = network.build(network.example_input()).expect("it fits its example");
    let state = State::init(&graph, 1);
    let written = |function: Option<OutputFunction>| {
        let options = Options { function, ..Options::default() };
        export(&network, &state, &options).expect("it can be written").bytes
    };
    vec![written(None), written(Some(OutputFunction::Softmax))]
}
