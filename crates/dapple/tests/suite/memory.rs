//! The program under limits of its memory.

use std::process::Command;

use crate::common::{Bench, Said, is_done_or_explained};

/// From hardly enough to start to enough: every run does its work, or ends with one message.
#[test]
fn a_limit_of_memory_ends_with_one_message() {
    let bench = Bench::new();
    let program = env!("CARGO_BIN_EXE_dapple");
    let train = "train --data data --model unet --width 16 --size 256 --batch 8 --epochs 1 --threads 2 --force --device cpu";
    let (mut refused, mut done) = (0, 0);
    for kibibytes in [150_000, 250_000, 400_000, 600_000, 900_000, 1_400_000, 4_000_000] {
        let script = format!("ulimit -v {kibibytes}; exec {program} {train} --out limited");
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(bench.path("."))
            .env("RUST_BACKTRACE", "1")
            .output()
            .expect("there is a shell");
        match is_done_or_explained(&Said::of(output), &format!("{kibibytes} KiB")) {
            true => done += 1,
            false => refused += 1,
        }
    }
    assert!(refused > 0 && done > 0, "{refused} refused, {done} done");
}
