//! A training that is stopped or killed at any moment goes on as if it had not been.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{Bench, rows};
use dapple::train::TrainConfig;

#[test]
fn a_killed_training_can_be_resumed_to_the_same_result() {
    let bench = Bench::new();
    let mut config = TrainConfig::for_network("unet", 5, &bench.path("data")).expect("a known network");
    config.network.width = 2;
    (config.input.height, config.input.width) = (32, 32);
    (config.epochs, config.batch) = (6, 1);
    // After every batch, so that the program is likely to be writing when it is killed.
    config.checkpoint.batches = Some(1);
    config.evaluation.pictures = 1;
    fs::write(bench.path("config.toml"), config.to_toml()).expect("writable");
    bench.succeed("train --config config.toml --out whole --quiet");

    let mut child =
        bench.command("train --config config.toml --out killed --quiet").spawn().expect("it starts");
    let mut kills = 0;
    loop {
        // Growing, so that the training comes to its end on a machine of any speed.
        sleep(Duration::from_millis(60 + 40 * kills * kills));
        if let Some(status) = child.try_wait().expect("the child is ours") {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
        kills += 1;
        // Killed before the settings were written, it is started anew.
        let arguments =
            if bench.path("killed/split.json").exists() && bench.path("killed/config.toml").exists() {
                "train --resume killed --quiet"
            } else {
                "train --config config.toml --out killed --force --quiet"
            };
        child = bench.command(arguments).spawn().expect("it starts");
    }
    assert_eq!(rows(&bench.read("killed/metrics.csv")), rows(&bench.read("whole/metrics.csv")));
    let best =
        |run: &str| fs::read(bench.path(run).join("best.safetensors")).expect("the run has a best model");
    assert_eq!(best("killed"), best("whole"));
}

#[test]
fn ctrl_c_ends_cleanly_and_says_how_to_go_on() {
    let bench = Bench::new();
    let arguments = "train --data data --model unet --width 2 --size 32 --epochs 100000 --out run";
    let mut child = bench.command(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while !line.starts_with("epoch 1/") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("it writes UTF-8"), 0, "it ended early");
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("there is a shell").success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("it writes UTF-8");
    assert_eq!(child.wait().expect("the child is ours").code(), Some(0), "{rest}");
    assert!(rest.contains("interrupted after") && rest.contains("dapple train --resume run"), "{rest}");
    assert!(bench.path("run/last.safetensors").exists());
}
