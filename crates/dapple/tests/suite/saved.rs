//! Training from a folder that segmentation_models_pytorch saved.

use std::fs;

use crate::common::Bench;
use dapple::graph::{Network, Shape, State};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{published, write_state_dict};
use serde_json::json;

#[test]
fn the_network_is_the_one_that_was_saved() {
    let bench = Bench::new();
    let saved = bench.path("saved");
    fs::create_dir(&saved).expect("the folder is writable");
    let write = |interpolation: &str| {
        let config = json!({
            "_model_class": "Unet",
            "encoder_name": "resnet18",
            "encoder_depth": 5,
            "decoder_interpolation": interpolation,
            "in_channels": 1,
            "classes": 5,
        });
        fs::write(saved.join("config.json"), config.to_string()).expect("the folder is writable");
    };
    write("nearest");
    let config = NetConfig { width: 8, ..NetConfig::new("unet-resnet18", 1, 5).expect("of the registry") };
    let graph = config.build(Shape::new(1, 32, 32, 1)).expect("of that size");
    let entries = published(&config, &State::init(&graph, 7)).expect("of the registry");
    let bytes = write_state_dict(&entries).expect("names are unique");
    fs::write(saved.join("model.safetensors"), bytes).expect("the folder is writable");

    let train = "train --data data --width 8 --size 64 --epochs 1 --batch 2 --threads 2";
    for (init, run) in [("saved", "a"), ("saved/model.safetensors", "b")] {
        let said = bench.succeed(&format!("{train} --init {init} --out {run}"));
        let all = format!("{} parameters taken over", graph.params().len());
        assert!(format!("{}{}", said.out, said.err).contains(&all), "{all} in\n{}{}", said.out, said.err);
        let settings = bench.read(&format!("{run}/config.toml"));
        assert!(settings.contains("unet-resnet18") && settings.contains("in_channels = 1"), "{settings}");
    }

    let wrong = format!("{train} --init saved --model fpn --encoder resnet18 --out wrong");
    bench.refuse(&wrong, &["`unet-resnet18`", "`fpn-resnet18`", "--model"]);
    write("bilinear");
    let words = ["config.json", "decoder_interpolation", "bilinear"];
    bench.refuse(&format!("{train} --init saved --out wrong"), &words);
    bench.refuse(&format!("{train} --init saved --model unet-resnet18 --out wrong"), &words);
    fs::remove_file(saved.join("config.json")).expect("it was written");
    bench.refuse(&format!("{train} --init saved --out wrong"), &["--model", "config.json"]);
    bench.refuse(&format!("{train} --init data --model unet --out wrong"), &["model.safetensors"]);
    assert!(!bench.path("wrong").exists(), "no folder is left behind");
}
