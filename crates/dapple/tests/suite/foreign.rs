//! Weights that other programs saved.

use std::fs;

use crate::common::Bench;
use dapple::graph::{Network, Shape, State};
use dapple::nets::NetConfig;
use dapple::nets::checkpoint::{ModelFile, published, write_state_dict};

/// Random weights of a network under the names of its publisher.
fn weights(config: &NetConfig) -> Vec<u8> {
    let graph = config.build(Shape::new(1, 32, 32, config.in_channels)).expect("of that size");
    let mut entries = published(config, &State::init(&graph, 7)).expect("of the registry");
    entries.iter_mut().for_each(|entry| entry.name = format!("student.{}", entry.name));
    write_state_dict(&entries).expect("names are unique")
}

#[test]
fn weights_of_other_programs_predict() {
    let bench = Bench::new();
    let config = NetConfig { width: 8, ..NetConfig::new("unet-resnet18", 3, 5).expect("of the registry") };
    fs::write(bench.path("foreign.safetensors"), weights(&config)).expect("the folder is writable");

    let words = ["foreign.safetensors", "--network", "dapple import"];
    bench.refuse("predict --model foreign.safetensors data/images --out masks", &words);
    bench.refuse(
        "import foreign.safetensors --network unet --out wrong.safetensors",
        &["foreign.safetensors"],
    );
    assert!(!bench.path("wrong.safetensors").exists());

    let said = bench.succeed(
        "import foreign.safetensors --network unet-resnet18 --size 64 --classes a,b,c,d,e --out model.safetensors",
    );
    assert!(said.out.contains("below `student.`") && said.out.contains("--normalise"), "{}", said.out);
    let model = ModelFile::load(&bench.path("model.safetensors")).expect("a model");
    assert_eq!((model.card.network.classes, model.card.network.width), (5, 8));
    assert_eq!((model.card.input_size, model.card.classes[4].name.as_str()), ([64, 64], "e"));
    bench.refuse(
        "import foreign.safetensors --network unet-resnet18 --out model.safetensors",
        &["model.safetensors", "--force"],
    );
    bench.refuse(
        "import foreign.safetensors --network unet-resnet18 --classes a,b --out other.safetensors",
        &["5 classes", "2 names"],
    );

    bench.succeed("predict --model model.safetensors data/images --out masks --device cpu");
    bench.succeed(
        "predict --model foreign.safetensors --network unet-resnet18 data/images --out same --device cpu",
    );
    bench.succeed("export --model foreign.safetensors --network unet-resnet18 --onnx foreign.onnx");
    let eval = "eval --model foreign.safetensors --network unet-resnet18 --data data --part all --device cpu";
    // The synthetic pictures have classes of other names, which are said.
    let said = bench.succeed(eval);
    assert!(said.err.contains("the data name the classes"), "{}", said.err);

    // A model of dapple keeps its own description, and the weights are not replaced.
    let network = "--network unet-resnet18";
    let words = ["model.safetensors", "without --network"];
    bench.refuse(&format!("export model.safetensors {network} --onnx own.onnx"), &words);
    bench.refuse(&format!("predict horse {network} data/images --out own"), &["horse", "without --network"]);
    bench.refuse(
        &format!("import foreign.safetensors {network} --out foreign.safetensors --force"),
        &["foreign.safetensors", "input"],
    );
}
