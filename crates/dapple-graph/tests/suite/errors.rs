//! The builder's errors, which say where and why.

use dapple_graph::{
    AvgPool, Conv2d, ConvTranspose2d, Graph, GraphError, Interpolation, MaxPool, NodeId, Pointwise, Shape,
};
use proptest::prelude::*;

fn graph(h: usize, w: usize, c: usize) -> (Graph, NodeId) {
    let graph = Graph::new(Shape::new(2, h, w, c));
    let x = graph.input();
    (graph, x)
}

fn assert_says(error: GraphError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    }
}

#[test]
fn a_mismatch_names_the_operation_and_both_shapes() {
    let (mut g, x) = graph(8, 8, 3);
    let half = g.max_pool(x, &MaxPool::new(2, 2)).unwrap();
    assert_says(g.concat(&[x, half]).unwrap_err(), &["concat", "[2, 8, 8, 3]", "[2, 4, 4, 3]", "height"]);
    assert_says(g.add(half, x).unwrap_err(), &["add", "[2, 4, 4, 3]", "[2, 8, 8, 3]", "equal"]);
    let wide = g.conv2d("wide", half, &Conv2d::new(5, 1)).unwrap();
    assert_says(g.max_unpool(wide, half).unwrap_err(), &["max_unpool", "[2, 4, 4, 5]", "[2, 4, 4, 3]"]);
}

#[test]
fn an_unsuitable_input_is_named_with_its_shape() {
    let (mut g, x) = graph(4, 9, 6);
    let shape = "[2, 4, 9, 6]";
    let large = Conv2d::new(4, 7);
    assert_says(
        g.conv2d("stem", x, &large).unwrap_err(),
        &["conv2d `stem`", shape, "[7, 7]", "larger image"],
    );
    let groups = Conv2d::new(8, 1).groups(4);
    assert_says(g.conv2d("a", x, &groups).unwrap_err(), &["`a`", "6 input", "8 output", "4 groups"]);
    assert_says(g.conv2d("a", x, &Conv2d::new(6, 1).groups(0)).unwrap_err(), &["`a`", "0 groups"]);
    assert_says(g.conv2d("a", x, &Conv2d::new(6, 3).stride(0)).unwrap_err(), &["`a`", "at least 1"]);
    let up = ConvTranspose2d::new(1, 2, 1).padding(5);
    assert_says(g.conv_transpose2d("up", x, &up).unwrap_err(), &["conv_transpose2d `up`", shape, "padding"]);
    assert_says(g.max_pool(x, &MaxPool::new(6, 2)).unwrap_err(), &["max_pool", shape, "larger image"]);
    assert_says(g.max_pool(x, &MaxPool::new(2, 2).padding(2)).unwrap_err(), &["max_pool", "half the kernel"]);
    assert_says(g.max_pool(x, &MaxPool::new(17, 17)).unwrap_err(), &["max_pool", "256"]);
    assert_says(g.max_unpool(x, x).unwrap_err(), &["max_unpool", "`input` is not a max pooling"]);
    let overlapping = g.max_pool(x, &MaxPool::new(3, 2)).unwrap();
    assert_says(g.max_unpool(overlapping, overlapping).unwrap_err(), &["max_unpool", "overlap"]);
    assert!(g.concat(&[]).is_err());
    assert!(g.upscale(x, 0, Interpolation::Nearest).is_err());
}

#[test]
fn channel_operations_refuse_what_does_not_fit() {
    let (mut g, x) = graph(8, 8, 6);
    let gate = g.adaptive_avg_pool(x, [1, 1]).unwrap();
    assert_eq!(g.shape(gate), Shape::new(2, 1, 1, 6));
    let gated = g.mul(x, gate).unwrap();
    assert_eq!(g.shape(gated), g.shape(x));
    let half = g.adaptive_avg_pool(x, [4, 4]).unwrap();
    assert_says(g.mul(x, half).unwrap_err(), &["mul", "[2, 8, 8, 6]", "[2, 4, 4, 6]", "one pixel"]);
    // The gate comes second.
    assert_says(g.mul(gate, x).unwrap_err(), &["mul", "[2, 1, 1, 6]", "[2, 8, 8, 6]"]);
    assert_says(g.avg_pool(x, &AvgPool::new(9, 1)).unwrap_err(), &["avg_pool", "larger image"]);
    assert_says(g.avg_pool(x, &AvgPool::new(3, 1).padding(2)).unwrap_err(), &["avg_pool", "half"]);
    assert_says(g.avg_pool(x, &AvgPool::new(3, 0)).unwrap_err(), &["avg_pool", "at least 1"]);
    let pooled = g.avg_pool(x, &AvgPool::new(17, 8).padding(8)).unwrap();
    assert_eq!(g.shape(pooled), Shape::new(2, 1, 1, 6));
    assert_says(g.adaptive_avg_pool(x, [0, 3]).unwrap_err(), &["adaptive_avg_pool", "0 x 3"]);
    assert_says(g.attention(x, x, x, 4).unwrap_err(), &["attention", "6 channels", "4 heads"]);
    assert_says(g.attention(x, x, half, 2).unwrap_err(), &["attention", "keys and values"]);
    let wide = g.conv2d("wide", half, &Conv2d::new(12, 1)).unwrap();
    assert_says(g.attention(x, wide, wide, 2).unwrap_err(), &["attention", "queries and keys"]);
    let y = g.attention(x, half, half, 3).unwrap();
    assert_eq!(g.shape(y), g.shape(x));
    for rate in [1.0, -0.1, f32::NAN] {
        assert_says(g.dropout(x, rate).unwrap_err(), &["dropout", "below 1"]);
        assert_says(g.drop_path(x, rate).unwrap_err(), &["drop_path", "below 1"]);
    }
    assert_says(g.layer_norm("ln", x, 0.0).unwrap_err(), &["layer_norm `ln`", "positive"]);
    g.scale("block.layer_scale", x, 1e-6).unwrap();
    let scale = g.find_param("block.layer_scale").unwrap();
    assert_eq!(g.param(scale).shape, [6, 1, 1]);
    assert_eq!(
        g.scale("block.layer_scale", x, 1.0),
        Err(GraphError::DuplicateParameter("block.layer_scale".into()))
    );
}

#[test]
fn a_parameter_has_one_definition() {
    let (mut g, x) = graph(4, 4, 3);
    g.conv2d("conv", x, &Conv2d::new(2, 1)).unwrap();
    let error = g.conv2d("conv", x, &Conv2d::new(2, 1)).unwrap_err();
    assert_eq!(error, GraphError::DuplicateParameter("conv.weight".into()));
    assert_says(error, &["`conv.weight`", "twice"]);
    let error = g.batch_norm("conv", x).unwrap_err();
    assert_eq!(error, GraphError::DuplicateParameter("conv.weight".into()));
}

#[test]
fn nodes_of_other_graphs_are_refused() {
    let (mut g, x) = graph(4, 4, 3);
    let alien = NodeId(9);
    let unknown = Err(GraphError::UnknownNode(9));
    assert_eq!(g.relu(alien), unknown);
    assert_eq!(g.add(x, alien), unknown);
    assert_eq!(g.concat(&[x, alien]), unknown);
    assert_eq!(g.resize(x, alien, Interpolation::Nearest), unknown);
    assert_eq!(g.fit_to(x, alien), unknown);
    assert_eq!(g.max_unpool(x, alien), unknown);
    assert_eq!(g.activate(alien, Pointwise::Silu), unknown);
    assert_eq!(g.mul(x, alien), unknown);
    assert_eq!(g.adaptive_avg_pool(alien, [1, 1]), unknown);
    assert_eq!(g.layer_norm("ln", alien, 1e-5), unknown);
    assert_eq!(g.scale("s", alien, 1.0), unknown);
    assert_eq!(g.attention(x, x, alien, 1), unknown);
    assert_eq!(g.dropout(alien, 0.5), unknown);
    assert_eq!(g.output("y", alien), Err(GraphError::UnknownNode(9)));
}

proptest! {
    #[test]
    fn no_settings_panic(
        (h, w, c, out) in (0usize..6, 0usize..6, 0usize..6, 0usize..6),
        kernel in prop::array::uniform2(0usize..5),
        stride in prop::array::uniform2(0usize..4),
        padding in prop::array::uniform2(0usize..5),
        dilation in prop::array::uniform2(0usize..3),
        (groups, ceil) in (0usize..5, any::<bool>()),
    ) {
        let (mut g, x) = graph(h, w, c);
        let conv = Conv2d { out_channels: out, kernel, stride, padding, dilation, groups, bias: true };
        let up = ConvTranspose2d { out_channels: out, kernel, stride, padding, bias: true };
        let built = [
            g.conv2d("conv", x, &conv),
            g.conv_transpose2d("up", x, &up),
            g.max_pool(x, &MaxPool { kernel, stride, padding, ceil }),
        ];
        for y in built.into_iter().flatten() {
            prop_assert!(!g.shape(y).is_empty() || c == 0, "{}", g.shape(y));
        }
    }
}
