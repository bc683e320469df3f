//! Other people's weights: reading their files, and matching their names.

use dapple_graph::{Network, Shape, State};
use dapple_nets::checkpoint::{
    InitError, InitReport, NamedTensor, Naming, init_from, init_from_file, parse_state_dict, published,
    read_state_dict,
};
use dapple_nets::{Head, NetConfig};
use std::fs;
use std::path::{Path, PathBuf};

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

fn all(_: &str) -> bool {
    true
}

/// The entries of a checkpoint's `state_dict`, without the counts of batches, by name.
fn weights(mut entries: Vec<NamedTensor>) -> Vec<NamedTensor> {
    entries.retain(|e| !e.name.ends_with("num_batches_tracked"));
    for entry in &mut entries {
        entry.name = entry.name.strip_prefix("state_dict.").unwrap_or(&entry.name).to_owned();
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

#[test]
fn all_formats_hold_the_same() {
    let expected = weights(read_state_dict(&golden("state.safetensors"), &all).unwrap());
    assert_eq!(expected.len(), 7);
    for file in ["zip.pth", "protocol4.pth", "legacy.pth"] {
        let entries = read_state_dict(&golden(file), &all).unwrap();
        let count = entries.iter().find(|e| e.name == "state_dict.bn.num_batches_tracked").unwrap();
        assert_eq!((&count.shape[..], &count.values[..]), (&[][..], &[7.0][..]));
        assert_eq!(weights(entries), expected, "{file}");
    }
}

#[test]
fn a_file_with_a_name_of_21_letters_is_read_like_any_other() {
    // The first entry of the directory is then as long as the records of large archives, which PyTorch always writes; here a
    // comment makes it as long.
    const RECORDS: u16 = 76;
    let mut bytes = fs::read(golden("zip.pth")).unwrap();
    let last = |bytes: &[u8], magic: [u8; 4]| bytes.windows(4).rposition(|four| four == magic).unwrap();
    let first = bytes.windows(4).position(|four| four == *b"PK\x01\x02").unwrap();
    let short = |bytes: &[u8], at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let len = 46 + [28, 30, 32].map(|at| short(&bytes, first + at)).iter().sum::<u16>();
    let more = RECORDS - len;
    let comment = short(&bytes, first + 32) + more;
    bytes[first + 32..][..2].copy_from_slice(&comment.to_le_bytes());
    let end = first + usize::from(len);
    drop(bytes.splice(end..end, std::iter::repeat_n(b' ', usize::from(more))));
    // The directory's length in both ends, and the place of the second end.
    for (magic, at) in [(*b"PK\x05\x06", 12), (*b"PK\x06\x06", 40), (*b"PK\x06\x07", 8)] {
        let at = last(&bytes, magic) + at;
        let grown = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + u32::from(more);
        bytes[at..at + 4].copy_from_slice(&grown.to_le_bytes());
    }
    assert_eq!(parse_state_dict(&bytes, &all).unwrap(), read_state_dict(&golden("zip.pth"), &all).unwrap());
}

#[test]
fn only_what_is_wanted_is_read() {
    for file in ["zip.pth", "legacy.pth", "state.safetensors"] {
        let entries = read_state_dict(&golden(file), &|name| name.ends_with("double")).unwrap();
        assert_eq!(entries.len(), 1, "{file}");
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<NamedTensor>, String> {
    parse_state_dict(bytes, &all).map_err(|e| e.to_string())
}

#[test]
fn truncated_files_are_errors_or_whole() {
    for file in ["zip.pth", "legacy.pth", "state.safetensors"] {
        let bytes = fs::read(golden(file)).unwrap();
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).is_err(), "{len} bytes of {file}");
        }
    }
}

#[test]
fn flipped_bits_never_panic_and_are_found_where_there_are_checksums() {
    for file in ["zip.pth", "legacy.pth", "state.safetensors"] {
        let mut bytes = fs::read(golden(file)).unwrap();
        let whole = parse(&bytes).unwrap();
        for position in 0..bytes.len() {
            for flip in [1 << (position % 8), 0xff] {
                bytes[position] ^= flip;
                if let (Ok(read), "zip.pth") = (parse(&bytes), file) {
                    assert_eq!(read, whole, "byte {position} of {file}");
                }
                bytes[position] ^= flip;
            }
        }
    }
}

/// A file in the older format around a pickle of the object and one of the list of storages.
fn legacy(object: &[u8], storages: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [&magic[..], b"\x80\x02M\xe9\x03.", b"\x80\x02}.", object, storages].concat()
}

#[test]
fn dictionaries_and_strings_of_python_2_are_read() {
    let object = [
        b"\x80\x02ccollections\nOrderedDict\n](](U\x01wctorch._utils\n_rebuild_tensor\n(".as_slice(),
        b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x01NtQK\0K\x01\x85K\x01\x85tRee\x85R.",
    ];
    let mut file = legacy(&object.concat(), b"\x80\x02]U\x010a.");
    file.extend(1u64.to_le_bytes());
    file.extend(2.5f32.to_le_bytes());
    assert_eq!(parse(&file).unwrap(), [NamedTensor { name: "w".into(), shape: vec![1], values: vec![2.5] }]);
}

#[test]
fn code_is_refused_by_name() {
    let evil = legacy(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", b"\x80\x02].");
    let error = parse(&evil).unwrap_err();
    assert!(error.contains("`os.system`") && error.contains("state_dict()"), "{error}");
}

#[test]
fn other_objects_beside_the_weights_are_read_over() {
    let expected = weights(read_state_dict(&golden("state.safetensors"), &all).unwrap());
    for file in ["objects.pth", "objects4.pth", "objects-legacy.pth"] {
        let read = read_state_dict(&golden(file), &|name| name.starts_with("state_dict.")).unwrap();
        assert_eq!(weights(read), expected, "{file}");
    }
    // `[state_dict, epoch]`.
    let mut listed = read_state_dict(&golden("list.pth"), &all).unwrap();
    listed.iter_mut().for_each(|entry| entry.name = entry.name.replacen("0.", "", 1));
    assert_eq!(weights(listed), expected);
    // A module that was saved whole.
    let module = weights(read_state_dict(&golden("module.pth"), &all).unwrap());
    assert_eq!(module, weights(read_state_dict(&golden("module.safetensors"), &all).unwrap()));
}

#[test]
fn zip_entries_that_overlap_are_refused() {
    let error = read_state_dict(&golden("overlapping.pth"), &all).unwrap_err().to_string();
    assert!(error.contains("overlapping.pth") && error.contains("overlap"), "{error}");
}

#[test]
fn hostile_sizes_are_refused() {
    // {"w": a tensor of `count` elements at `offset` with a shape and strides} over one storage of four floats.
    let tensor = |len: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]| {
        let object = [
            b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0".as_slice(),
            b"0X\x03\0\0\0cpu",
            len,
            b"tQ",
            offset,
            shape,
            strides,
            b"\x89}tRs.",
        ]
        .concat();
        let mut file = legacy(&object, b"\x80\x02]X\x01\0\0\x000a.");
        file.extend(4u64.to_le_bytes());
        [1.0f32, 2.0, 3.0, 4.0].iter().for_each(|v| file.extend(v.to_le_bytes()));
        parse(&file)
    };
    let good = tensor(b"K\x04", b"K\0", b"K\x02K\x02\x86", b"K\x01K\x02\x86").unwrap();
    assert_eq!(
        good[0],
        NamedTensor { name: "w".into(), shape: vec![2, 2], values: vec![1.0, 3.0, 2.0, 4.0] }
    );
    assert_eq!(tensor(b"K\x04", b"K\x01", b"K\0\x85", b"K\x01\x85").unwrap()[0].values, [0.0f32; 0]);

    let huge = b"J\xff\xff\xff\x7f".as_slice();
    let twice = [huge, huge, b"\x86"].concat();
    let once = [huge, b"\x85"].concat();
    for (what, result) in [
        ("behind the storage", tensor(b"K\x04", b"K\x01", b"K\x04\x85", b"K\x01\x85")),
        ("strides behind the storage", tensor(b"K\x04", b"K\0", b"K\x02\x85", b"K\x04\x85")),
        ("huge strides", tensor(b"K\x04", b"K\0", b"K\x02K\x02\x86", &twice)),
        ("repeated without end", tensor(b"K\x04", b"K\0", &once, b"K\0\x85")),
        ("overflowing", tensor(b"K\x04", b"K\0", &[huge, huge, huge, b"\x87"].concat(), b"K\0K\0K\0\x87")),
        ("negative", tensor(b"K\x04", b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85")),
        ("fewer strides", tensor(b"K\x04", b"K\0", b"K\x02\x85", b")")),
        ("another storage size", tensor(b"K\x05", b"K\0", b"K\x02\x85", b"K\x01\x85")),
        ("no tuple", tensor(b"K\x04", b"K\0", b"K\x02", b"K\x01")),
    ] {
        assert!(result.is_err(), "{what}: {result:?}");
    }
}

#[test]
fn cycles_and_nonsense_end() {
    let read = |object: &[u8]| parse(&legacy(object, b"\x80\x02]."));
    // A dictionary that holds itself twice.
    assert_eq!(read(b"\x80\x02}q\0X\x01\0\0\0ah\0sX\x01\0\0\0bh\0s."), Ok(Vec::new()));
    // A key that is too long for a parameter, such as a path: what lies below it is left out.
    let long = [b"\x80\x02}X\x2c\x01\0\0".as_slice(), &[b'w'; 300], b"}s."].concat();
    assert_eq!(read(&long), Ok(Vec::new()));
    for nonsense in [
        b"".as_slice(),
        b".",
        b"N.",
        b"(.",
        b"t.",
        b"h\0.",
        b"R.",
        b")R.",
        b"))R.",
        b"}a.",
        b"]Na]Ns.",
        b"(Nu.",
        b"}(Nu.",
        b"NQ.",
        b"(NNNNNtQ.",
        b"X\xff\xff\xff\xff.",
        b"\x8a\xff.",
        b"\x8a\x09123456789.",
        b"cnowhere",
        b"\x93.",
        b"Nb.",
        b"i",
    ] {
        assert!(read(nonsense).is_err(), "{nonsense:?}");
    }
}

#[test]
fn other_files_are_refused() {
    for bytes in [b"".as_slice(), b"PK", b"\x89PNG\r\n\x1a\n and so on", b"PK\x05\x06"] {
        assert!(parse(bytes).unwrap_err().contains("torch.save"), "{bytes:?}");
    }
    let error = read_state_dict(&golden("absent.pth"), &all).unwrap_err().to_string();
    assert!(error.contains("absent.pth"), "{error}");
}

fn config(name: &str, in_channels: usize, classes: usize) -> NetConfig {
    NetConfig { width: 4, ..NetConfig::new(name, in_channels, classes).unwrap() }
}

fn state(config: &NetConfig, seed: u64) -> State {
    State::init(&config.build(Shape::new(1, 32, 32, config.in_channels)).unwrap(), seed)
}

fn entries(state: &State, rename: impl Fn(&str) -> String) -> Vec<NamedTensor> {
    let entry = |(i, spec): (usize, &dapple_graph::ParamSpec)| NamedTensor {
        name: rename(&spec.name),
        shape: spec.shape.clone(),
        values: state.slice(i).to_vec(),
    };
    state.specs.iter().enumerate().map(entry).collect()
}

fn load(to: &NetConfig, from: &[NamedTensor]) -> Result<(State, InitReport), InitError> {
    let mut state = state(to, 1);
    let before = state.clone();
    match init_from(&mut state, to, from) {
        Ok(report) => Ok((state, report)),
        Err(error) => {
            assert_eq!(state, before, "an error leaves the state as it was");
            Err(error)
        }
    }
}

#[test]
fn own_names_load_under_any_prefix() {
    let cases = [
        ("unet", "module."),
        ("u2net-lite", "state_dict.model."),
        ("segnet", ""),
        ("unet", "student.net_state_dict."),
        ("unet", "0._orig_mod."),
    ];
    for (name, prefix) in cases {
        let config = config(name, 3, 2);
        let there = state(&config, 2);
        let mut from = entries(&there, |name| format!("{prefix}{name}"));
        from.push(NamedTensor {
            name: format!("{prefix}bn.num_batches_tracked"),
            shape: vec![],
            values: vec![1.0],
        });
        let (here, report) = load(&config, &from).unwrap();
        assert_eq!(here, there, "{name}");
        assert_eq!((report.naming, report.loaded.len()), (Naming::Own, there.specs.len()));
        assert!(report.missing.is_empty() && report.unexpected.is_empty() && report.head_kept.is_empty());
    }
}

#[test]
fn of_two_copies_the_first_is_taken_and_the_other_is_named() {
    let config = config("unet", 3, 2);
    let (first, second) = (state(&config, 2), state(&config, 3));
    let mut from = entries(&first, |name| format!("model.{name}"));
    from.extend(entries(&second, |name| format!("ema.module.{name}")));
    let (here, report) = load(&config, &from).unwrap();
    assert_eq!(here, first);
    assert_eq!((report.prefix.as_str(), report.also_fits.as_deref()), ("model.", Some("ema.module.")));
    let said = report.to_string();
    assert!(said.contains("below `model.`") && said.contains("`ema.module.`"), "{said}");
}

#[test]
fn nan_and_negative_variances_are_refused() {
    let config = config("unet", 3, 2);
    for (name, value) in [("inc.double_conv.0.weight", f32::NAN), ("inc.double_conv.1.running_var", -1.0)] {
        let mut from = entries(&state(&config, 2), str::to_owned);
        from.iter_mut().find(|entry| entry.name == name).unwrap().values[1] = value;
        let error = load(&config, &from).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(&value.to_string()), "{error}");
    }
}

#[test]
fn a_head_for_other_classes_is_left_alone() {
    for (name, heads) in [("unet", 2), ("u2net", 14), ("segnet", 2)] {
        let there = state(&config(name, 3, 7), 2);
        let (here, report) = load(&config(name, 3, 5), &entries(&there, str::to_owned)).unwrap();
        assert_eq!(report.head_kept.len(), heads, "{name}: {report}");
        let initial = state(&config(name, 3, 5), 1);
        for (i, spec) in here.specs.iter().enumerate() {
            let expected = if report.head_kept.contains(&spec.name) { &initial } else { &there };
            assert_eq!(here.slice(i), expected.slice(i), "{name}: {}", spec.name);
        }
        assert!(report.to_string().contains("the head"), "{report}");
    }
    // A head of another kind shares a name with the wanted one: nothing of it is taken.
    let there = state(&NetConfig { head: Some(Head::Dense), ..config("segnet", 3, 5) }, 2);
    let (_, report) = load(&config("segnet", 3, 5), &entries(&there, str::to_owned)).unwrap();
    assert_eq!(report.head_kept, ["head.conv.weight", "head.conv.bias"]);
}

#[test]
fn colours_are_summed_for_grey_images() {
    for name in ["unet", "u2net-lite", "segnet"] {
        let there = state(&config(name, 3, 2), 2);
        let (here, report) = load(&config(name, 1, 2), &entries(&there, str::to_owned)).unwrap();
        assert_eq!(report.adapted_input.as_ref(), Some(&here.specs[0].name));
        let (grey, colour) = (here.slice(0), there.slice(0));
        for (i, &v) in grey.iter().enumerate() {
            let (filter, tap) = (i / 9, i % 9);
            let at = |c: usize| colour[filter * 27 + c * 9 + tap];
            assert_eq!(v, at(0) + at(1) + at(2));
        }
    }
}

#[test]
fn differences_are_listed_with_the_nearest_names() {
    let config = config("unet", 3, 2);
    let there = state(&config, 2);
    let mut from = entries(&there, |name| name.replace("down1.maxpool_conv.1.", "down1.maxpool_conv."));
    let up = from.iter().position(|e| e.name == "up1.up.bias").unwrap();
    from[up].shape = vec![2, from[up].values.len() / 2];
    let (_, report) = load(&config, &from).unwrap();
    assert_eq!(report.missing.len(), 10);
    assert_eq!(report.missing[0].name, "down1.maxpool_conv.1.double_conv.0.weight");
    assert_eq!(report.missing[0].nearest.as_deref(), Some("down1.maxpool_conv.double_conv.0.weight"));
    assert_eq!(report.unexpected.len(), 10);
    assert_eq!(report.mismatched, [("up1.up.bias".to_owned(), vec![32], vec![2, 16])]);
    let text = report.to_string();
    assert!(text.contains("10 missing") && text.contains("and 4 more") && text.contains("nearest"), "{text}");
}

#[test]
fn weights_of_another_network_are_an_error() {
    for (to, from) in [("unet", "u2net"), ("u2net", "unet"), ("segnet", "unet")] {
        let from = entries(&state(&config(from, 3, 2), 2), str::to_owned);
        let error = load(&config(to, 3, 2), &from).unwrap_err().to_string();
        assert!(error.contains("only 0 of its"), "{error}");
    }
    let wide = entries(&state(&NetConfig { width: 8, ..config("unet", 3, 2) }, 2), str::to_owned);
    assert!(load(&config("unet", 3, 2), &wide).unwrap_err().to_string().contains("of another shape"));
    assert!(load(&config("unet", 3, 2), &[]).is_err());
}

/// torchvision's keys with a sixteenth of its channels, that is width 4; the values count up.
fn vgg(keys: &str) -> Vec<NamedTensor> {
    let text = fs::read_to_string(golden(keys)).unwrap();
    let mut next = 0.0;
    let mut entry = |line: &str| {
        let (name, shape) = line.split_once(' ').unwrap();
        let mut shape: Vec<usize> = shape.split('x').map(|v| v.parse().unwrap()).collect();
        shape.iter_mut().filter(|v| **v >= 64).for_each(|v| *v /= 16);
        let values = (0..shape.iter().product()).map(|_| {
            next += 1.0;
            next
        });
        NamedTensor { name: name.into(), values: values.collect(), shape }
    };
    text.lines().map(&mut entry).collect()
}

#[test]
fn vgg16_fills_segnets_encoder() {
    let config = config("segnet", 3, 12);
    for (keys, naming, loaded) in
        [("vgg16.keys.txt", Naming::PlainVgg, 26), ("vgg16_bn.keys.txt", Naming::Encoder, 78)]
    {
        let from = vgg(keys);
        let (here, report) = load(&config, &from).unwrap();
        assert_eq!((report.naming, report.loaded.len()), (naming, loaded), "{report}");
        assert_eq!(
            (report.missing.len(), report.mismatched.len(), report.unexpected.len()),
            (0, 0, 6),
            "{report}"
        );
        // The convolutions come in the same order in both.
        let convolutions = from.iter().filter(|e| e.name.starts_with("features.") && e.shape.len() == 4);
        let own = here.specs.iter().filter(|s| s.name.starts_with("encoder.") && s.shape.len() == 4);
        for (theirs, own) in convolutions.zip(own) {
            assert_eq!(here.get(&own.name).unwrap(), theirs.values, "{} as {}", theirs.name, own.name);
        }
        // Parameters that VGG does not have stay.
        let initial = state(&config, 1);
        for (i, spec) in here.specs.iter().enumerate().filter(|(_, s)| !report.loaded.contains(&s.name)) {
            assert_eq!(here.slice(i), initial.slice(i), "{}", spec.name);
        }
    }
}

#[test]
fn an_incomplete_vgg16_is_an_error() {
    let config = config("segnet", 3, 12);
    let mut from = vgg("vgg16.keys.txt");
    from.retain(|e| e.name != "features.28.bias");
    let error = load(&config, &from).unwrap_err().to_string();
    assert!(
        error.contains("1 parameters of the encoder") && error.contains("encoder.features.40.bias"),
        "{error}"
    );
    let error = load(&NetConfig { width: 8, ..config }, &vgg("vgg16_bn.keys.txt")).unwrap_err().to_string();
    assert!(error.contains("of width 8") && error.contains("of another shape"), "{error}");
}

#[test]
fn errors_name_the_file() {
    let config = config("unet", 3, 2);
    let mut here = state(&config, 1);
    let error = init_from_file(&mut here, &config, &golden("zip.pth")).unwrap_err().to_string();
    assert!(error.contains("zip.pth") && error.contains("do not fit unet of width 4"), "{error}");
}

#[test]
fn weights_of_classification_networks_fill_encoders() {
    for (name, prefix) in
        [("unet-resnet18", "encoder."), ("fcn-resnet18", "backbone."), ("unet-mit-b0", "encoder.")]
    {
        let config = config(name, 3, 2);
        let there = state(&config, 2);
        let mut from = published(&config, &there).unwrap();
        from.retain(|entry| entry.name.starts_with(prefix));
        from.iter_mut().for_each(|entry| entry.name = entry.name[prefix.len()..].to_owned());
        from.push(NamedTensor { name: "fc.weight".into(), shape: vec![2, 2], values: vec![0.0; 4] });
        let (here, report) = load(&config, &from).unwrap();
        assert_eq!((report.naming, report.unexpected.len()), (Naming::Encoder, 1), "{name}: {report}");
        for (i, spec) in here.specs.iter().enumerate().filter(|(_, spec)| spec.name.starts_with(prefix)) {
            assert_eq!(here.slice(i), there.slice(i), "{name}: {}", spec.name);
            assert!(report.loaded.contains(&spec.name));
        }
        // An incomplete encoder is none.
        from.remove(5);
        assert!(load(&config, &from).unwrap_err().to_string().contains("of the encoder"), "{name}");
    }
}

#[test]
fn lite_r_aspp_takes_mobilenets_numbered_layers() {
    let config = config("lraspp-mobilenetv3-large", 3, 2);
    let there = state(&config, 2);
    let mut from = published(&config, &there).unwrap();
    from.retain(|entry| entry.name.starts_with("backbone."));
    from.iter_mut().for_each(|entry| entry.name = entry.name.replacen("backbone.", "features.", 1));
    let (here, report) = load(&config, &from).unwrap();
    assert_eq!((report.naming, report.loaded.len()), (Naming::Encoder, from.len()), "{report}");
    assert_eq!(here.get("backbone.0.0.weight"), there.get("backbone.0.0.weight"));
}

#[test]
fn published_names_go_both_ways() {
    for name in ["segformer-mit-b0", "segformer-b0", "unet-convnext-tiny", "deeplabv3-resnet18"] {
        let config = NetConfig { width: 8, ..NetConfig::new(name, 3, 2).unwrap() };
        let there = state(&config, 2);
        let from = published(&config, &there).unwrap();
        let (here, report) = load(&config, &from).unwrap();
        assert_eq!(here, there, "{name}");
        assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{name}: {report}");
    }
    let entry = |name: &str, key: &str| {
        let config = NetConfig { width: 8, ..NetConfig::new(name, 3, 2).unwrap() };
        let entries = published(&config, &state(&config, 2)).unwrap();
        entries
            .into_iter()
            .find(|entry| entry.name == key)
            .unwrap_or_else(|| panic!("{name}: no `{key}`"))
            .shape
    };
    assert_eq!(entry("segformer-mit-b0", "encoder.block2.1.attn.kv.weight"), [32, 16]);
    assert_eq!(entry("segformer-b0", "segformer.encoder.block.1.0.attention.self.key.weight"), [16, 16]);
    assert_eq!(entry("segformer-b0", "decode_head.linear_c.3.proj.weight"), [64, 64]);
    assert_eq!(entry("unet-convnext-tiny", "encoder.model.stages_0.blocks.0.gamma"), [8]);
}

#[test]
fn hugging_faces_names_in_memory_are_told_from_those_in_files() {
    let config = NetConfig { width: 8, ..NetConfig::new("segformer-b0", 3, 2).unwrap() };
    let there = state(&config, 2);
    let mut from = published(&config, &there).unwrap();
    for entry in &mut from {
        let parts: Vec<&str> = entry.name.split('.').collect();
        entry.name = match parts[..] {
            ["segformer", "encoder", "block", stage, block, ..] => {
                format!("segformer.stages.{stage}.blocks.{block}.{}", parts[5..].join("."))
            }
            ["segformer", "encoder", layer, stage, ..] => {
                format!("segformer.stages.{stage}.{layer}.{}", parts[4..].join("."))
            }
            _ => entry.name.replace("linear_c", "linear_projections"),
        };
        for (file, memory) in [
            ("self.query", "q_proj"),
            ("self.key", "k_proj"),
            ("self.value", "v_proj"),
            ("output.dense", "o_proj"),
            ("self.sr", "sequence_reduction.sequence_reduction"),
            ("self.layer_norm", "sequence_reduction.layer_norm"),
            ("layer_norm_1", "layernorm_before"),
            ("layer_norm_2", "layernorm_after"),
            ("mlp.dense", "mlp.fc"),
        ] {
            entry.name = entry.name.replace(file, memory);
        }
    }
    let (here, report) = load(&config, &from).unwrap();
    assert_eq!((report.naming, report.missing.len()), (Naming::Modules, 0), "{report}");
    assert_eq!(here, there);
}

#[test]
fn colours_are_repeated_for_more_channels() {
    let there = state(&config("unet-resnet18", 3, 2), 2);
    let from = entries(&there, str::to_owned);
    let (here, report) = load(&config("unet-resnet18", 4, 2), &from).unwrap();
    assert_eq!(report.adapted_input.as_deref(), Some("encoder.conv1.weight"));
    let (four, three) = (here.slice(0), there.slice(0));
    for (i, &v) in four.iter().enumerate() {
        let (filter, channel, tap) = (i / (4 * 49), i / 49 % 4, i % 49);
        assert_eq!(v, three[(filter * 3 + channel % 3) * 49 + tap] * 0.75);
    }
}
