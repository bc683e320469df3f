//! Wrong input ends with exit code 2 and one message that says what is wrong and what to do.

use std::fs;

use crate::common::{Bench, names};

#[test]
fn arguments() {
    let bench = Bench::new();
    let train = "train --data data --out run";
    bench.refuse("train --data data --out run --recipe plain", &["--model"]);
    bench.refuse("train --model unet --out run", &["DIR"]);
    bench.refuse("train --resume run --lr 1", &["--resume"]);
    bench.refuse("frobnicate", &["frobnicate"]);
    bench.refuse(&format!("{train} --model unte"), &["did you mean `unet`"]);
    bench.refuse(&format!("{train} --recipe unet-hors"), &["did you mean `unet-horse`"]);
    bench.refuse(&format!("{train} --model unet --recipe segnet-camvid"), &["is for segnet"]);
    bench.refuse(&format!("{train} --model unet --size 0"), &["--size", "360x480"]);
    bench.refuse(&format!("{train} --model unet --epochs 0"), &["--epochs", "at least 1"]);
    bench.refuse(&format!("{train} --model unet --batch x"), &["--batch"]);
    bench.refuse(&format!("{train} --model unet --lr=-1"), &["--lr", "above 0"]);
    bench.refuse(&format!("{train} --model unet --train-fraction 2"), &["--train-fraction", "above 0"]);
    bench.refuse(&format!("{train} --model unet --channels 65"), &["grey"]);
    bench.refuse(&format!("{train} --model unet --loss mse"), &["ce+dice"]);
    bench.refuse(&format!("{train} --model unet --class-weights 1,2"), &["5 numbers"]);
    bench.refuse(&format!("{train} --model unet --device cudda"), &["cudda", "did you mean `cuda`"]);
    bench.refuse(&format!("{train} --model unet --precision half"), &["--precision", "bf16"]);
    bench.refuse(&format!("{train} --model u2net --width 6"), &["multiple of 4"]);
    bench.refuse(&format!("{train} --model segnet --size 16"), &["32"]);
    bench.refuse(&format!("{train} --model unet --init nowhere.pth"), &["nowhere.pth"]);
}

#[test]
fn data() {
    let bench = Bench::new();
    bench.refuse("train --data nowhere --model unet --out run", &["nowhere"]);
    bench.refuse("train --data data/images --model unet --out run", &["images with masks"]);
    bench.refuse("train --data data --model unet --out run --classes 3", &["5"]);
    assert!(!bench.path("run").exists(), "no folder is left behind");

    fs::remove_file(bench.path("data/masks/synthetic0004.png")).expect("written with the pictures");
    bench.refuse("train --data data --model unet --out run", &["synthetic0004", "mask"]);
    let flags = "--width 2 --size 32 --epochs 1 --skip-bad";
    let said = bench.succeed(&format!("train --data data --model unet --out run {flags}"));
    assert!(said.err.contains("synthetic0004") && said.err.contains("1 bad pairs"), "{}", said.err);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_standard_output_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let bench = Bench::empty();
    let output = bench.command("models").stdout(full).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: standard output cannot be written: "), "{said}");
}

#[test]
fn runs_and_models() {
    let bench = Bench::new();
    bench.train("run");
    bench.refuse("train --data data --model unet --out run", &["--resume", "--force"]);
    bench.refuse("train --data data --model unet --out data", &["not empty"]);
    bench.refuse("train --resume data", &["config.toml"]);
    bench.refuse("eval --model nowhere --data data", &["nowhere"]);
    bench.refuse("eval --model data/classes.toml --data data", &["classes.toml"]);
    bench.refuse("eval --model run --data data --part test", &["--part all"]);
    bench.refuse("predict --model run --out out", &["IMAGE"]);

    let config = bench.read("run/config.toml");
    fs::write(bench.path("typo.toml"), config.replace("learning_rate", "leraning_rate")).expect("writable");
    bench.refuse("train --config typo.toml --out other", &["typo.toml", "did you mean `learning_rate`"]);

    let last = fs::read(bench.path("run/last.safetensors")).expect("the run has a checkpoint");
    fs::write(bench.path("run/last.safetensors"), &last[..last.len() / 2]).expect("writable");
    bench.refuse("train --resume run", &["last.safetensors", "not a complete checkpoint"]);

    // Other data than the run's.
    for folder in ["images", "masks"] {
        for name in names(&bench.path("data").join(folder)) {
            let path = bench.path("data").join(folder).join(&name);
            fs::rename(&path, path.with_file_name(format!("other-{name}"))).expect("writable");
        }
    }
    bench.refuse("eval --model run --data data", &["synthetic", "--part all"]);
    bench.succeed("eval --model run --data data --part all");
}

/// Each of the processes would train by itself into the same folder.
#[test]
#[cfg(not(feature = "mpi"))]
fn several_processes_without_mpi() {
    let bench = Bench::new();
    for variable in ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"] {
        let mut command = bench.command("train --data data --model unet --width 2 --size 32 --out run");
        let said = command.env(variable, "3").output().expect("the program starts");
        let text = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(2), "{variable}: {text}");
        assert!(text.contains("one of 3 processes") && text.contains("--features mpi"), "{variable}: {text}");
        assert!(!bench.path("run").exists() && !bench.path("runs").exists());
    }
}
