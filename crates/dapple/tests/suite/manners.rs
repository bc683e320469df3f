//! Manners: lost output, names that act on terminals, arguments by their places, files and folders that are not images.

use std::fs;
use std::process::Stdio;

use crate::common::{Bench, Said, names};

/// Runs with a standard output that is closed at once.
fn with_closed_output(bench: &Bench, arguments: &str) -> Said {
    let mut command = bench.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the child is ours");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    Said { code: output.status.code(), out: String::new(), err }
}

const TRAIN: &str = "train data --model unet --width 2 --size 32 --epochs 2 --batch 2 --threads 2";

#[cfg(unix)]
#[test]
fn a_lost_standard_output_ends_no_training() {
    let bench = Bench::new();
    let said = with_closed_output(&bench, &format!("{TRAIN} --out closed"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("the work goes on") && !said.err.contains("error:"), "{}", said.err);
    assert_eq!(bench.read("closed/metrics.csv").lines().count(), 3);

    // A result that did not arrive is a failure, a list that was read far enough is none.
    let said = with_closed_output(&bench, "eval closed data --json -");
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("standard output cannot be written"), "{}", said.err);
    let said = with_closed_output(&bench, "models");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let said = with_closed_output(&bench, "train --help");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_below_standard_output_is_code_1_and_ends_no_training() {
    let bench = Bench::new();
    let full = |arguments: &str| {
        let device = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let output = bench.command(arguments).stdout(device).output().expect("the program starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, err) = full(&format!("{TRAIN} --out run"));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the work goes on") && err.contains("standard output cannot be written"), "{err}");
    assert_eq!(bench.read("run/metrics.csv").lines().count(), 3);
    for arguments in ["eval run data --json -", "data inspect data", "runs", "--help"] {
        let (code, err) = full(arguments);
        assert_eq!(code, Some(1), "dapple {arguments}\n{err}");
        assert!(err.contains("error: standard output cannot be written"), "dapple {arguments}\n{err}");
    }
}

#[test]
fn commands_take_models_and_data_by_their_places() {
    let bench = Bench::new();
    let said = bench.succeed(TRAIN);
    for word in
        ["runs/data-1", "next:", "dapple predict runs/data-1 photo.jpg", "dapple eval runs/data-1 data"]
    {
        assert!(said.out.contains(word), "no `{word}` in\n{}", said.out);
    }
    bench.succeed(&TRAIN.replace("--epochs 2", "--epochs 1"));
    assert_eq!(names(&bench.path("runs")), ["data-1", "data-2"]);
    for arguments in ["runs/data-1 data", "--model runs/data-1 data", "runs/data-1 --data data"] {
        assert!(bench.succeed(&format!("eval {arguments}")).out.contains("mIoU"), "{arguments}");
    }
    bench.refuse("eval runs/data-1", &["dapple eval MODEL DATA"]);
    bench.refuse("eval runs/data-1 data --data data", &["too many"]);
    bench.succeed("export runs/data-1");
    assert!(bench.path("data-1.onnx").is_file());
    bench.refuse("export runs/data-1 --torch w.safetensors --probabilities", &["--onnx"]);

    // One result of one image has the name that it is given.
    let image = "data/images/synthetic0001.png";
    bench.succeed(&format!("predict runs/data-1 {image} --out mask.png"));
    bench.succeed(&format!("predict runs/data-1 {image} --out masks"));
    let bytes = |name: &str| fs::read(bench.path(name)).expect("it was written");
    assert_eq!(bytes("mask.png"), bytes("masks/synthetic0001.png"));
    bench.refuse(&format!("predict runs/data-1 {image} --out mask.jpg"), &["mask.jpg", "png"]);
    bench.refuse("predict runs/data-1 data/images --out all.png", &["all.png", "folder"]);
}

#[test]
fn classes_without_names_get_the_models() {
    let bench = Bench::new();
    bench.train("run");
    let named = bench.succeed("eval run data --part all").out;
    let table = bench.read("data/classes.toml");
    fs::remove_file(bench.path("data/classes.toml")).expect("it was written");
    let unnamed = bench.succeed("eval run/best.safetensors data --part all").out;
    assert!(unnamed.contains("disc") && !unnamed.contains("class 1"), "{unnamed}");
    let lines = |text: &str| text.lines().filter(|line| line.contains("disc")).count();
    assert_eq!(lines(&named), lines(&unnamed));

    // The same classes in another order would be compared with one another.
    let swapped = table.replace("disc", "?").replace("square", "disc").replace('?', "square");
    assert_ne!(swapped, table, "the pictures have other classes");
    fs::write(bench.path("data/classes.toml"), swapped).expect("a file");
    bench.refuse("eval run/best.safetensors data --part all", &["order"]);
}

#[cfg(unix)]
#[test]
fn names_do_not_act_on_the_terminal() {
    let bench = Bench::new();
    bench.train("run");
    fs::create_dir(bench.path("photos")).expect("a folder");
    fs::write(bench.path("photos/a\u{1b}[31m\u{202e}.png"), "no image").expect("a file");
    let said = bench.run("predict run photos --out out");
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("\\u{1b}[31m") && !said.err.contains(['\u{1b}', '\u{202e}']), "{}", said.err);
    let said = bench.run("predict run no\u{1b}[31m.png --out out");
    assert!(said.code == Some(2) && !said.err.contains('\u{1b}'), "{}", said.err);
    let said = bench.run("models --\u{1b}[31m");
    assert!(said.code == Some(2) && !said.err.contains('\u{1b}'), "{}", said.err);
}

#[test]
fn a_folder_that_cannot_be_read_does_not_hide_the_others() {
    let bench = Bench::new();
    bench.train("run");
    let image = fs::read(bench.path("data/images/synthetic0001.png")).expect("a picture");
    // Nobody reads so deep; a folder without permission is no obstacle for tests that run as root.
    let deep = format!("photos/{}", "d/".repeat(20));
    fs::create_dir_all(bench.path(&deep)).expect("folders");
    fs::write(bench.path("photos/one.png"), &image).expect("a file");
    for name in ["photos/two.heic", "photos/three.jp2", "photos/clip.mp4"] {
        fs::write(bench.path(name), "").expect("a file");
    }
    let said = bench.run("predict run photos --out out");
    assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("1 of 1 images predicted") && said.err.contains("deep"),
        "{}{}",
        said.out,
        said.err
    );
    for word in ["2 files of a format that is not read", "two.heic", "1 video (clip.mp4)"] {
        assert!(said.err.contains(word), "no `{word}` in\n{}", said.err);
    }
}
