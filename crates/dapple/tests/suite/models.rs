//! Models away from their run: portable files, and models by name.

use std::fs;

use crate::common::{Bench, names};
use dapple::graph::{Network, Shape, State};
use dapple::nets::checkpoint::{ModelFile, write_state_dict};
use dapple::nets::{Activation, NetConfig};
use serde_json::Value;

fn miou(bench: &Bench, arguments: &str) -> f64 {
    let said = bench.succeed(&format!("{arguments} --json -"));
    let scores: Value = serde_json::from_str(&said.out).expect("nothing but JSON on standard output");
    scores["dataset"]["miou"].as_f64().expect("it was scored")
}

#[test]
fn a_portable_model_knows_its_validation_images() {
    let bench = Bench::new();
    bench.train("run");
    bench.succeed("export --model run --dapple single.safetensors");
    bench.succeed("export --model run --dapple half.safetensors --half");
    let size = |name: &str| fs::metadata(bench.path(name)).expect("it was written").len();
    assert!(size("half.safetensors") < size("single.safetensors"));

    // Without the run's folder, the same two images are scored, with the same result.
    let own = miou(&bench, "eval --model run --data data");
    assert_eq!(miou(&bench, "eval --model single.safetensors --data data"), own);
    assert_ne!(miou(&bench, "eval --model single.safetensors --data data --part all"), own);
    assert!((miou(&bench, "eval --model half.safetensors --data data") - own).abs() < 0.02);

    // Other data are scored as a whole, and that is said.
    fs::remove_file(bench.path("data/images/synthetic0000.png")).expect("it is there");
    fs::remove_file(bench.path("data/masks/synthetic0000.png")).expect("it is there");
    for file in names(&bench.path("data/images")) {
        for folder in ["images", "masks"] {
            let from = bench.path("data").join(folder).join(&file);
            fs::rename(&from, from.with_file_name(format!("other-{file}"))).expect("a free name");
        }
    }
    let said = bench.succeed("eval --model half.safetensors --data data");
    assert!(said.err.contains("other data") && said.out.contains("9 images"), "{}{}", said.err, said.out);
}

#[test]
fn mirrored_images_are_scored_too() {
    let bench = Bench::new();
    // Long enough for more than one class to be found.
    bench.succeed(
        "train --data data --recipe plain --model unet --width 4 --size 32 --epochs 15 --batch 2 --lr 0.01 --out run",
    );
    let plain = miou(&bench, "eval --model run --data data --part all");
    let both = miou(&bench, "eval --model run --data data --part all --flip both");
    assert!(both != plain && (both - plain).abs() < 0.2, "{both} {plain}");
}

#[test]
fn published_weights_predict_by_name() {
    let bench = Bench::new();
    // The authors publish a state dict of the network with one logit, in the cache under its name.
    let config = NetConfig {
        activation: Activation::Sigmoid,
        ..NetConfig::new("u2net-lite", 3, 2).expect("a network of the registry")
    };
    let graph = config.build(Shape::new(1, 64, 64, 3)).expect("it takes the size");
    let state = State::init(&graph, 1);
    let entries = dapple::nets::checkpoint::published(&config, &state).expect("it has published names");
    let cache = bench.path("cache/weights");
    fs::create_dir_all(&cache).expect("a folder");
    fs::write(cache.join("u2netp.pth"), write_state_dict(&entries).expect("it can be written"))
        .expect("a file");

    let mut command = bench.command("predict u2netp data/images/synthetic0000.png --quiet");
    let status = command.env("DAPPLE_CACHE", bench.path("cache")).env("DAPPLE_OFFLINE", "1").status();
    assert!(status.is_ok_and(|status| status.success()));
    assert_eq!(names(&bench.path("predictions")), [".dapple-results", "synthetic0000.png"]);

    let mut command = bench.command("predict u2net data/images/synthetic0000.png");
    let output = command.env("DAPPLE_CACHE", bench.path("cache")).env("DAPPLE_OFFLINE", "1").output();
    let output = output.expect("the program starts");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn models_come_with_the_program() {
    let bench = Bench::new();
    for (name, classes) in [("horse", 2), ("road", 11)] {
        bench.succeed(&format!("predict {name} data/images --out {name} --kind labels"));
        assert_eq!(names(&bench.path(name)).len(), 10 + 1, "with the record");
        let card = bench.succeed(&format!("weights card {name}")).out;
        assert!(card.contains("## Limits") && card.contains("## Licence"), "{card}");
        bench.succeed(&format!("export --model {name} --dapple {name}.safetensors"));
        let model = ModelFile::load(&bench.path(&format!("{name}.safetensors"))).expect("a model");
        assert_eq!(model.card.classes.len(), classes);
    }
    assert!(bench.succeed("weights list").out.contains("built in"));
}

#[test]
fn wrong_names_say_what_there_is() {
    let bench = Bench::new();
    bench.refuse("eval --model u2nte --data data", &["u2nte", "did you mean `u2net`"]);
    bench.refuse("predict --model resnet18 data/images", &["--init resnet18"]);
    bench.refuse("serve nothing.safetensors", &["nothing.safetensors", "no such file"]);
    bench.refuse("weights card nobody", &["nobody"]);
    bench.refuse("predict data/images/synthetic0000.png", &["give a model"]);
}
