//! Models of the Hugging Face hub, from a server on this machine, and their folders.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

use crate::common::{Bench, Said};
use dapple::Segmenter;
use dapple::data::decode_image;
use dapple::graph::{Network, State};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{HubFiles, ModelFile};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Tiny networks that transformers saved, see `make.py` there.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dapple-nets/tests/hugging_face").join(name)
}

/// A folder of the fixtures, copied.
fn copy(bench: &Bench, name: &str) -> PathBuf {
    let folder = bench.path(name);
    fs::create_dir(&folder).expect("the folder is writable");
    for file in ["config.json", "preprocessor_config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), folder.join(file)).expect("a copy");
    }
    folder
}

/// Changes a value of a description.
fn change(file: &Path, key: &str, value: serde_json::Value) {
    let text = fs::read_to_string(file).expect("it is there");
    let mut settings: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    settings[key] = value;
    fs::write(file, settings.to_string()).expect("the folder is writable");
}

/// A hub with one model, `thing/tiny`; its thread ends with the test program.
fn hub() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let mut lines = BufReader::new(&stream).lines();
            let Some(Ok(first)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let files = format!("/thing/tiny/resolve/{COMMIT}/");
            let body = match path.strip_prefix(&files) {
                Some(file) => fs::read(fixture("segformer").join(file)).ok(),
                None if path == "/api/models/thing/tiny/revision/main?blobs=true" => {
                    fs::read(fixture("segformer/listing.json")).ok()
                }
                None => None,
            };
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            let body = body.unwrap_or_default();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // The client may have closed the connection.
            let mut out = &stream;
            let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body));
        }
    });
    address
}

/// Runs the program with a network.
fn online(bench: &Bench, arguments: &str, endpoint: &str) -> Said {
    let mut command = bench.command(arguments);
    command.env("DAPPLE_OFFLINE", "0").env("HF_ENDPOINT", endpoint).env("HF_TOKEN", "hf_secret");
    command.env_remove("HF_HUB_OFFLINE").env_remove("DAPPLE_WEIGHTS_MIRROR");
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_announced() {
    let (bench, endpoint) = (Bench::new(), hub());
    let predict = "predict hf://thing/tiny data/images --out masks --device cpu --quiet";
    let said = online(&bench, predict, &endpoint);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for word in ["fetching", "hf://thing/tiny", "kB", &endpoint, "commit 0123456789ab", "licence apache-2.0"]
    {
        assert!(said.err.contains(word), "no `{word}` in {}", said.err);
    }
    assert!(!said.err.contains("hf_secret"), "{}", said.err);
    assert!(bench.path("masks/synthetic0000.png").is_file());
    // From now on without a network.
    let said = bench.succeed("models show hf://thing/tiny");
    assert!(
        said.out.contains("thing 4") && said.out.contains(&format!("hf://thing/tiny@{COMMIT}")),
        "{}",
        said.out
    );
    assert!(!said.err.contains("fetching"), "{}", said.err);
    bench.succeed("bench hf://thing/tiny --size 64 --runs 1 --device cpu");
    bench.refuse("predict hf://thing/other data/images --out o", &["hf://thing/other", "switched off"]);
    bench.refuse("predict hf://thing data/images --out o", &["hf://thing", "OWNER/NAME"]);
    let said = online(&bench, "predict hf://thing/other data/images --out o", &endpoint);
    assert!(said.code == Some(2) && said.err.contains("404"), "{}", said.err);
    let said = online(&bench, "weights get hf://thing/tiny", &endpoint);
    assert!(said.code == Some(0) && said.out.contains(COMMIT), "{}{}", said.out, said.err);
}

#[test]
fn a_folder_of_transformers_is_a_model() {
    let bench = Bench::new();
    let folder = copy(&bench, "segformer");
    let segmenter = Segmenter::builder().threads(1).load(&folder).expect("a model");
    assert_eq!(segmenter.classes().names[1], "thing 1");
    assert!(segmenter.notes().iter().any(|note| note.contains("preprocessor_config.json")));
    copy(&bench, "segformer-moments");
    bench.succeed("predict segformer-moments data/images --out moments --device cpu --quiet");
    copy(&bench, "upernet");
    bench.succeed("predict --model upernet data/images --out masks --device cpu --quiet");
    bench.succeed("export upernet --onnx upernet.onnx");
    // A network that the registry does not have is not kept in a model file, and not trained.
    let said = bench.run("export upernet --dapple upernet.safetensors");
    assert!(said.code == Some(2) && said.err.contains("UperNetForSemanticSegmentation"), "{}", said.err);
    assert!(!bench.path("upernet.safetensors").exists());

    let steps = folder.join("preprocessor_config.json");
    change(&steps, "do_resize", false.into());
    let said = bench.succeed("predict segformer data/images --out own-size --device cpu --quiet");
    assert!(said.err.contains("do_resize") && said.err.contains("--input-size"), "{}", said.err);
    change(&steps, "do_resize", "no".into());
    bench.refuse("predict segformer data/images --out o", &["preprocessor_config.json"]);
    fs::remove_file(&steps).expect("it is there");
    let said = bench.succeed("predict segformer data/images --out without --device cpu --quiet");
    assert!(said.err.contains("ImageNet"), "{}", said.err);
    change(&folder.join("config.json"), "architectures", serde_json::json!(["DPTForSemanticSegmentation"]));
    bench.refuse("predict segformer data/images --out o", &["DPTForSemanticSegmentation", "UperNet"]);
    fs::write(folder.join("config.json"), "{").expect("the folder is writable");
    bench.refuse("predict segformer data/images --out o", &["config.json"]);
}

#[test]
fn a_training_starts_from_a_folder_of_transformers() {
    let bench = Bench::new();
    let config = NetConfig { width: 8, ..NetConfig::new("segformer-b0", 3, 7).expect("of the registry") };
    let state = State::init(&config.build(config.example_input()).expect("it fits its example"), 3);
    let names: Vec<String> = (0..7).map(|label| format!("thing {label}")).collect();
    let files = HubFiles::new(&config, &state, &names).expect("transformers has it");
    fs::create_dir(bench.path("start")).expect("the folder is writable");
    fs::write(bench.path("start/config.json"), files.config.to_string()).expect("the folder is writable");
    fs::write(bench.path("start/model.safetensors"), files.weights).expect("the folder is writable");
    bench.succeed("train --data data --init start --size 32 --epochs 1 --batch 5 --threads 2 --out run");
    let trained = ModelFile::load(&bench.path("run/best.safetensors")).expect("a model");
    assert_eq!((trained.card.network.name.as_str(), trained.card.network.width), ("segformer-b0", 8));
}

#[test]
fn a_folder_for_the_hub_predicts_as_its_model() {
    let bench = Bench::new();
    bench.succeed(
        "train --data data --model unet-resnet18 --size 32 --epochs 1 --batch 5 --threads 2 --weights none --out run",
    );
    bench.refuse("export horse --hub horse", &["segmentation_models_pytorch", "--onnx"]);
    assert!(!bench.path("horse").exists());
    bench.succeed("export run --hub folder --licence cc-by-4.0");
    let card = bench.read("folder/README.md");
    let model = ModelFile::load(&bench.path("run/best.safetensors")).expect("a model");
    for word in ["cc-by-4.0", "miou", "smp.from_pretrained", &model.card.classes[1].name] {
        assert!(card.contains(word), "no `{word}` in {card}");
    }
    bench.refuse("export run --hub folder", &["folder", "--force"]);
    bench.succeed("export run --hub folder --force");
    assert!(bench.read("folder/README.md").contains("none is stated"));
    let photo = decode_image(bench.path("data/images/synthetic0000.png")).expect("a picture");
    let load = |name: &str| Segmenter::builder().threads(1).load(bench.path(name)).expect("a model");
    let (own, back) = (load("run"), load("folder"));
    assert_eq!(own.classes().names, back.classes().names);
    let [own, back] = [own, back].map(|model| model.predict(&photo).expect("it predicts").probability(1));
    let difference = own.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(difference < 1e-6, "{difference}");
    // Where its description is gone, the settings are said to be assumed.
    fs::remove_file(bench.path("folder/preprocessor_config.json")).expect("it is there");
    let back = load("folder");
    assert!(back.notes().iter().any(|note| note.contains("resized")), "{:?}", back.notes());
}
