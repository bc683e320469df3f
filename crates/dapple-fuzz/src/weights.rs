//! Files of weights: `torch.save` old and new, safetensors, model files.

use std::io::{Cursor, Read, Write};

use dapple_graph::{Network, State};
use dapple_nets::NetConfig;
use dapple_nets::checkpoint::{
    Class, ModelCard, ModelFile, NamedTensor, Normalization, parse_state_dict, write_state_dict,
};
use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const ZIP: &[u8] = include_bytes!("../seeds/zip.pth");
const LEGACY: &[u8] = include_bytes!("../seeds/legacy.pth");
const PROTOCOL_4: &[u8] = include_bytes!("../seeds/protocol4.pth");
const SAFETENSORS: &[u8] = include_bytes!("../seeds/state.safetensors");

/// Reading ends with tensors that hold what their shapes say, or with an error; what was read can be written and read
/// again.
pub(crate) fn checkpoint(bytes: &[u8]) {
    if let Ok(model) = ModelFile::from_bytes(bytes) {
        let written = model.to_bytes().expect("what could be read can be written");
        assert_eq!(ModelFile::from_bytes(&written).ok().map(|again| again.card), Some(model.card));
    }
    let Ok(mut entries) = parse_state_dict(bytes, &|_| true) else { return };
    let mut elements = 0;
    for entry in &entries {
        assert_eq!(entry.shape.iter().product::<usize>(), entry.values.len(), "{}", entry.name);
        elements += entry.values.len();
    }
    // Views may share storage, but no element comes from less than a byte.
    assert!(elements <= bytes.len());
    // Keys may occur twice in a pickle, but not in a safetensors file.
    let Ok(written) = write_state_dict(&entries) else { return };
    let mut again = parse_state_dict(&written, &|_| true).expect("what was written can be read");
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    again.sort_by(|a, b| a.name.cmp(&b.name));
    if entries.windows(2).all(|pair| pair[0].name != pair[1].name) {
        assert!(entries.len() == again.len() && entries.iter().zip(&again).all(|(a, b)| same(a, b)));
    }
}

/// Equal, NaN included.
fn same(a: &NamedTensor, b: &NamedTensor) -> bool {
    let bits = |entry: &NamedTensor| entry.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    a.name == b.name && a.shape == b.shape && bits(a) == bits(b)
}

/// The pickle of a zip archive whose checksums are right, which mutations of the archive itself seldom get past.
pub(crate) fn pickle(bytes: &[u8]) {
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let storage: Vec<u8> = (0..64).collect();
    for (name, content) in [("a/data.pkl", bytes), ("a/data/0", &storage), ("a/data/1", &storage)] {
        file.start_file(name, stored).expect("a short name");
        file.write_all(content).expect("memory takes it");
    }
    checkpoint(&file.finish().expect("memory takes it").into_inner());
}

/// The header of a safetensors file with some data behind it.
pub(crate) fn safetensors(bytes: &[u8]) {
    let file = [&(bytes.len() as u64).to_le_bytes()[..], bytes, &[0; 64]].concat();
    checkpoint(&file);
}

/// The description of a model with right checksums, in front of the weights of another one.
pub(crate) fn metadata(bytes: &[u8]) {
    let Ok(card) = std::str::from_utf8(bytes) else { return };
    // The envelope carries the description as raw JSON; anything else is turned away at the door.
    let Ok(_) = serde_json::from_str::<Value>(card) else { return };
    thread_local!(static MODEL: (Value, Vec<u8>) = split(&small_model().to_bytes().expect("a small model")));
    MODEL.with(|(header, weights)| {
        let envelope = &header["__metadata__"]["dapple"];
        let envelope: Value = serde_json::from_str(envelope.as_str().expect("a text")).expect("an envelope");
        let (version, weights_crc32) = (&envelope["version"], &envelope["weights_crc32"]);
        let model_crc32 = crc32fast::hash(card.as_bytes());
        let text = format!(
            r#"{{"version":{version},"model_crc32":{model_crc32},"weights_crc32":{weights_crc32},"model":{card}}}"#
        );
        let mut header = header.clone();
        header["__metadata__"]["dapple"] = json!(text);
        let header = header.to_string();
        let length = (header.len() as u64).to_le_bytes();
        let file = [&length[..], header.as_bytes(), weights].concat();
        if let Ok(model) = ModelFile::from_bytes(&file) {
            let written = model.to_bytes().expect("what could be read can be written");
            assert_eq!(ModelFile::from_bytes(&written).ok().map(|again| again.card), Some(model.card));
        }
    });
}

/// The header of a safetensors file and what follows it.
fn split(file: &[u8]) -> (Value, Vec<u8>) {
    let (length, rest) = file.split_first_chunk::<8>().expect("a length");
    let (header, weights) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).expect("JSON"), weights.to_vec())
}

fn small_model() -> ModelFile {
    let network = NetConfig { width: 4, ..NetConfig::new("unet", 3, 2).expect("a known network") };
    let graph = network.build(network.example_input()).expect("it fits its example");
    let class = |i: u8| Class { name: format!("class {i}"), colour: [0, 40 * i, 200] };
    let card = ModelCard {
        network,
        classes: vec![class(0), class(1)],
        ignore: Some(255),
        input_size: [64, 64],
        normalisation: Normalization::U2Net,
        images: None,
        seed: 1,
        epoch: 3,
        scores: Map::new(),
        extra: Map::new(),
    };
    ModelFile { card, state: State::init(&graph, 1) }
}

/// One file of each kind.
pub(crate) fn checkpoint_seeds() -> Vec<Vec<u8>> {
    [ZIP, LEGACY, PROTOCOL_4, SAFETENSORS].map(<[u8]>::to_vec).into()
}

/// The pickles of the archives.
pub(crate) fn pickle_seeds() -> Vec<Vec<u8>> {
    let pickle = |file: &[u8]| {
        let mut archive = ZipArchive::new(Cursor::new(file)).expect("a zip archive");
        let name = archive.file_names().filter_map(Result::ok).find(|name| name.ends_with("data.pkl"));
        let name: String = name.expect("a pickle").into();
        let mut bytes = Vec::new();
        archive.by_name(&name).expect("a pickle").read_to_end(&mut bytes).expect("a whole entry");
        bytes
    };
    vec![pickle(ZIP), pickle(PROTOCOL_4)]
}

/// The header of the safetensors file, and one of all types.
pub(crate) fn header_seeds() -> Vec<Vec<u8>> {
    let types = br#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[8],"data_offsets":[16,32]},"c":{"dtype":"I64","shape":[],"data_offsets":[32,40]},"d":{"dtype":"F16","shape":[3,4],"data_offsets":[40,64]}}"#;
    vec![split(SAFETENSORS).0.to_string().into_bytes(), types.to_vec()]
}

/// The description of a model.
pub(crate) fn card_seeds() -> Vec<Vec<u8>> {
    vec![serde_json::to_vec(&small_model().card).expect("a description")]
}
