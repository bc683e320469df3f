//! Model files: what goes in comes out, and damage is found.

use dapple_graph::{Network, Role, Shape, State};
use dapple_nets::checkpoint::{
    Class, ContentError, Ensemble, ModelCard, ModelFile, Normalization, Storage, init_from_file,
};
use dapple_nets::{DecoderAttention, Head, NetConfig, registry};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;

fn model(config: NetConfig) -> ModelFile {
    let side = config.entry().unwrap().smallest;
    let graph = config.build(Shape::new(1, side, side, config.in_channels)).unwrap();
    let class = |i: usize| Class { name: format!("class {i}"), colour: [i as u8, 7, 255] };
    let scores = serde_json::json!({"validation": {"mean_iou": 0.1 + 0.2, "classes": [0.25, null]}});
    let card = ModelCard {
        classes: (0..config.classes).map(class).collect(),
        network: config,
        ignore: Some(255),
        input_size: [224, 320],
        normalisation: Normalization::U2Net,
        images: None,
        seed: u64::MAX,
        epoch: 30,
        scores: scores.as_object().unwrap().clone(),
        extra: serde_json::Map::new(),
    };
    ModelFile { card, state: State::init(&graph, 5) }
}

pub fn small() -> ModelFile {
    model(NetConfig { width: 1, ..NetConfig::new("unet-bilinear", 1, 2).unwrap() })
}

/// The file with its tensors and its metadata changed.
fn rewrite(
    bytes: &[u8],
    tensors: impl Fn(&str, Vec<usize>, Vec<u8>) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
    metadata: impl Fn(String) -> HashMap<String, String>,
) -> Vec<u8> {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let file = SafeTensors::deserialize(bytes).unwrap();
    let parts: Vec<_> = file
        .iter()
        .flat_map(|(name, view)| tensors(name, view.shape().to_vec(), view.data().to_vec()))
        .collect();
    let views = parts
        .iter()
        .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let text = header.metadata().as_ref().unwrap()["dapple"].clone();
    safetensors::serialize(views, Some(metadata(text))).unwrap()
}

fn same_tensor(name: &str, shape: Vec<usize>, data: Vec<u8>) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)> {
    vec![(name.to_owned(), Dtype::F32, shape, data)]
}

fn same_text(text: String) -> HashMap<String, String> {
    HashMap::from([("dapple".to_owned(), text)])
}

#[test]
fn every_network_survives_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    // Of the decoders, those on two encoders: names and settings of the others are alike.
    let kept = |entry: &&registry::NetworkEntry| {
        entry.encoder.is_none_or(|encoder| ["resnet18", "mit-b0"].contains(&encoder.name))
    };
    for entry in registry::networks().iter().filter(kept) {
        let mut config = NetConfig { width: 4, ..NetConfig::new(&entry.name, 3, 5).unwrap() };
        config.head = entry.has_head.then_some(Head::Dense);
        config.dropout = entry.has_dropout.then_some(0.25);
        config.drop_path = entry.has_drop_path.then_some(0.3);
        config.output_stride = entry.output_strides.last().copied();
        config.decoder_attention = entry.has_decoder_attention.then_some(DecoderAttention::Scse);
        let model = model(config);
        let path = folder.path().join("model.safetensors");
        model.save(&path).unwrap();
        assert_eq!(ModelFile::load(&path).unwrap(), model, "{}", entry.name);
    }
    // Nothing temporary is left behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_model_file_initialises_a_network_for_other_classes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let there = model(NetConfig { width: 4, ..NetConfig::new("unet", 3, 2).unwrap() });
    there.save(&path).unwrap();
    let config = NetConfig { classes: 5, ..there.card.network.clone() };
    let mut here = State::init(&config.build(Shape::new(1, 16, 16, 3)).unwrap(), 1);
    let report = init_from_file(&mut here, &config, &path).unwrap();
    assert_eq!(report.head_kept, ["outc.conv.weight", "outc.conv.bias"]);
    assert_eq!(here.get("up4.conv.double_conv.3.weight"), there.state.get("up4.conv.double_conv.3.weight"));
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(small().to_bytes().unwrap(), small().to_bytes().unwrap());
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    small().save(&path).unwrap();
    let mut wrong = small();
    wrong.card.classes.pop();
    let error = wrong.save(&path).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("1 classes are named"), "{error}");
    assert_eq!(ModelFile::load(&path).unwrap(), small());
    assert!(small().save(&folder.path().join("no folder/model.safetensors")).is_err());
    assert!(small().save(folder.path()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_state_of_another_network_is_not_saved() {
    let mut wrong = small();
    wrong.card.network.width = 2;
    let error = wrong.to_bytes().unwrap_err().to_string();
    assert!(error.contains("inc.double_conv.0.weight"), "{error}");
}

#[test]
fn every_truncation_is_found() {
    let bytes = small().to_bytes().unwrap();
    for len in 0..bytes.len() {
        assert!(ModelFile::from_bytes(&bytes[..len]).is_err(), "{len} of {} bytes", bytes.len());
    }
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let model = small();
    let mut bytes = model.to_bytes().unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // The header is JSON, where every byte is different; the weights are under one checksum.
    for position in (0..header).chain((header..bytes.len()).step_by(7)) {
        let flip = 1 << (position % 8);
        bytes[position] ^= flip;
        if let Ok(read) = ModelFile::from_bytes(&bytes) {
            assert_eq!(read, model, "bit of byte {position}");
        }
        bytes[position] ^= flip;
    }
    assert_eq!(ModelFile::from_bytes(&bytes).unwrap(), model);
}

#[test]
fn half_precision_is_widened() {
    let model = small();
    let bytes = model.to_bytes().unwrap();
    let values = |data: &[u8]| -> Vec<f32> {
        data.as_chunks().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
    };
    let halves = rewrite(
        &bytes,
        |name, shape, data| {
            let data = values(&data).iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
            vec![(name.to_owned(), Dtype::F16, shape, data)]
        },
        same_text,
    );
    let brains = rewrite(
        &bytes,
        |name, shape, data| {
            let data = values(&data).iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
            vec![(name.to_owned(), Dtype::BF16, shape, data)]
        },
        same_text,
    );
    let rounded = |round: fn(f32) -> f32| model.state.values.iter().map(|&v| round(v)).collect::<Vec<_>>();
    let (halves, brains) = (ModelFile::from_bytes(&halves).unwrap(), ModelFile::from_bytes(&brains).unwrap());
    assert_eq!(halves.state.values, rounded(|v| f16::from_f32(v).to_f32()));
    assert_eq!(brains.state.values, rounded(|v| bf16::from_f32(v).to_f32()));
    assert_eq!(halves.card, model.card);
}

#[test]
fn half_precision_written_here_is_guarded() {
    let mut model = model(NetConfig { width: 8, ..NetConfig::new("unet-bilinear", 1, 2).unwrap() });
    let mut bytes = model.to_bytes_as(Storage::Half).unwrap();
    assert!(bytes.len() < model.to_bytes().unwrap().len() * 6 / 10);
    let read = ModelFile::from_bytes(&bytes).unwrap();
    for (index, spec) in model.state.specs.iter().enumerate() {
        let rounded = |&v: &f32| if !spec.role.is_weight() { v } else { f16::from_f32(v).to_f32() };
        let expected: Vec<f32> = model.state.slice(index).iter().map(rounded).collect();
        assert_eq!(read.state.slice(index), expected, "{}", spec.name);
    }
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(ModelFile::from_bytes(&bytes), Err(ContentError::Damaged("weights"))));

    let weight = model.state.specs.iter().position(|spec| spec.shape.len() == 4).unwrap();
    let offset = model.state.specs[weight].offset;
    model.state.values[offset] = 1e6;
    let error = model.to_bytes_as(Storage::Half).unwrap_err().to_string();
    assert!(error.contains("half precision") && error.contains(&model.state.specs[weight].name), "{error}");
}

#[test]
fn factors_of_channels_keep_their_digits_in_half_precision() {
    // ConvNeXt's begin at a millionth, where half precision has four binary digits.
    let model = model(NetConfig { width: 16, ..NetConfig::new("unet-convnext-tiny", 3, 2).unwrap() });
    let read = ModelFile::from_bytes(&model.to_bytes_as(Storage::Half).unwrap()).unwrap();
    let mut kept = 0;
    for (index, spec) in model.state.specs.iter().enumerate().filter(|(_, spec)| spec.role == Role::Factor) {
        assert_eq!(read.state.slice(index), model.state.slice(index), "{}", spec.name);
        kept += 1;
    }
    assert!(kept >= 18, "{kept}");
}

#[test]
fn other_content_is_refused_by_name() {
    let bytes = small().to_bytes().unwrap();
    let refused = |bytes: Vec<u8>| ModelFile::from_bytes(&bytes).unwrap_err();
    let with_text =
        |change: &dyn Fn(String) -> String| refused(rewrite(&bytes, same_tensor, |t| same_text(change(t))));

    assert!(matches!(refused(rewrite(&bytes, same_tensor, |_| HashMap::new())), ContentError::NotAModel));
    let newer = with_text(&|t| t.replacen("\"version\":1", "\"version\":3,\"new\":3", 1));
    assert!(matches!(newer, ContentError::Version(3)), "{newer}");
    let other_text = with_text(&|t| t.replace("class 1", "class 2"));
    assert!(matches!(other_text, ContentError::Damaged("model's description")), "{other_text}");

    let dropped = refused(rewrite(
        &bytes,
        |name, shape, data| if name == "outc.conv.bias" { vec![] } else { same_tensor(name, shape, data) },
        same_text,
    ));
    assert_eq!(dropped.to_string(), "parameter `outc.conv.bias`: missing");
    let added = refused(rewrite(
        &bytes,
        |name, shape, data| {
            let mut parts = same_tensor(name, shape.clone(), data.clone());
            if name == "outc.conv.bias" {
                parts.extend(same_tensor("outc.conv.bias2", shape, data));
            }
            parts
        },
        same_text,
    ));
    assert_eq!(added.to_string(), "parameter `outc.conv.bias2`: the network has no parameter of this name");
    let reshaped = refused(rewrite(
        &bytes,
        |name, mut shape, data| {
            if name == "outc.conv.weight" {
                shape.pop();
            }
            same_tensor(name, shape, data)
        },
        same_text,
    ));
    assert!(
        reshaped.to_string().contains("its shape is [2, 1, 1], but the network needs [2, 1, 1, 1]"),
        "{reshaped}"
    );
    let integers = refused(rewrite(
        &bytes,
        |name, shape, data| vec![(name.to_owned(), Dtype::I32, shape, data)],
        same_text,
    ));
    assert!(integers.to_string().contains("I32"), "{integers}");
}

#[test]
fn a_huge_described_network_takes_no_memory() {
    let bytes = small().to_bytes().unwrap();
    let change = |text: String| {
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        document["model"]["network"]["width"] = 1024.into();
        document["model_crc32"] = crc32fast::hash(document["model"].to_string().as_bytes()).into();
        same_text(document.to_string())
    };
    let error = ModelFile::from_bytes(&rewrite(&bytes, same_tensor, change)).unwrap_err().to_string();
    assert!(error.contains("the network needs [1024, 1, 3, 3]"), "{error}");
}

#[test]
fn inputs_that_no_machine_holds_are_refused() {
    let mut file = small();
    file.card.input_size = [16_384, 16_384];
    let error = file.to_bytes().unwrap_err().to_string();
    assert!(error.contains("16384 x 16384") && error.contains("4096 x 4096"), "{error}");
    // Nor are they read from a file that another program wrote.
    file.card.input_size = [4096, 4096];
    let bytes = file.to_bytes().unwrap();
    let huge = |text: String| {
        let text = text.replace("[4096,4096]", "[16384,16384]");
        let start = text.find("\"model\":").unwrap() + 8;
        let crc = crc32fast::hash(&text.as_bytes()[start..text.len() - 1]);
        let (before, after) = text.split_once("\"model_crc32\":").unwrap();
        let after = after.split_once(',').unwrap().1;
        HashMap::from([("dapple".to_owned(), format!("{before}\"model_crc32\":{crc},{after}"))])
    };
    let error = ModelFile::from_bytes(&rewrite(&bytes, same_tensor, huge)).unwrap_err().to_string();
    assert!(error.contains("16384 x 16384"), "{error}");
}

#[test]
fn models_without_their_training_images_are_as_they_were() {
    let text = |file: &ModelFile| {
        let bytes = file.to_bytes().unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        header.metadata().as_ref().unwrap()["dapple"].clone()
    };
    let mut file = small();
    assert!(!text(&file).contains("images"));
    file.card.images = Some(dapple_base::TrainingImages {
        values: dapple_base::SampleKind::Uint(16),
        range: "1000..1040".parse().unwrap(),
        bands: 1,
        size: [480, 640],
    });
    assert!(
        text(&file)
            .contains(r#""images":{"values":"uint16","range":"1000..1040","bands":1,"size":[480,640]}"#)
    );
    assert_eq!(ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap(), file);
}

#[test]
fn nan_infinite_weights_and_negative_variances_are_refused() {
    let bytes = small().to_bytes().unwrap();
    for (parameter, value) in [
        ("inc.double_conv.0.weight", f32::NAN),
        ("inc.double_conv.1.bias", f32::INFINITY),
        ("inc.double_conv.1.running_var", -0.25),
    ] {
        let mut model = small();
        let mut values = model.state.get(parameter).unwrap().to_vec();
        values[0] = value;
        model.state.set(parameter, &values).unwrap();
        let error = model.to_bytes().unwrap_err().to_string();
        assert!(error.contains(parameter), "{error}");
        // As an earlier version wrote it, with a checksum that is right.
        let spoil = |name: &str, shape: Vec<usize>, mut data: Vec<u8>| {
            if name == parameter {
                data[..4].copy_from_slice(&value.to_le_bytes());
            }
            same_tensor(name, shape, data)
        };
        let spoilt = rewrite(&bytes, spoil, |text| {
            let mut envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
            let mut hasher = crc32fast::Hasher::new();
            model.state.specs.iter().enumerate().for_each(|(index, _)| {
                model.state.slice(index).iter().for_each(|v| hasher.update(&v.to_le_bytes()));
            });
            envelope["weights_crc32"] = hasher.finalize().into();
            same_text(envelope.to_string())
        });
        let error = ModelFile::from_bytes(&spoilt).unwrap_err().to_string();
        assert!(error.contains(parameter) && error.contains("train it again"), "{error}");
    }
}

#[test]
fn changed_scores_of_an_ensemble_are_found() {
    let scores = small().card.scores;
    let ensemble = Ensemble { members: vec![small(), small()], scores };
    let bytes = ensemble.to_bytes().unwrap();
    assert_eq!(Ensemble::from_bytes(&bytes).unwrap(), ensemble);
    let at = bytes.windows(12).rposition(|window| window.starts_with(b"mean_iou")).unwrap();
    let digit = at + bytes[at..].iter().position(u8::is_ascii_digit).unwrap() + 2;
    let mut changed = bytes.clone();
    changed[digit] ^= 1;
    let error = Ensemble::from_bytes(&changed).unwrap_err();
    assert!(matches!(error, ContentError::Damaged(_)), "{error}");
}
