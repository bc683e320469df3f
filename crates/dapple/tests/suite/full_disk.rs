//! Files in turn that cannot be made, and pages that cannot be written: the same command on a full disk that has room
//! for more and more, until it succeeds, in the manner of SQLite's tests. Whatever stands on the disk afterwards is whole.
//!
//! The disk is a tmpfs in a namespace of its own; where the system lets no user make one, nothing is tested.

use std::fs;
use std::process::Command;

use crate::common::{Bench, Said, names, rows};
use crate::failing::{check_error, check_run, files, train_whole};

/// More files or pages than any of the commands writes.
const PLENTY: u32 = 4096;

/// Runs the program with a disk at `disk`, and copies what it leaves there to `left`; `None` where no disk can be made.
fn on_disk(bench: &Bench, options: &str, arguments: &str) -> Option<Said> {
    for name in ["disk", "left"] {
        let _ = fs::remove_dir_all(bench.path(name));
        fs::create_dir(bench.path(name)).expect("the folder is writable");
    }
    let script = format!(
        "mount -t tmpfs -o {options} none disk || exit 99; \"$0\" \"$@\"; code=$?; cp -a disk/. left || exit 98; exit $code"
    );
    let output = Command::new("unshare")
        .args(["-rm", "bash", "-c", &script, env!("CARGO_BIN_EXE_dapple")])
        .args(arguments.split_whitespace())
        .current_dir(bench.path(""))
        .output()
        .ok()?;
    let said = Said::of(output);
    let is_made = said.code != Some(99) && !said.err.starts_with("unshare");
    if !is_made {
        eprintln!("no disk of its own can be made here: {}", said.err);
    }
    is_made.then_some(said)
}

/// Runs a command with room for more and more files, then for more and more pages, and checks what each failure leaves.
fn sweep(bench: &Bench, arguments: &str, check: &dyn Fn(&str)) -> Option<usize> {
    let mut failures = 0;
    // The first ones in turn; the steps grow, so that many pictures and large files at the end do not take all of the time.
    let growing = |first: u32, share: u32| {
        std::iter::successors(Some(first), move |&n| Some(n + 1 + n / share)).take_while(|&n| n < PLENTY)
    };
    let files = growing(2, 10).map(|files| format!("size=1g,nr_inodes={files}"));
    // A page is 4 KiB.
    let pages = growing(1, 4);
    let sizes = pages.map(|pages| format!("size={}k", 4 * pages));
    for mut options in [Box::new(files) as Box<dyn Iterator<Item = String>>, Box::new(sizes)] {
        let until = options.try_for_each(|options| {
            let Some(said) = on_disk(bench, &options, arguments) else { return Err(None) };
            check(&options);
            if said.code == Some(0) {
                return Err(Some(()));
            }
            check_error(&said, &options);
            let left = files_left(bench).into_iter().find(|name| name.ends_with(".tmp"));
            assert_eq!(left, None, "{options}");
            failures += 1;
            Ok(())
        });
        until.expect_err("there is plenty of room at last")?;
    }
    Some(failures)
}

fn files_left(bench: &Bench) -> Vec<String> {
    files(&bench.path("left"), "")
}

#[test]
fn a_training_on_a_full_disk_leaves_whole_files_whichever_of_them_fails() {
    let bench = Bench::new();
    let config = train_whole(&bench);
    let arguments = "train --config config.toml --out disk/run --quiet --threads 1";
    let check = |options: &str| check_run(&bench, &config, "left/run", options);
    let Some(failures) = sweep(&bench, arguments, &check) else { return };
    assert!(failures > 20, "{failures} failures");
    assert_eq!(rows(&bench.read("left/run/metrics.csv")), rows(&bench.read("whole/metrics.csv")));
}

#[test]
fn outputs_on_a_full_disk_are_whole_or_absent_whichever_of_them_fails() {
    let bench = Bench::new();
    train_whole(&bench);
    let images = names(&bench.path("data/images"));
    let arguments = |out: &str| {
        let [first, second] = [0, 1].map(|index| format!("data/images/{}", images[index]));
        format!("predict whole {first} {second} --out {out} --kind all,contours --threads 1 --quiet")
    };
    bench.succeed(&arguments("all"));
    let check = |options: &str| {
        for name in files_left(&bench) {
            // The record grows with each image.
            let whole = bench.path("all").join(name.trim_start_matches("out/"));
            if whole.is_file() && !name.contains("/.") {
                let same = fs::read(bench.path("left").join(&name)).ok() == fs::read(whole).ok();
                assert!(same, "{options}: {name}");
            }
        }
    };
    let Some(failures) = sweep(&bench, &arguments("disk/out"), &check) else { return };
    assert!(failures > 8, "{failures} failures");
    assert_eq!(names(&bench.path("left/out")), names(&bench.path("all")));
}
