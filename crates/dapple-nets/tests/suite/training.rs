//! Narrow networks learn: a few steps on one batch lower the loss, and every parameter that is used gets a gradient.

use dapple_cpu::CpuEngine;
use dapple_graph::dropout::DropoutState;
use dapple_graph::{
    Engine, Executor, Graph, Inference, Loss, LossKind, Network, Op, Optimizer, ParamSpec, Shape, State,
    Tensor, Trainer,
};
use dapple_nets::{Activation, NetConfig, monte_carlo, registry};
use std::collections::HashSet;
use std::sync::Arc;

/// A wave whose sign is the label.
fn batch(shape: Shape) -> (Tensor, Vec<u8>) {
    let mut input = Tensor::zeros(shape);
    let mut labels = Vec::with_capacity(shape.pixels());
    for (i, pixel) in input.data.chunks_exact_mut(shape.c).enumerate() {
        let (y, x) = (i / shape.w % shape.h, i % shape.w);
        let value = ((y * 3 + x * 5) as f32 / 16.0 + (i / (shape.h * shape.w)) as f32).sin();
        for (c, v) in pixel.iter_mut().enumerate() {
            *v = value + 0.2 * ((i * 7 + c * 13) % 11) as f32 / 11.0;
        }
        labels.push(u8::from(value > 0.0));
    }
    (input, labels)
}

fn narrow(name: &str, width: usize) -> NetConfig {
    let mut config = NetConfig { width, ..NetConfig::new(name, 3, 2).unwrap() };
    config.activation = Activation::Softmax;
    let entry = registry::find(name).unwrap();
    config.dropout = entry.has_dropout.then_some(0.0);
    config.drop_path = entry.has_drop_path.then_some(0.0);
    config
}

/// Names of the parameters that the graph's nodes read.
fn used(graph: &Graph) -> Vec<&str> {
    let nodes: HashSet<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
    let reads =
        |name: &&str| nodes.contains(name) || name.rsplit_once('.').is_some_and(|(n, _)| nodes.contains(n));
    graph.params().iter().map(|spec| spec.name.as_str()).filter(reads).collect()
}

/// Names of the biases in front of norms of single channels, which take them away again: their gradients are zero.
fn without_effect(graph: &Graph) -> HashSet<String> {
    let norms = graph.nodes().iter().filter(|node| match node.op {
        Op::BatchNorm { .. } => true,
        Op::GroupNorm { groups, .. } => groups == node.shape.c,
        _ => false,
    });
    norms.map(|norm| format!("{}.bias", graph.node(norm.inputs[0]).name)).collect()
}

fn learns(name: &str, width: usize, side: usize) {
    let config = narrow(name, width);
    let shape = Shape::new(2, side, side, 3);
    let graph = config.build(shape).unwrap();
    let state = State::init(&graph, 3);
    let engine = CpuEngine::new(None).unwrap();
    let mut executor = engine.load_trainer(Arc::new(config), &state, Optimizer::adam()).unwrap();
    let (input, labels) = batch(shape);
    let loss = registry::find(name).unwrap().with_targets(Loss::single(LossKind::CrossEntropy));
    let mut losses = Vec::new();
    for _ in 0..6 {
        losses.push(executor.accumulate(&input, &labels, &loss, 1.0).unwrap());
        executor.step(2e-3, None).unwrap();
    }
    assert!(losses[5] < 0.97 * losses[0], "{name}: {losses:?}");
    // Some layers start at zero and pass no gradient on at first.
    executor.accumulate(&input, &labels, &loss, 1.0).unwrap();
    let gradients = executor.gradients();
    let used: HashSet<&str> = used(&graph).into_iter().collect();
    let without_effect = without_effect(&graph);
    let counts = |spec: &&ParamSpec| spec.role.trainable() && !without_effect.contains(&spec.name);
    for spec in graph.params().iter().filter(counts) {
        let reached = gradients[spec.offset..spec.offset + spec.len()].iter().any(|&v| v != 0.0);
        assert_eq!(reached, used.contains(spec.name.as_str()), "{name}: {}", spec.name);
    }
}

macro_rules! learns {
    ($($test:ident $name:literal $width:literal $side:literal)*) => {
        $(#[test] fn $test() { learns($name, $width, $side); })*
    };
}

learns! {
    unet_on_vgg "unet-vgg11" 8 64
    unet_on_resnet "unet-resnet18" 8 64
    unet_on_mobilenet "unet-mobilenetv3-large" 8 64
    unet_on_efficientnet "unet-efficientnet-b0" 8 64
    unet_on_efficientnet_lite "unet-efficientnet-lite0" 8 64
    unet_on_convnext "unet-convnext-tiny" 12 64
    unet_on_mit "unet-mit-b0" 8 64
    unetplusplus "unetplusplus-resnet18" 8 64
    linknet "linknet-resnet18" 16 64
    manet "manet-resnet18" 48 64
    pan "pan-resnet18" 16 128
    fpn "fpn-resnet18" 16 64
    pspnet "pspnet-resnet18" 16 64
    deeplabv3plus "deeplabv3plus-resnet18" 8 64
    deeplabv3 "deeplabv3-resnet18" 8 64
    deeplabv3_smp "deeplabv3-smp-resnet18" 8 64
    fcn_resnet "fcn-resnet50" 8 64
    upernet "upernet-resnet18" 8 64
    segformer "segformer-mit-b0" 8 64
    segformer_b0 "segformer-b0" 8 64
    lraspp "lraspp-mobilenetv3-large" 8 64
    fast_scnn "fast-scnn" 8 64
    ddrnet "ddrnet-23-slim" 8 64
    pidnet_s "pidnet-s" 8 64
    pidnet_l "pidnet-l" 4 64
    fcn8s "fcn8s" 8 64
    segnet_basic "segnet-basic" 8 64
    bayesian_segnet "bayesian-segnet" 8 64
    deconvnet "deconvnet" 1 224
    bisenetv2 "bisenetv2" 16 64
    pp_liteseg "pp-liteseg-t" 8 64
    attention_unet "attention-unet" 8 64
    resunet "resunet" 8 64
    unet3plus "unet3plus" 8 64
    nnunet "nnunet-resenc" 8 64
    segnext "segnext-t" 8 64
}

/// The first loss and the least of five more steps.
fn falls(name: &str) -> [f64; 2] {
    let entry = registry::find(name).unwrap();
    // Networks that need large images are as narrow as they can be.
    let (width, side) = match entry.smallest {
        129.. => (entry.width_step, entry.smallest),
        smallest => (16, smallest.max(64)),
    };
    let (config, shape) = (narrow(name, width), Shape::new(2, side, side, 3));
    let mut trainer = loaded(&config, shape);
    let (input, labels) = batch(shape);
    let loss = entry.with_targets(Loss::single(LossKind::CrossEntropy));
    let mut step = || {
        let value = trainer.accumulate(&input, &labels, &loss, 1.0).unwrap();
        trainer.step(2e-3, None).unwrap();
        value
    };
    let first = step();
    [first, (0..5).map(|_| step()).fold(f64::INFINITY, f64::min)]
}

/// Each decoder on another encoder than above; all are tried by
///
/// ```sh
/// cargo test --release -p dapple-nets --test suite every_network_learns -- --ignored --nocapture
/// ```
#[test]
fn a_sample_of_decoders_on_encoders_learns() {
    let combined: Vec<_> = registry::networks().iter().filter(|entry| entry.encoder.is_some()).collect();
    for entry in combined.iter().skip(11).step_by(combined.len().div_ceil(6)) {
        let [first, least] = falls(&entry.name);
        assert!(least < 0.99 * first, "{}: {first} {least}", entry.name);
    }
}

#[test]
#[ignore = "takes minutes"]
fn every_network_learns() {
    let mut failed = Vec::new();
    for entry in registry::networks() {
        let [first, least] = falls(&entry.name);
        println!("{}: {first:.4} {least:.4}", entry.name);
        if !matches!((least / first).partial_cmp(&0.99), Some(std::cmp::Ordering::Less)) {
            failed.push(entry.name.as_str());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join(" "));
}

fn loaded(config: &NetConfig, shape: Shape) -> Box<dyn Trainer> {
    let state = State::init(&config.build(shape).unwrap(), 1);
    let engine = CpuEngine::new(None).unwrap();
    engine.load_trainer(Arc::new(config.clone()), &state, Optimizer::adam()).unwrap()
}

#[test]
fn bayesian_networks_are_sampled_with_their_uncertainty() {
    let shape = Shape::new(1, 32, 48, 3);
    let (input, _) = batch(shape);
    let config = NetConfig { dropout: None, ..narrow("bayesian-segnet-basic", 8) };
    let mut executor = loaded(&config, shape);
    let sample = |executor: &mut dyn Executor| {
        executor.set_dropout_state(DropoutState { seed: 4, passes: 0 });
        monte_carlo(executor, &input, 8, Activation::Softmax).unwrap()
    };
    let sampled = sample(&mut *executor);
    assert_eq!(sampled.mean.shape, shape.with_channels(2));
    assert_eq!(sampled.uncertainty.shape, shape.with_channels(1));
    assert!(sampled.mean.data.chunks(2).all(|p| (p[0] + p[1] - 1.0).abs() < 1e-5));
    assert!(sampled.uncertainty.data.iter().all(|&v| (0.0..=0.25).contains(&v)));
    assert!(sampled.uncertainty.data.iter().any(|&v| v > 1e-6));
    assert_eq!(sample(&mut *executor), sampled, "the same seed gives the same samples");
    assert!(monte_carlo(&mut *executor, &input, 0, Activation::Softmax).is_err());

    // Without dropout all samples are the network's prediction.
    let mut certain = loaded(&narrow("bayesian-segnet-basic", 8), shape);
    let sampled = sample(&mut *certain);
    assert!(sampled.uncertainty.data.iter().all(|&v| v < 1e-12));
    let logits = certain.infer(&input, Inference::Eval).unwrap().swap_remove(0);
    for (mean, logits) in sampled.mean.data.chunks(2).zip(logits.data.chunks(2)) {
        assert!((mean[1] - 1.0 / (1.0 + (logits[0] - logits[1]).exp())).abs() < 1e-5);
    }
}

/// The loss of a training pass and the outputs in evaluation, each from the same weights.
fn passes(config: &NetConfig, seed: u64) -> (f64, Tensor) {
    let shape = Shape::new(4, 64, 64, 3);
    let (input, labels) = batch(shape);
    let mut executor = loaded(config, shape);
    let logits = executor.infer(&input, Inference::Eval).unwrap().swap_remove(0);
    executor.set_dropout_state(DropoutState { seed, passes: 0 });
    let loss = Loss::single(LossKind::CrossEntropy);
    (executor.accumulate(&input, &labels, &loss, 1.0).unwrap(), logits)
}

#[test]
fn stochastic_depth_drops_in_training_only_and_from_its_seed() {
    for name in ["unet-efficientnet-b0", "unet-mit-b0", "segformer-b0"] {
        let without = narrow(name, 8);
        let often = NetConfig { drop_path: Some(0.9), ..without.clone() };
        let ((plain, logits), (dropped, same)) = (passes(&without, 1), passes(&often, 1));
        assert_eq!(logits, same, "{name}: evaluation");
        assert_ne!(plain, dropped, "{name}");
        assert_eq!(dropped, passes(&often, 1).0, "{name}: the same seed");
        assert_ne!(dropped, passes(&often, 2).0, "{name}: another seed");
    }
}

#[test]
fn rates_of_stochastic_depth_are_the_published_ones() {
    let rates = |name: &str, drop_path| -> Vec<f32> {
        let config = NetConfig { drop_path, ..NetConfig::new(name, 3, 2).unwrap() };
        let graph = config.build(Shape::new(1, 64, 64, 3)).unwrap();
        let rate = |op: &Op| if let Op::DropPath { rate, .. } = op { Some(*rate) } else { None };
        graph.nodes().iter().filter_map(|node| rate(&node.op)).collect()
    };
    // Over 9 residual branches of the 16 blocks; over 17 of 18; twice over 7 of 8. Those of rate 0 are left out.
    for (name, count, last) in [
        ("unet-efficientnet-b0", 9, 0.2 * 14.0 / 16.0),
        ("unet-convnext-tiny", 17, 0.1),
        ("unet-convnext-small", 35, 0.4),
        ("unet-mit-b0", 14, 0.1),
        ("segformer-b2", 30, 0.1),
    ] {
        let found = rates(name, None);
        assert_eq!(found.len(), count, "{name}: {found:?}");
        assert!((found[count - 1] - last).abs() < 1e-6, "{name}: {found:?}");
        assert!(found.is_sorted(), "{name}: {found:?}");
        assert!((rates(name, Some(0.5))[count - 1] / 0.5 - 1.0).abs() < 0.2, "{name}");
        assert!(rates(name, Some(0.0)).is_empty(), "{name}");
    }
    assert!(rates("unet-resnet18", None).is_empty());
}
