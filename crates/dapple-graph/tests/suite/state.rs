//! Initial values and loading of parameters.

use dapple_graph::{Conv2d, ConvInit, ConvTranspose2d, Graph, Init, LoadReport, Shape, State, StateError};

/// A convolution of fan 64 * 9, its norm, and a transposed convolution of fan 32 * 4.
fn network(torch_init: bool) -> Graph {
    let mut g = Graph::new(Shape::new(1, 8, 8, 64));
    if torch_init {
        g.use_conv_init(ConvInit::Torch);
    }
    let y = g.conv2d("conv", g.input(), &Conv2d::new(100, 3).padding(1)).unwrap();
    let y = g.batch_norm("bn", y).unwrap();
    g.conv_transpose2d("up", y, &ConvTranspose2d::new(32, 2, 2)).unwrap();
    g
}

fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let var = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    (mean, var.sqrt())
}

#[test]
fn a_seed_gives_one_state_whatever_else_is_in_the_network() {
    let graph = network(false);
    let state = State::init(&graph, 1);
    assert_eq!(state, State::init(&graph, 1));
    assert_ne!(state.values, State::init(&graph, 2).values);

    let mut other = Graph::new(Shape::new(3, 5, 7, 64));
    let x = other.conv2d("before", other.input(), &Conv2d::new(64, 1)).unwrap();
    other.conv2d("conv", x, &Conv2d::new(100, 3)).unwrap();
    let other = State::init(&other, 1);
    assert_eq!(other.get("conv.weight"), state.get("conv.weight"));
    assert_ne!(other.get("before.weight").map(|v| &v[..8]), state.get("conv.weight").map(|v| &v[..8]));
}

#[test]
fn he_normal_has_its_mean_and_deviation() {
    let state = State::init(&network(false), 5);
    for (name, fan) in [("conv.weight", 64 * 9), ("up.weight", 32 * 4)] {
        let values = state.get(name).unwrap();
        let (mean, deviation) = moments(values);
        let expected = (2.0 / fan as f64).sqrt();
        // Four standard errors of each.
        let count = values.len() as f64;
        assert!(mean.abs() < 4.0 * expected / count.sqrt(), "{name}: mean {mean}");
        assert!((deviation / expected - 1.0).abs() < 4.0 / (2.0 * count).sqrt(), "{name}: {deviation}");
        // Normal, not only of that deviation: 31.7 % lie beyond one of them.
        let beyond = values.iter().filter(|v| f64::from(v.abs()) > expected).count() as f64 / count;
        assert!((beyond - 0.3173).abs() < 4.0 * (0.3173 * 0.6827 / count).sqrt(), "{name}: {beyond}");
    }
    assert!(state.get("conv.bias").unwrap().iter().all(|&b| b == 0.0));
    for (name, value) in
        [("bn.weight", 1.0), ("bn.bias", 0.0), ("bn.running_mean", 0.0), ("bn.running_var", 1.0)]
    {
        assert_eq!(state.get(name).unwrap(), [value; 100], "{name}");
    }
}

#[test]
fn pytorchs_default_is_uniform_within_one_over_the_root_of_the_fan() {
    let state = State::init(&network(true), 5);
    for (name, fan) in
        [("conv.weight", 64 * 9), ("conv.bias", 64 * 9), ("up.weight", 32 * 4), ("up.bias", 32 * 4)]
    {
        let values = state.get(name).unwrap();
        let bound = 1.0 / (fan as f32).sqrt();
        let largest = values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.8 * bound, "{name}: {largest} of {bound}");
        let (mean, deviation) = moments(values);
        let expected = f64::from(bound) / 3f64.sqrt();
        assert!(mean.abs() < 4.0 * expected / (values.len() as f64).sqrt(), "{name}: mean {mean}");
        assert!((deviation / expected - 1.0).abs() < 4.0 / (values.len() as f64).sqrt(), "{name}");
    }
    assert_eq!(Init::torch_default(0), Init::Uniform { bound: 1.0 });
}

#[test]
fn loading_reports_every_entry_and_every_parameter() {
    let mut g = Graph::new(Shape::new(1, 4, 4, 1));
    let y = g.conv2d("a", g.input(), &Conv2d::new(2, 1)).unwrap();
    let y = g.batch_norm("bn", y).unwrap();
    g.conv2d("b", y, &Conv2d::new(1, 1)).unwrap();
    let mut state = State::init(&g, 0);
    let before = state.clone();
    let report = state.load([
        ("a.weight", &[2, 1, 1, 1][..], &[5.0, 6.0][..]),
        ("bn.running_mean", &[2], &[7.0, 8.0]),
        ("bn.num_batches_tracked", &[], &[1.0]),
        ("b.weight", &[2, 1, 1, 1], &[1.0, 2.0]),
        ("b.bias", &[1], &[]),
    ]);
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    let expected = LoadReport {
        loaded: names(&["a.weight", "bn.running_mean"]),
        missing: names(&["a.bias", "bn.weight", "bn.bias", "bn.running_var"]),
        unexpected: names(&["bn.num_batches_tracked"]),
        mismatched: vec![
            ("b.weight".into(), vec![1, 2, 1, 1], vec![2, 1, 1, 1]),
            ("b.bias".into(), vec![1], vec![1]),
        ],
    };
    assert_eq!(report, expected);
    assert_eq!(state.get("a.weight").unwrap(), [5.0, 6.0]);
    assert_eq!(state.get("bn.running_mean").unwrap(), [7.0, 8.0]);
    for untouched in ["a.bias", "bn.weight", "bn.bias", "bn.running_var", "b.weight", "b.bias"] {
        assert_eq!(state.get(untouched), before.get(untouched), "{untouched}");
    }
}

#[test]
fn setting_checks_name_and_length() {
    let mut state = State::init(&network(false), 0);
    state.set("up.bias", &[3.0; 32]).unwrap();
    assert_eq!(state.get("up.bias").unwrap(), [3.0; 32]);
    assert_eq!(state.set("down.bias", &[]), Err(StateError::Unknown("down.bias".into())));
    let error = state.set("up.bias", &[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "parameter `up.bias` has 32 values, 1 were given");
    assert_eq!(state.get("nothing"), None);
}

#[test]
fn bilinear_weights_interpolate_each_channel_by_itself() {
    let mut g = Graph::new(Shape::new(1, 4, 4, 2));
    g.use_conv_init(ConvInit::Bilinear);
    g.conv_transpose2d("up", g.input(), &ConvTranspose2d::new(2, 4, 2).padding(1).bias(false)).unwrap();
    let state = State::init(&g, 0);
    let (row, none) = ([0.25, 0.75, 0.75, 0.25], [0.0; 16]);
    let kernel: Vec<f32> = row.iter().flat_map(|y| row.map(|x| x * y)).collect();
    assert_eq!(state.get("up.weight").unwrap(), [&kernel[..], &none, &none, &kernel].concat());
}
