//! Writes and allocations that fail: the same command under limits that let more and more through, until it succeeds. After each
//! failure, all that stands on the disk is whole.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Bench, Said, is_done_or_explained, names, rows};
use dapple::graph::{Network, Shape};
use dapple::nets::checkpoint::ModelFile;
use dapple::train::{Checkpoint, TrainConfig};

/// Limits of a file's size, in blocks of the shell: around those of all files that a small training and a prediction write.
const SIZES: [u32; 7] = [0, 1, 4, 20, 160, 500, 4000];

/// Limits of the address space, in MiB: from little to plenty.
const SPACES: [u32; 4] = [160, 192, 384, 3000];

/// Runs the program under a limit of `ulimit`; `None` where there is no shell with it. The signal that comes with a file that grows too
/// large is ignored, so that the program hears of an error as on a full disk.
fn limited(bench: &Bench, limit: &str, arguments: &str) -> Option<Said> {
    let script = format!("ulimit {limit} || exit 99; trap '' XFSZ; exec \"$0\" \"$@\"");
    let output = Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_dapple")])
        .args(arguments.split_whitespace())
        .current_dir(bench.path(""))
        .output()
        .ok()?;
    let said = Said::of(output);
    (said.code != Some(99)).then_some(said)
}

/// All files below a folder, temporary ones left out if a process was ended in their midst.
pub fn files(folder: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(&name);
        match path.is_dir() {
            true => found.extend(files(&path, &format!("{prefix}{name}/"))),
            false => found.push(format!("{prefix}{name}")),
        }
    }
    found
}

pub fn check_error(said: &Said, limit: &str) {
    assert_eq!(said.code, Some(1), "{limit}: {}{}", said.out, said.err);
    assert!(said.err.lines().any(|line| line.starts_with("error: ")), "{limit}: {}", said.err);
    assert!(!said.err.contains("bug in dapple") && !said.err.contains("panicked"), "{limit}: {}", said.err);
}

/// The settings of a training of a moment, in `config.toml`; its run is `whole`.
pub fn train_whole(bench: &Bench) -> TrainConfig {
    let mut config = TrainConfig::for_network("unet", 5, &bench.path("data")).expect("a known network");
    config.network.width = 2;
    (config.input.height, config.input.width) = (32, 32);
    (config.epochs, config.batch) = (2, 4);
    config.evaluation.pictures = 1;
    fs::write(bench.path("config.toml"), config.to_toml()).expect("writable");
    bench.succeed("train --config config.toml --out whole --quiet --threads 1");
    config
}

/// Whatever a run holds can be read.
pub fn check_run(bench: &Bench, config: &TrainConfig, run: &str, limit: &str) {
    let run = bench.path(run);
    if !run.is_dir() {
        return;
    }
    if run.join("config.toml").exists() {
        let text = fs::read_to_string(run.join("config.toml")).expect("it is there");
        TrainConfig::from_toml(&text).unwrap_or_else(|e| panic!("{limit}: {e}"));
    }
    if run.join("last.safetensors").exists() {
        let graph = config.network.build(Shape::new(1, 32, 32, 3)).expect("the size fits");
        Checkpoint::load(&run.join("last.safetensors"), &graph).unwrap_or_else(|e| panic!("{limit}: {e}"));
    }
    if run.join("best.safetensors").exists() {
        ModelFile::load(&run.join("best.safetensors")).unwrap_or_else(|e| panic!("{limit}: {e}"));
    }
}

#[test]
fn a_training_whose_writes_fail_leaves_whole_files_and_begins_again() {
    let bench = Bench::new();
    let config = train_whole(&bench);
    let mut failures = 0;
    for blocks in SIZES {
        let limit = format!("-f {blocks}");
        let arguments = "train --config config.toml --out run --force --quiet --threads 1";
        let Some(said) = limited(&bench, &limit, arguments) else { return };
        check_run(&bench, &config, "run", &limit);
        if said.code == Some(0) {
            break;
        }
        failures += 1;
        check_error(&said, &limit);
        if bench.path("run").is_dir() {
            let left = files(&bench.path("run"), "").into_iter().find(|name| name.ends_with(".tmp"));
            assert_eq!(left, None, "{limit}");
        }
    }
    assert!(failures > 2, "the limits are too large");
    bench.succeed("train --config config.toml --out run --force --quiet --threads 1");
    assert_eq!(rows(&bench.read("run/metrics.csv")), rows(&bench.read("whole/metrics.csv")));
}

#[test]
fn outputs_whose_writes_fail_are_whole_or_absent() {
    let bench = Bench::new();
    train_whole(&bench);
    let arguments = |out: &str| format!("predict whole data/images --out {out} --kind all --threads 1");
    bench.succeed(&arguments("all"));
    let mut failures = 0;
    for blocks in SIZES {
        let limit = format!("-f {blocks}");
        let Some(said) = limited(&bench, &limit, &arguments("out")) else { return };
        let written = if bench.path("out").is_dir() { files(&bench.path("out"), "") } else { Vec::new() };
        for name in &written {
            assert!(!name.ends_with(".tmp"), "{limit}: {name}");
            // The areas and the annotations of all images are one file, of the images that there are, and so is the record.
            let whole = bench.path("all").join(name);
            let of_all = name.ends_with(".csv") || name.ends_with(".json") || name.starts_with('.');
            if whole.exists() && !of_all {
                let same = fs::read(bench.path("out").join(name)).ok() == fs::read(whole).ok();
                assert!(same, "{limit}: {name}");
            }
        }
        if said.code == Some(0) {
            break;
        }
        failures += 1;
        check_error(&said, &limit);
    }
    assert!(failures > 1, "the limits are too large");
}

#[test]
fn allocations_that_fail_leave_whole_files() {
    let bench = Bench::new();
    let config = train_whole(&bench);
    let mut is_enough = false;
    for mebibytes in SPACES {
        let limit = format!("-v {}", u64::from(mebibytes) << 10);
        let arguments = "train --config config.toml --out run --force --quiet --threads 1";
        let Some(said) = limited(&bench, &limit, arguments) else { return };
        check_run(&bench, &config, "run", &limit);
        is_enough |= is_done_or_explained(&said, &limit);
        let Some(said) = limited(&bench, &limit, "predict whole data/images --out out --force --threads 1")
        else {
            return;
        };
        for name in if bench.path("out").is_dir() { names(&bench.path("out")) } else { Vec::new() } {
            if name.ends_with(".png") && !name.starts_with('.') {
                let mask = fs::read(bench.path("out").join(&name)).expect("it is there");
                dapple::data::decode_values_bytes(&mask, &name).unwrap_or_else(|e| panic!("{limit}: {e}"));
            }
        }
        assert!(!is_done_or_explained(&said, &limit) || bench.path("out").is_dir(), "{limit}");
    }
    assert!(is_enough, "the limits are too small");
    bench.succeed("train --config config.toml --out run --force --quiet --threads 1");
    assert_eq!(rows(&bench.read("run/metrics.csv")), rows(&bench.read("whole/metrics.csv")));
}
