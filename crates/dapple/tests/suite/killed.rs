//! A training that is stopped or killed at any moment goes on as if it had not been.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{Bench, rows};
use dapple::graph::{Network, Shape};
use dapple::train::{Checkpoint, SmallImages, TrainConfig};

/// A training of a fraction of a second that saves after every batch, so that it is likely to be writing when it is
/// killed; with everything that a checkpoint holds.
fn begin(bench: &Bench, epochs: usize) -> TrainConfig {
    let mut config = TrainConfig::for_network("unet", 5, &bench.path("data")).expect("a known network");
    config.network.width = 2;
    (config.input.height, config.input.width) = (32, 32);
    (config.epochs, config.batch, config.ema_decay) = (epochs, 1, Some(0.9));
    config.checkpoint.batches = Some(1);
    config.evaluation.pictures = 1;
    config.small_images = Some(SmallImages::for_share(0.5));
    fs::write(bench.path("config.toml"), config.to_toml()).expect("writable");
    bench.succeed("train --config config.toml --out whole --quiet");
    config
}

/// The command that resumes a training, or begins it again if it was killed before its settings were written.
fn onwards(bench: &Bench, run: &str) -> String {
    let begun = ["split.json", "config.toml"].iter().all(|file| bench.path(run).join(file).exists());
    match begun {
        true => format!("train --resume {run} --quiet"),
        false => format!("train --config config.toml --out {run} --force --quiet"),
    }
}

fn same_as_whole(bench: &Bench, run: &str) {
    assert_eq!(rows(&bench.read(&format!("{run}/metrics.csv"))), rows(&bench.read("whole/metrics.csv")));
    for file in ["best.safetensors", "last.safetensors"] {
        let bytes = |run: &str| fs::read(bench.path(run).join(file)).expect("the run has it");
        if file == "best.safetensors" {
            assert_eq!(bytes(run), bytes("whole"), "{run}/{file}");
        } else {
            // The header tells times; what follows it are the weights.
            let values = |bytes: Vec<u8>| bytes[bytes.len() - 1024..].to_vec();
            assert_eq!(values(bytes(run)), values(bytes("whole")), "{run}/{file}");
        }
    }
}

#[test]
fn a_killed_training_can_be_resumed_to_the_same_result() {
    let bench = Bench::new();
    begin(&bench, 6);
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
        child = bench.command(&onwards(&bench, "killed")).spawn().expect("it starts");
    }
    same_as_whole(&bench, "killed");
}

/// Kills at random moments as many times as `DAPPLE_KILLS` says, 20 unless it is set, and begins a new training
/// whenever one has come to its end:
///
///     DAPPLE_KILLS=500 cargo test -p dapple --test suite -- kill_loop --ignored --nocapture
///
/// After each kill the checkpoint must be whole, and each training must end with the bits of an uninterrupted one.
#[test]
#[ignore = "takes minutes; DAPPLE_KILLS says how many"]
fn kill_loop() {
    let wanted: u32 = std::env::var("DAPPLE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let bench = Bench::new();
    let config = begin(&bench, 6);
    let graph = config.network.build(Shape::new(1, 32, 32, 3)).expect("the size fits");
    // How long a training takes, as the moments are to be spread over all of it.
    let started = Instant::now();
    bench.succeed("train --config config.toml --out timed --quiet");
    let whole = started.elapsed();
    let mut moments = RandomState::new();
    let (mut kills, mut trainings, mut checkpoints) = (0, 0, 0);
    while kills < wanted {
        let run = format!("run-{trainings}");
        loop {
            let mut child = bench.command(&onwards(&bench, &run)).spawn().expect("it starts");
            let random = moments.hash_one(kills) as f64 / u64::MAX as f64;
            moments = RandomState::new();
            sleep(whole.mul_f64(0.8 * random));
            if kills >= wanted {
                assert!(child.wait().expect("the child is ours").success());
                break;
            }
            if let Some(status) = child.try_wait().expect("the child is ours") {
                assert!(status.success(), "{run}, after {kills} kills: {status}");
                break;
            }
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            kills += 1;
            let last = bench.path(&run).join("last.safetensors");
            if last.exists() {
                let found =
                    Checkpoint::load(&last, &graph).unwrap_or_else(|e| panic!("{run}, kill {kills}: {e}"));
                assert!(found.state.values.iter().all(|value| value.is_finite()), "{run}, kill {kills}");
                checkpoints += 1;
            }
        }
        same_as_whole(&bench, &run);
        trainings += 1;
    }
    println!(
        "{kills} kills, {checkpoints} with a checkpoint, all whole; {trainings} trainings, all with the same bits"
    );
}

#[test]
fn a_full_disk_leaves_the_last_checkpoint_whole() {
    let bench = Bench::new();
    let config = begin(&bench, 2);
    let mut child =
        bench.command("train --config config.toml --out full --quiet").spawn().expect("it starts");
    let last = bench.path("full/last.safetensors");
    while !last.exists() && child.try_wait().expect("the child is ours").is_none() {
        sleep(Duration::from_millis(5));
    }
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    let before = fs::read(&last).expect("it was saved");

    // No file may grow beyond 8 KiB: a write fails in its middle, as on a full disk. The signal that comes with it is
    // ignored, so that the program hears of an error as it would there.
    let limited = format!(
        "ulimit -f 8; trap '' XFSZ; exec {} train --resume full --quiet",
        env!("CARGO_BIN_EXE_dapple")
    );
    let said = Command::new("bash").args(["-c", &limited]).current_dir(bench.path("")).output();
    let Ok(said) = said else {
        eprintln!("skipped: there is no bash here");
        return;
    };
    let message = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: ") && message.contains("full/"), "{message}");
    assert!(message.contains("space"), "{message}");
    assert_eq!(fs::read(&last).expect("it is still there"), before);
    let graph = config.network.build(Shape::new(1, 32, 32, 3)).expect("the size fits");
    Checkpoint::load(&last, &graph).expect("it is whole");
    bench.succeed("train --resume full --quiet");
    same_as_whole(&bench, "full");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    fs::write(bench.path("file"), "").expect("writable");
    let said = bench.run("train --data data --recipe plain --model unet --width 2 --size 32 --out file/run");
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("file/run"), "{}", said.err);

    begin(&bench, 2);
    let whole = bench.path("whole");
    let allow = |mode| fs::set_permissions(&whole, fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(0o555);
    if fs::write(whole.join("probe"), "").is_ok() {
        allow(0o755);
        eprintln!("skipped: this user may write anywhere");
        return;
    }
    let before = fs::read(whole.join("last.safetensors")).expect("it was saved");
    let said = bench.run("train --resume whole --quiet");
    allow(0o755);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("whole") && said.err.contains("permission"), "{}", said.err);
    assert_eq!(fs::read(whole.join("last.safetensors")).expect("it is still there"), before);
}

#[test]
fn two_programs_do_not_write_one_run() {
    let bench = Bench::new();
    let arguments =
        "train --data data --recipe plain --model unet --width 2 --size 32 --epochs 100000 --out run --quiet";
    let mut child = bench.command(arguments).spawn().expect("it starts");
    while !bench.path("run/last.safetensors").exists() {
        assert!(child.try_wait().expect("the child is ours").is_none(), "it ended early");
        sleep(Duration::from_millis(5));
    }
    let process = format!("process {}", child.id());
    bench.refuse("train --resume run", &["run", "being written by", &process]);
    bench.refuse(&format!("{arguments} --force"), &["being written by", &process]);
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    // A killed process holds no lock.
    let mut child = bench.command("train --resume run --quiet").spawn().expect("it starts");
    sleep(Duration::from_millis(300));
    assert!(child.try_wait().expect("the child is ours").is_none(), "it goes on");
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
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
