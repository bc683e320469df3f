//! Training from models of this program: runs, model files, built-in models.

use std::fs;

use crate::common::Bench;

const TRAIN: &str = "train --data data --size 32 --epochs 1 --batch 2 --threads 2";

#[test]
fn a_run_and_its_model_file_name_their_network() {
    let bench = Bench::new();
    bench.train("run");
    for (init, out) in [("run", "a"), ("run/best.safetensors", "b")] {
        let said = bench.succeed(&format!("{TRAIN} --init {init} --out {out}")).out;
        for part in
            ["parameters taken over from weights of the same network", "head: taken over by the names"]
        {
            assert!(said.contains(part), "{init}: no `{part}` in\n{said}");
        }
        let settings = bench.read(&format!("{out}/config.toml"));
        assert!(settings.contains("name = \"unet\"") && settings.contains("width = 2"), "{settings}");
    }
    // The settings of such a run train again, and flags that agree are no contradiction.
    bench.succeed("train --config a/config.toml --out again");
    bench.succeed(&format!("{TRAIN} --init run --model unet --width 2 --channels 3 --out agreeing"));
}

#[test]
fn flags_that_contradict_the_weights_are_refused_with_both_values() {
    let bench = Bench::new();
    bench.train("run");
    for (flags, words) in [
        ("--width 8", ["network.width = 2", "8", "--width"]),
        ("--model segnet", ["network.name = unet", "segnet", "--model"]),
        ("--channels 1", ["network.in_channels = 3", "1", "--channels"]),
    ] {
        bench.refuse(&format!("{TRAIN} --init run {flags} --out wrong"), &words);
    }
    bench.succeed(&format!("{TRAIN} --model unet --width 4 --out wide"));
    bench.refuse("train --config wide/config.toml --init run --out wrong", &["network.width = 2", "4"]);
    assert!(!bench.path("wrong").exists(), "no folder is left behind");
}

#[test]
fn classes_that_the_weights_do_not_know_are_new_and_said() {
    let bench = Bench::new();
    bench.train("run");
    let table = bench.read("data/classes.toml");
    fs::write(bench.path("data/classes.toml"), table.replace("disc", "coin")).expect("a file");
    let said = bench.succeed(&format!("{TRAIN} --init run --out other")).out;
    assert!(
        said.contains("head: taken over for the classes background,") && said.contains("; new for coin"),
        "{said}"
    );
    fs::remove_file(bench.path("data/classes.toml")).expect("it was written");
    let said = bench.succeed(&format!("{TRAIN} --init run --out unnamed")).out;
    assert!(said.contains("head: taken over in the order of the labels"), "{said}");
}

#[test]
fn a_built_in_model_is_found_by_its_name_beside_a_folder_of_data_of_that_name() {
    let bench = Bench::new();
    fs::rename(bench.path("data"), bench.path("horse")).expect("the folder can be moved");
    let train = "train horse --init horse --size 32 --epochs 1 --batch 8 --threads 2 --out run";
    let said = bench.succeed(train).out;
    assert!(said.contains("horse: ") && said.contains("head: new, for softmax instead of sigmoid"), "{said}");
    let settings = bench.read("run/config.toml");
    for part in ["name = \"u2net-lite\"", "width = 64", "init = \"horse\""] {
        assert!(settings.contains(part), "no `{part}` in\n{settings}");
    }
}

#[test]
fn weights_that_are_not_there_are_refused_with_the_names_that_are() {
    let bench = Bench::new();
    bench.refuse(&format!("{TRAIN} --init hors --out wrong"), &["hors", "did you mean `horse`"]);
    bench.refuse(&format!("{TRAIN} --init nowhere --model unet --out wrong"), &["nowhere", "horse, road"]);
    bench.refuse(
        &format!("{TRAIN} --init data --out wrong"),
        &["data: ", "best.safetensors", "model.safetensors"],
    );
    fs::create_dir(bench.path("begun")).expect("the folder is writable");
    fs::write(bench.path("begun/config.toml"), "").expect("the folder is writable");
    bench.refuse(&format!("{TRAIN} --init begun --out wrong"), &["begun", "no model yet"]);
    fs::write(bench.path("begun/best.safetensors"), "damaged").expect("the folder is writable");
    bench.refuse(&format!("{TRAIN} --init begun --out wrong"), &["begun"]);
    assert!(!bench.path("wrong").exists(), "no folder is left behind");
}

#[test]
fn a_run_is_not_replaced_by_one_that_starts_from_it() {
    let bench = Bench::new();
    bench.train("run");
    bench.refuse(&format!("{TRAIN} --init run --out run --force"), &["run", "--out"]);
    assert!(bench.path("run/best.safetensors").is_file());
}
