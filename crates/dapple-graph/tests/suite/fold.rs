//! A folded network computes what the network does in inference.

use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{Conv2d, ConvTranspose2d, Graph, Mode, Op, Shape};
use dapple_reference::{State64, Tensor64, forward, random, relative_distance};
use proptest::prelude::*;

fn norms(graph: &Graph) -> usize {
    graph.nodes().iter().filter(|n| matches!(n.op, Op::BatchNorm { .. })).count()
}

/// Folds and compares; the weights are rounded to `f32`, so that the two are equal to about six digits. `None`
/// where that may move a maximum in a pooling, and with it an unpooled value.
fn assert_same_function(graph: &Graph, seed: u64) -> Option<Graph> {
    let state = random::state(graph, seed);
    let input = Tensor64::from(&random::tensor(graph.shape(graph.input()), seed));
    let before = forward(graph, &State64::from(&state), &input, Mode::Eval);
    if before.margin() < 1e-5 {
        return None;
    }
    let (folded, folded_state) = fold_batch_norm(graph, &state).unwrap();
    let after = forward(&folded, &State64::from(&folded_state), &input, Mode::Eval);
    let (before, after) = (before.outputs(), after.outputs());
    assert_eq!(before.len(), after.len());
    for (a, b) in before.iter().zip(&after) {
        assert_eq!(a.shape, b.shape);
        let distance = relative_distance(&a.data, &b.to_f32().data);
        assert!(distance < 1e-5, "seed {seed}: {distance:e}");
    }
    Some(folded)
}

#[test]
fn only_a_norm_that_alone_reads_its_convolution_is_folded() {
    let mut g = Graph::new(Shape::new(2, 6, 5, 3));
    let plain = g.conv2d("plain", g.input(), &Conv2d::new(4, 3).bias(false)).unwrap();
    let plain = g.batch_norm("plain_bn", plain).unwrap();
    let grouped = g.conv2d("grouped", plain, &Conv2d::new(6, 1).groups(2)).unwrap();
    let grouped = g.batch_norm("grouped_bn", grouped).unwrap();
    let up = g.conv_transpose2d("up", grouped, &ConvTranspose2d::new(5, 2, 2).bias(false)).unwrap();
    let up = g.batch_norm("up_bn", up).unwrap();
    let shared = g.conv2d("shared", up, &Conv2d::new(5, 1)).unwrap();
    let kept = g.batch_norm("shared_bn", shared).unwrap();
    let sum = g.add(kept, shared).unwrap();
    let twice = g.batch_norm("not_after_conv", sum).unwrap();
    let given_out = g.conv2d("given_out", twice, &Conv2d::new(2, 1)).unwrap();
    let last = g.batch_norm("given_out_bn", given_out).unwrap();
    g.output("primary", last).unwrap();
    g.output("logits", given_out).unwrap();

    let folded = assert_same_function(&g, 3).expect("no pooling, no ReLU");
    assert_eq!((norms(&g), norms(&folded)), (6, 3));
    assert_eq!(folded.nodes().len(), g.nodes().len() - 3);
    for name in ["plain.weight", "plain.bias", "grouped.bias", "up.bias", "shared_bn.running_var"] {
        assert!(folded.find_param(name).is_some(), "{name}");
    }
    assert!(folded.find_param("plain_bn.weight").is_none());
    assert_eq!(folded.outputs()[0].0, "primary");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn random_networks_keep_their_function(seed: u64) {
        let network = random::network(seed);
        if let Some(folded) = assert_same_function(&network.graph, seed) {
            prop_assert!(norms(&folded) <= norms(&network.graph));
        }
    }
}
