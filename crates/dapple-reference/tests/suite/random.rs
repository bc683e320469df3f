//! The random graphs cover what they promise.

use dapple_graph::{Mode, Network, Op, Shape, State};
use dapple_reference::{State64, Tensor64, forward, random};
use std::collections::BTreeSet;

#[test]
fn a_seed_gives_one_network() {
    for seed in [0, 1, u64::MAX] {
        assert_eq!(random::network(seed), random::network(seed));
        assert_eq!(random::labelled_network(seed), random::labelled_network(seed));
        assert_eq!(random::operation(seed), random::operation(seed));
    }
    assert_ne!(random::network(0), random::network(1));
}

#[test]
fn networks_have_every_operation_and_build_for_their_own_shape() {
    let mut kinds = BTreeSet::new();
    let (mut shared_output, mut bare_norm, mut shared_by_relu) = (0, 0, 0);
    for seed in 0..250 {
        let network = random::network(seed);
        let graph = &network.graph;
        assert_eq!(network.build(network.example_input()).unwrap(), *graph);
        let readers = |id| graph.nodes().iter().filter(|n| n.inputs.contains(&id)).count();
        shared_output += usize::from(graph.outputs().iter().any(|(_, id)| readers(*id) > 0));
        for node in graph.nodes() {
            kinds.insert(node.op.kind());
            match node.op {
                Op::Relu => shared_by_relu += usize::from(readers(node.inputs[0]) > 1),
                Op::BatchNorm { .. } => {
                    let source = &graph.node(node.inputs[0]).op;
                    bare_norm += usize::from(!matches!(source, Op::Conv2d { .. }));
                }
                _ => {}
            }
        }
    }
    assert_eq!(kinds.len(), 28, "{kinds:?}");
    assert!(shared_output > 10 && bare_norm > 10 && shared_by_relu > 10);
}

#[test]
fn networks_build_for_any_batch_and_many_sizes_with_the_same_parameters() {
    let mut larger = 0;
    for seed in 0..50 {
        let network = random::network(seed);
        let shape = network.graph.shape(network.graph.input());
        let batch = network.build(Shape { n: shape.n + 2, ..shape }).unwrap();
        assert_eq!(batch.params(), network.graph.params());
        if let Ok(graph) = network.build(shape.with_size(shape.h + 8, shape.w + 8)) {
            assert_eq!(graph.params(), network.graph.params());
            larger += 1;
        }
    }
    assert!(larger > 25, "{larger} of 50");
}

#[test]
fn networks_stay_within_numbers_that_f32_can_follow() {
    for seed in 0..100 {
        let network = random::network(seed);
        let graph = &network.graph;
        let state = State64::from(&random::state(graph, seed));
        let input = Tensor64::from(&random::tensor(graph.shape(graph.input()), seed));
        let trace = forward(graph, &state, &input, Mode::Train);
        let largest = trace.values.iter().flat_map(|v| &v.data).fold(0.0, |m: f64, v| m.max(v.abs()));
        assert!(largest < 1e3, "{largest} in {}", network.description);
    }
}

#[test]
fn labelled_networks_have_outputs_of_the_input_size() {
    for seed in 0..100 {
        let network = random::labelled_network(seed);
        let graph = &network.graph;
        let input = graph.shape(graph.input());
        let classes = graph.shape(graph.outputs()[0].1).c;
        assert!((1..=6).contains(&classes));
        for (_, id) in graph.outputs() {
            assert_eq!(graph.shape(*id), input.with_channels(classes), "{}", network.description);
        }
    }
}

#[test]
fn tensors_have_neither_ties_nor_zeros() {
    for count in [1, 2, 3, 1000, 19_999] {
        let mut values = random::tensor(Shape::new(1, 1, 1, count), 3).data;
        values.sort_by(f32::total_cmp);
        assert!(values.iter().all(|&v| v != 0.0 && v.abs() <= 1.0));
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
    }
}

#[test]
fn states_have_trained_looking_norms() {
    let network = random::network(3);
    let state = random::state(&network.graph, 3);
    assert_ne!(state, State::init(&network.graph, 3));
    for spec in state.specs.iter().filter(|s| s.name.ends_with("running_var")) {
        assert!(state.get(&spec.name).unwrap().iter().all(|&v| (0.5..2.0).contains(&v)));
    }
}
