//! Sizes, counts and settings of the networks.

use dapple_graph::{Network, Shape, Target, summary};
use dapple_nets::{Activation, ConfigError, DecoderAttention, Dilation, Head, NetConfig, registry};
use proptest::prelude::*;

fn config(name: &str, in_channels: usize, classes: usize) -> NetConfig {
    NetConfig::new(name, in_channels, classes).unwrap()
}

fn parameters(config: &NetConfig) -> usize {
    summary::parameters(&config.build(Shape::new(1, 64, 64, config.in_channels)).unwrap())
}

#[test]
fn parameter_counts_are_the_published_ones() {
    assert_eq!(parameters(&config("unet", 3, 2)), 31_037_698);
    assert_eq!(parameters(&config("unet-bilinear", 3, 2)), 17_263_042);
    assert_eq!(parameters(&config("u2net", 3, 2)), 44_009_869);
    assert_eq!(parameters(&config("u2net-lite", 3, 2)), 1_131_181);
    let dense = NetConfig { head: Some(Head::Dense), ..config("segnet", 3, 12) };
    assert_eq!(parameters(&dense), 29_443_968);
    // The paper's head: 64 * 12 * 9 + 12 in place of the dense head's 960.
    assert_eq!(parameters(&config("segnet", 3, 12)), 29_443_968 - 960 + 6_924);
}

#[test]
fn grey_input_takes_two_thirds_of_the_first_layer_away() {
    for name in ["unet", "unet-bilinear", "u2net", "u2net-lite", "segnet"] {
        let first = 64 * 9;
        let difference = parameters(&config(name, 3, 2)) - parameters(&config(name, 1, 2));
        assert_eq!(difference, 2 * first, "{name}");
    }
}

#[test]
fn two_classes_with_sigmoid_share_one_logit() {
    let lite = config("u2net-lite", 3, 2);
    assert_eq!((lite.activation, lite.logits()), (Activation::Sigmoid, 1));
    assert_eq!(NetConfig { activation: Activation::Softmax, ..lite.clone() }.logits(), 2);
    assert_eq!(NetConfig { classes: 5, ..lite }.logits(), 5);
    assert_eq!(config("unet", 3, 2).logits(), 2);
}

#[test]
fn u2net_has_the_fused_output_first() {
    let graph = config("u2net-lite", 1, 7).build(Shape::new(2, 33, 50, 1)).unwrap();
    let names: Vec<&str> = graph.outputs().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["d0", "d1", "d2", "d3", "d4", "d5", "d6"]);
    for (name, node) in graph.outputs() {
        assert_eq!(graph.shape(*node), Shape::new(2, 33, 50, 7), "{name}");
    }
}

#[test]
fn too_small_images_are_told_a_size() {
    for (name, size, proposed) in [("unet", [40, 15], "40 x 16"), ("segnet", [31, 7], "32 x 32")] {
        let error = config(name, 3, 2).build(Shape::new(1, size[0], size[1], 3)).unwrap_err().to_string();
        assert!(error.contains(&format!("resize or pad to {proposed}")), "{error}");
    }
    for entry in registry::networks() {
        let config = config(&entry.name, 3, 2);
        assert!(config.build(Shape::new(1, entry.smallest, entry.smallest, 3)).is_ok(), "{}", entry.name);
        assert!(config.build(Shape::new(1, entry.smallest - 1, 256, 3)).is_err(), "{}", entry.name);
        assert!(config.build(Shape::new(0, 256, 256, 3)).is_err(), "{}", entry.name);
        assert!(config.build(Shape::new(1, 256, 256, 1)).is_err(), "{}", entry.name);
    }
}

#[test]
fn unknown_names_get_proposals() {
    let error = NetConfig::new("u-net", 3, 2).unwrap_err().to_string();
    assert!(error.contains("did you mean `unet`?") && error.contains("segnet"), "{error}");
    assert!(error.contains("deeplabv3plus-ENCODER"), "{error}");
    let error = NetConfig::new("unet-resnet35", 3, 2).unwrap_err().to_string();
    assert!(error.contains("did you mean `unet-resnet34`?"), "{error}");
    assert!(matches!(
        NetConfig::new("transformer", 3, 2),
        Err(ConfigError::UnknownNetwork { nearest: None, .. })
    ));
}

#[test]
fn settings_out_of_range_are_refused() {
    let good = config("u2net", 3, 2);
    for bad in [
        NetConfig { width: 6, ..good.clone() },
        NetConfig { width: 0, ..good.clone() },
        NetConfig { width: usize::MAX - 3, ..good.clone() },
        NetConfig { in_channels: 0, ..good.clone() },
        NetConfig { classes: 1, ..good.clone() },
        NetConfig { classes: 257, ..good.clone() },
        NetConfig { head: Some(Head::Dense), ..good.clone() },
        NetConfig { name: "u2".into(), ..good.clone() },
        NetConfig { output_stride: Some(8), ..good.clone() },
        NetConfig { dropout: Some(0.1), ..good.clone() },
        NetConfig { output_stride: Some(32), ..config("deeplabv3-resnet50", 3, 2) },
        NetConfig { dropout: Some(1.0), ..config("deeplabv3-resnet50", 3, 2) },
        NetConfig { dropout: Some(f32::NAN), ..config("deeplabv3-resnet50", 3, 2) },
        NetConfig { drop_path: Some(0.1), ..config("unet-resnet18", 3, 2) },
        NetConfig { drop_path: Some(1.0), ..config("unet-mit-b0", 3, 2) },
        NetConfig { width: 30, ..config("unet-resnet18", 3, 2) },
        NetConfig { decoder_width: Some(30), ..config("unet-resnet18", 3, 2) },
        NetConfig { decoder_width: Some(0), ..config("unet-resnet18", 3, 2) },
        NetConfig { decoder_width: Some(32), ..good.clone() },
        NetConfig { decoder_width: Some(32), ..config("linknet-resnet18", 3, 2) },
        NetConfig { decoder_attention: Some(DecoderAttention::Scse), ..config("linknet-resnet18", 3, 2) },
        NetConfig { output_stride: Some(8), ..config("pan-resnet18", 3, 2) },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
        assert!(bad.build(Shape::new(1, 64, 64, bad.in_channels)).is_err(), "{bad:?}");
    }
}

#[test]
fn a_decoder_has_a_width_of_its_own_and_the_encoder_keeps_its_published_one() {
    let of_width = |name: &str, decoder_width| {
        let config = NetConfig { decoder_width, ..config(name, 3, 2) };
        let graph = config.build(Shape::new(1, 128, 128, 3)).expect("the size fits");
        let prefix = config.entry().expect("of the registry").encoder_prefix.expect("it has an encoder");
        let (encoder, decoder): (Vec<_>, Vec<_>) =
            graph.params().iter().cloned().partition(|spec| spec.name.starts_with(prefix));
        (encoder, decoder.iter().map(|spec| spec.len()).sum::<usize>())
    };
    for entry in registry::networks().iter().filter(|entry| entry.has_decoder_width) {
        let name = &entry.name;
        let (whole, half) = (of_width(name, None), of_width(name, Some(entry.width / 2)));
        assert_eq!(half.0, whole.0, "{name}");
        assert!(half.1 < whole.1, "{name}: {} of {}", half.1, whole.1);
        assert_eq!(of_width(name, Some(entry.width)), whole, "{name}");
    }
}

#[test]
fn configurations_survive_json_and_unknown_keys_are_errors() {
    for entry in registry::networks() {
        let config = config(&entry.name, 1, 11);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<NetConfig>(&text).unwrap(), config);
    }
    let dense = NetConfig { head: Some(Head::Dense), ..config("segnet", 3, 12) };
    let text = serde_json::to_string(&dense).unwrap();
    assert!(text.contains(r#""head":"dense""#), "{text}");
    assert_eq!(serde_json::from_str::<NetConfig>(&text).unwrap(), dense);
    assert!(serde_json::from_str::<NetConfig>(&text.replace("width", "with")).is_err());
}

/// All that `dapple models` lists, and all values of the settings that choose between structures.
#[test]
fn every_combination_builds_with_logits_for_each_pixel() {
    for entry in registry::networks() {
        let plain = NetConfig { width: 8, ..config(&entry.name, 3, 5) };
        let mut variants = vec![plain.clone()];
        for &stride in entry.output_strides {
            for dilation in [Dilation::Stages, Dilation::Later] {
                let (output_stride, dilation) = (Some(stride), Some(dilation));
                variants.push(NetConfig { output_stride, dilation, ..plain.clone() });
            }
        }
        if entry.has_decoder_attention {
            let decoder_attention = Some(DecoderAttention::Scse);
            variants.push(NetConfig { decoder_attention, ..plain.clone() });
        }
        let side = entry.smallest.max(64);
        let input = Shape::new(2, side + 5, side + 22, 3);
        for variant in variants {
            let graph = variant.build(input).unwrap_or_else(|e| panic!("{variant:?}: {e}"));
            assert_eq!(
                graph.shape(graph.outputs()[0].1),
                input.with_channels(variant.logits()),
                "{variant:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Every output has the input's size, and parameters do not depend on it.
    #[test]
    fn outputs_have_the_size_of_the_input(
        index in 0..registry::networks().len(),
        n in 1usize..4, h in 0usize..70, w in 0usize..70,
        channels in prop::sample::select(vec![1usize, 3]), classes in 2usize..6,
    ) {
        let entry = &registry::networks()[index];
        let config = NetConfig { width: 8, ..config(&entry.name, channels, classes) };
        let input = Shape::new(n, h + entry.smallest, w + entry.smallest, channels);
        let graph = config.build(input).unwrap();
        for (output, (_, node)) in graph.outputs().iter().enumerate() {
            let channels = match entry.output_targets.get(output).copied().unwrap_or_default() {
                Target::Labels => config.logits(),
                Target::Boundaries => 1,
            };
            prop_assert_eq!(graph.shape(*node), input.with_channels(channels));
        }
        let other = config.build(config.example_input()).unwrap();
        prop_assert_eq!(graph.params(), other.params());
    }
}
