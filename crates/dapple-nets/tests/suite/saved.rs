//! Models that segmentation_models_pytorch saved. `saved/` holds the `config.json` of each class that is read, as
//! `smp.CLASS("resnet34", encoder_weights=None, classes=3).save_pretrained(DIR)` of version 0.6 writes it (SegFormer on
//! `mit_b0`); the weights are made here.

use dapple_graph::{Network, Shape, State};
use dapple_nets::checkpoint::{check_saved, init_from_file, published, saved_network, write_state_dict};
use dapple_nets::{Activation, DecoderAttention, Dilation, NetConfig};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const CLASSES: [(&str, &str); 10] = [
    ("Unet", "unet-resnet34"),
    ("UnetPlusPlus", "unetplusplus-resnet34"),
    ("Linknet", "linknet-resnet34"),
    ("FPN", "fpn-resnet34"),
    ("PSPNet", "pspnet-resnet34"),
    ("PAN", "pan-resnet34"),
    ("DeepLabV3", "deeplabv3-smp-resnet34"),
    ("DeepLabV3Plus", "deeplabv3plus-resnet34"),
    ("UPerNet", "upernet-resnet34"),
    ("Segformer", "segformer-mit-b0"),
];

/// The settings of a class, some of them replaced.
fn settings(class: &str, changes: Value) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/saved/{class}.json"));
    let mut settings: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    settings
}

/// A folder with this `config.json` and a file in place of the weights.
fn folder(config: impl AsRef<[u8]>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config).unwrap();
    fs::write(folder.path().join("model.safetensors"), b"").unwrap();
    folder
}

fn network(class: &str, changes: Value) -> NetConfig {
    let folder = folder(settings(class, changes).to_string());
    saved_network(folder.path()).unwrap().expect("a class of segmentation_models_pytorch")
}

/// The error's message without the folder.
fn refused(config: impl AsRef<[u8]>) -> String {
    let folder = folder(config);
    let message = saved_network(folder.path()).unwrap_err().to_string();
    let file = format!("{}: ", folder.path().join("config.json").display());
    message.strip_prefix(&file).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[test]
fn each_class_names_its_network() {
    for (class, name) in CLASSES {
        assert_eq!(network(class, json!({})), NetConfig::new(name, 3, 3).unwrap());
        let saved = network(class, json!({"in_channels": 1, "classes": 1, "aux_params": {"classes": 4}}));
        assert_eq!((saved.in_channels, saved.classes, saved.logits()), (1, 2, 1), "{class}");
        assert_eq!(saved.activation, Activation::Sigmoid, "{class}");
    }
    assert_eq!(network("Unet", json!({"classes": 2, "activation": "sigmoid"})).logits(), 2);
    let many = network("Unet", json!({"classes": 4, "activation": "sigmoid"}));
    assert_eq!((many.logits(), many.activation), (4, Activation::Sigmoid));
}

#[test]
fn encoders_have_their_names_here() {
    for (there, here) in [
        ("resnet101", "resnet101"),
        ("vgg16_bn", "vgg16-bn"),
        ("mit_b2", "mit-b2"),
        ("timm-efficientnet-b3", "efficientnet-b3"),
        ("tu-mobilenetv3_large_100", "mobilenetv3-large"),
        ("tu-convnext_tiny", "convnext-tiny"),
        ("resnet152", "resnet152"),
        ("resnext50_32x4d", "resnext50-32x4d"),
        ("se_resnext101_32x4d", "se-resnext101-32x4d"),
        ("densenet169", "densenet169"),
        ("mobilenet_v2", "mobilenetv2"),
        ("efficientnet-b5", "efficientnet-smp-b5"),
        ("timm-efficientnet-b7", "efficientnet-b7"),
        ("mit_b5", "mit-b5"),
        ("tu-resnet34", "resnet34"),
        ("tu-wide_resnet50_2", "wide-resnet50-2"),
        ("tu-mobilenetv3_small_100", "mobilenetv3-small"),
        ("tu-mobilenetv4_conv_medium", "mobilenetv4-conv-medium"),
        ("tu-regnety_016", "regnety-016"),
        ("tu-hrnet_w32", "hrnet-w32"),
        ("tu-tf_efficientnetv2_s", "tf-efficientnetv2-s"),
    ] {
        assert_eq!(network("Unet", json!({"encoder_name": there})).name, format!("unet-{here}"));
    }
    assert_eq!(network("FPN", json!({"encoder_name": "tu-efficientnet_b0"})).name, "fpn-efficientnet-b0");
    let saved = network("Segformer", json!({"encoder_name": "timm-efficientnet-b0"}));
    assert_eq!(saved.name, "segformer-efficientnet-b0");
    assert_eq!(
        network("FPN", json!({"encoder_name": "tu-tf_efficientnet_lite0"})).name,
        "fpn-efficientnet-lite0"
    );
    let message = refused(settings("Unet", json!({"encoder_name": "tu-tf_efficientnet_lite0"})).to_string());
    assert!(message.contains("stride 2"), "{message}");
    // Another padding or other maps than here, names of this program, no encoder, another type.
    for there in [
        json!("timm-tf_efficientnet_lite0"),
        json!("tu-efficientnet_lite0"),
        json!("efficientnet-smp-b0"),
        json!("efficientnet_lite0"),
        json!("tu-tf_efficientnet_b0"),
        json!("tu-efficientnetv2_s"),
        json!("tu-mobilenetv2_100"),
        json!("tu-densenet121"),
        json!("wide_resnet50_2"),
        json!("resnet200"),
        json!(34),
        json!(null),
    ] {
        let message = refused(settings("Unet", json!({"encoder_name": there})).to_string());
        assert!(message.contains(&format!("`encoder_name` is {there}")), "{message}");
    }
    // The map at stride 2 has 16 channels there, 32 here.
    let message = refused(settings("Unet", json!({"encoder_name": "tu-efficientnet_b0"})).to_string());
    assert!(message.contains("stride 2") && message.contains("timm-efficientnet-b0"), "{message}");
    let message = refused(settings("DeepLabV3", json!({"encoder_name": "mit_b0"})).to_string());
    assert!(message.contains("deeplabv3-smp-mit-b0"), "{message}");
}

#[test]
fn strides_and_dropout_are_taken_over() {
    let saved = network("DeepLabV3Plus", json!({"encoder_output_stride": 8, "decoder_aspp_dropout": 0.25}));
    assert_eq!((saved.output_stride, saved.dropout), (Some(8), Some(0.25)));
    let saved = network("DeepLabV3", json!({"encoder_output_stride": 16, "upsampling": 16}));
    assert_eq!((saved.output_stride, saved.dropout), (Some(16), None));
    assert_eq!(network("FPN", json!({"decoder_dropout": 0})).dropout, Some(0.0));
    let dilation = |encoder: &str| network("DeepLabV3Plus", json!({"encoder_name": encoder})).dilation;
    assert_eq!((dilation("resnet18"), dilation("tu-resnet18")), (None, Some(Dilation::Later)));
}

#[test]
fn attention_in_the_decoder_is_taken_over() {
    for class in ["Unet", "UnetPlusPlus"] {
        let saved = network(class, json!({"decoder_attention_type": "scse"}));
        assert_eq!(saved.decoder_attention, Some(DecoderAttention::Scse), "{class}");
    }
    let message = refused(settings("Linknet", json!({"decoder_attention_type": "scse"})).to_string());
    assert!(message.contains("`decoder_attention_type`"), "{message}");
}

#[test]
fn batch_norm_has_many_spellings() {
    let old = json!({"decoder_use_norm": {"type": "batchnorm"}, "decoder_use_batchnorm": true});
    assert_eq!(network("Unet", old).name, "unet-resnet34");
    for norm in [json!(false), json!("inplace"), json!("layernorm"), json!({"type": "batchnorm", "eps": 0.1})]
    {
        let message = refused(settings("Unet", json!({"decoder_use_norm": norm})).to_string());
        assert!(message.contains("`decoder_use_norm`") && message.contains("batchnorm"), "{message}");
    }
}

#[test]
fn all_settings_of_another_network_are_listed() {
    let other = json!({
        "decoder_channels": [64, 32, 16, 8, 8],
        "decoder_attention_type": "cbam",
        "encoder_depth": 4,
        "decoder_channel": 3,
        "a_later_switch": false,
    });
    let message = refused(settings("Unet", other).to_string());
    for part in [
        "`decoder_channels` is [64,32,16,8,8], only [256, 128, 64, 32, 16] or all of them times one factor is supported",
        "`decoder_attention_type` is \"cbam\", only null or \"scse\" is supported",
        "`encoder_depth` is 4, only 5 is supported",
        "`decoder_channel`, which is 3, is unknown (nearest: `decoder_channels`)",
        "without config.json",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("later"), "{message}");
    let message = refused(r#"{"_model_class": "MAnet"}"#);
    assert!(message.contains("`_model_class` is \"MAnet\"") && message.contains("UnetPlusPlus"), "{message}");
}

#[test]
fn other_channels_of_a_decoder_are_its_width() {
    let width = |class, changes| network(class, changes).decoder_width;
    assert_eq!(width("Unet", json!({"decoder_channels": [128, 64, 32, 16, 8]})), Some(32));
    assert_eq!(width("Unet", json!({"decoder_channels": [512, 256, 128, 64, 32]})), Some(128));
    assert_eq!(width("Unet", json!({"decoder_channels": [256, 128, 64, 32, 16]})), None);
    let halves = json!({"decoder_pyramid_channels": 128, "decoder_segmentation_channels": 64});
    assert_eq!(width("FPN", halves), Some(32));
    assert_eq!(width("PAN", json!({"decoder_channels": 64})), Some(128));
    assert_eq!(width("UPerNet", json!({"decoder_channels": 128})), Some(32));
    for (class, changes, part) in [
        ("FPN", json!({"decoder_pyramid_channels": 128}), "times one factor"),
        ("Unet", json!({"decoder_channels": [250, 125, 64, 32, 16]}), "times one factor"),
        ("PAN", json!({"decoder_channels": 31}), "a multiple of 4"),
        ("PAN", json!({"decoder_channels": 1u64 << 40}), "a number of channels such as 32"),
        ("UnetPlusPlus", json!({"decoder_channels": [128, 64, 32, 16, 8]}), "only [256, 128, 64, 32, 16]"),
        ("DeepLabV3Plus", json!({"decoder_channels": 128}), "only 256 is supported"),
    ] {
        let message = refused(settings(class, changes).to_string());
        assert!(message.contains(part), "{class}: {message}");
    }
}

#[test]
fn hostile_settings_are_errors() {
    let huge = format!(r#"{{"_model_class": "Unet", "x": "{}"}}"#, "x".repeat(1 << 20));
    let deep = format!(r#"{{"_model_class": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (config, part) in [
        (huge.as_str(), "1 MiB"),
        (deep.as_str(), "nests too deeply"),
        ("", "before it is complete"),
        ("[]", "not a JSON object"),
        ("{\"_model_class\": \"Unet\"", "before it is complete"),
        ("\u{0}\u{1}\u{2}", "not JSON"),
        (r#"{"_model_class": ["Unet"]}"#, "`_model_class` is [\"Unet\"]"),
        (r#"{"_model_class": "Unet"}"#, "`encoder_name` is missing"),
    ] {
        let message = refused(config);
        assert!(message.contains(part) && message.len() < 2000, "{part} in {message}");
    }
    for (key, value) in [
        ("classes", json!(-1)),
        ("classes", json!(0)),
        ("classes", json!(1e300)),
        ("classes", json!("3")),
        ("in_channels", json!(u64::MAX)),
        ("in_channels", json!({})),
        ("activation", json!(7)),
        ("decoder_aspp_dropout", json!(1)),
        ("decoder_aspp_dropout", json!(0.999_999_999_9)),
        ("decoder_aspp_dropout", json!([])),
        ("encoder_output_stride", json!(0)),
        ("decoder_atrous_rates", json!([12, 24])),
        ("decoder_atrous_rates", json!("12")),
        ("upsampling", json!(-8)),
    ] {
        let message = refused(settings("DeepLabV3", json!({key: value})).to_string());
        assert!(message.contains(&format!("`{key}` is {value}")), "{message}");
    }
    // Long and unprintable names, and many of them.
    let many: serde_json::Map<String, Value> =
        (0..1000).map(|i| (format!("\u{1b}[31m{i}{}", "é".repeat(300)), json!("y".repeat(300)))).collect();
    let message = refused(settings("Unet", Value::Object(many)).to_string());
    assert!(message.contains("and 984 more") && !message.contains('\u{1b}'), "{message}");
    assert!(message.len() < 8000, "{}", message.len());
}

#[test]
fn other_folders_and_files_are_told_apart() {
    let folder = folder(r#"{"model_type": "segformer"}"#);
    assert_eq!(saved_network(folder.path()).unwrap(), None, "somebody else's config.json");
    fs::write(folder.path().join("config.json"), "{").unwrap();
    assert_eq!(
        saved_network(&folder.path().join("best.safetensors")).unwrap(),
        None,
        "another file beside it"
    );
    let error = saved_network(&folder.path().join("model.safetensors")).unwrap_err().to_string();
    assert!(error.contains("config.json"), "{error}");
    fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_eq!(saved_network(folder.path()).unwrap(), None, "without config.json");
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let error = saved_network(folder.path()).unwrap_err().to_string();
    assert!(error.contains("save_pretrained"), "{error}");
    fs::write(folder.path().join("pytorch_model.bin"), b"").unwrap();
    fs::write(folder.path().join("config.json"), settings("FPN", json!({})).to_string()).unwrap();
    assert_eq!(saved_network(folder.path()).unwrap().unwrap().name, "fpn-resnet34");
}

#[test]
fn a_folder_is_taken_over_whole() {
    for (class, name) in CLASSES {
        let config = NetConfig { width: 8, ..NetConfig::new(name, 3, 3).unwrap() };
        let state = |seed| State::init(&config.build(Shape::new(1, 128, 128, 3)).unwrap(), seed);
        let (there, mut here) = (state(1), state(2));
        let folder = folder(settings(class, json!({})).to_string());
        let weights = folder.path().join("model.safetensors");
        fs::write(&weights, write_state_dict(&published(&config, &there).unwrap()).unwrap()).unwrap();
        let report = init_from_file(&mut here, &config, folder.path()).unwrap();
        assert_eq!(report.loaded.len(), here.specs.len(), "{class}: {report}");
        assert_eq!((here.values, here.statistics), (there.values, there.statistics), "{class}");

        let asked = NetConfig::new("unet-vgg11", 3, 3).unwrap();
        for path in [folder.path(), &weights] {
            let error = check_saved(path, &asked).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("unet-vgg11"), "{error}");
        }
    }
}
