//! Initial values from models of this program: the rows of the head follow their classes by name.

use dapple_cpu::CpuEngine;
use dapple_graph::{Engine, Inference, Network, Shape, State, Tensor};
use dapple_nets::checkpoint::{Class, HeadReport, ModelCard, ModelFile, Normalization, init_from_model};
use dapple_nets::{Activation, NetConfig};
use std::sync::Arc;

fn state(config: &NetConfig, seed: u64) -> State {
    State::init(&config.build(Shape::new(1, 32, 32, config.in_channels)).unwrap(), seed)
}

fn model(config: NetConfig, names: &[&str]) -> ModelFile {
    let classes = names.iter().map(|name| Class { name: (*name).to_owned(), colour: [7; 3] }).collect();
    let mut state = state(&config, 5);
    // Biases begin with 0 everywhere, which would hide that they follow.
    state.values.iter_mut().enumerate().for_each(|(place, value)| *value += (place % 7) as f32 * 1e-3);
    let card = ModelCard {
        network: config,
        classes,
        ignore: None,
        input_size: [32, 32],
        normalisation: Normalization::ImageNet,
        images: None,
        seed: 0,
        epoch: 1,
        scores: Default::default(),
        extra: Default::default(),
    };
    ModelFile { card, state }
}

fn config(name: &str, classes: usize, activation: Activation) -> NetConfig {
    NetConfig { width: 4, activation, ..NetConfig::new(name, 3, classes).unwrap() }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The first output's logits, pixel by pixel.
fn logits(config: &NetConfig, state: &State) -> Vec<Vec<f32>> {
    let shape = Shape::new(1, 32, 32, 3);
    let data = (0..shape.len()).map(|place| (place as f32 * 0.37).sin()).collect();
    let mut executor = CpuEngine::new(None).unwrap().load(Arc::new(config.clone()), state).unwrap();
    let outputs = executor.infer(&Tensor::new(shape, data), Inference::Predict).unwrap();
    outputs[0].data.chunks_exact(config.logits()).map(<[f32]>::to_vec).collect()
}

#[test]
fn classes_in_another_order_keep_their_predictions() {
    for (name, activation) in [
        ("unet", Activation::Softmax),
        ("u2net-lite", Activation::Softmax),
        ("u2net-lite", Activation::Sigmoid),
        ("fcn8s", Activation::Softmax),
        ("ddrnet-23-slim", Activation::Softmax),
    ] {
        let config = config(name, 3, activation);
        let there = model(config.clone(), &["sky", "Road", "car"]);
        let mut here = state(&config, 1);
        let names = owned(&["car", "sky", "road"]);
        let (report, head) = init_from_model(&mut here, &config, Some(&names), &there).unwrap();
        assert_eq!(head, HeadReport::ByName { kept: names, new: Vec::new() }, "{name}");
        assert!(report.head_kept.is_empty() && report.mismatched.is_empty(), "{name}: {report}");
        let (before, after) = (logits(&config, &there.state), logits(&config, &here));
        for (before, after) in before.iter().zip(&after) {
            for (here, there) in [(0, 2), (1, 0), (2, 1)] {
                let (a, b) = (after[here], before[there]);
                assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {a} is not {b}");
            }
        }
    }
}

#[test]
fn a_class_that_the_model_does_not_know_is_new_and_the_others_stay() {
    let there = model(config("unet", 3, Activation::Softmax), &["background", "horse", "cow"]);
    let config = config("unet", 4, Activation::Softmax);
    let begun = state(&config, 1);
    let mut here = begun.clone();
    let names = owned(&["background", "cat", "cow", "horse"]);
    let (report, head) = init_from_model(&mut here, &config, Some(&names), &there).unwrap();
    let said = format!("{report}\n{head}");
    assert!(said.ends_with("head: taken over for the classes background, cow, horse; new for cat"), "{said}");
    let (weight, bias) = ("outc.conv.weight", "outc.conv.bias");
    let row = |state: &State, row: usize| state.get(weight).unwrap()[row * 4..][..4].to_vec();
    for (label, of_model) in [(0, 0), (2, 2), (3, 1)] {
        assert_eq!(row(&here, label), row(&there.state, of_model), "class {label}");
        assert_eq!(here.get(bias).unwrap()[label], there.state.get(bias).unwrap()[of_model]);
    }
    assert_eq!(row(&here, 1), row(&begun, 1));
    assert_eq!(here.get("inc.double_conv.0.weight"), there.state.get("inc.double_conv.0.weight"));
}

#[test]
fn heads_without_a_class_in_common_are_new_as_a_whole() {
    let there = model(config("u2net-lite", 2, Activation::Sigmoid), &["background", "horse"]);
    let begin = |config: &NetConfig, names: Option<&[String]>| {
        let begun = state(config, 1);
        let mut here = begun.clone();
        let (report, head) = init_from_model(&mut here, config, names, &there).unwrap();
        (begun.get("side1.weight") == here.get("side1.weight"), report, head)
    };
    let same = there.card.network.clone();
    // The single logit is that of the second class, whatever the first is called.
    let (is_new, report, head) = begin(&same, Some(&owned(&["background", "cat"])));
    assert!(is_new && report.head_kept.contains(&"outconv.weight".to_owned()), "{report}");
    assert_eq!(head, HeadReport::ByName { kept: Vec::new(), new: owned(&["cat"]) });
    let (is_new, report, _) = begin(&same, Some(&owned(&["ground", "horse"])));
    assert!(!is_new && report.head_kept.is_empty());
    // Without names, as many classes are taken to be the same, and others are not.
    let (is_new, _, head) = begin(&same, None);
    assert!(!is_new && head == HeadReport::InOrder);
    let (is_new, _, head) = begin(&config("u2net-lite", 3, Activation::Sigmoid), None);
    assert!(is_new && head == HeadReport::OtherCount(3, 2));
    let softmax = config("u2net-lite", 2, Activation::Softmax);
    let (is_new, _, head) = begin(&softmax, Some(&owned(&["background", "horse"])));
    assert!(is_new && head.to_string() == "head: new, for softmax instead of sigmoid", "{head}");
}
