//! The commands that a command ends with, and messages in words of users.

use std::fs;

use crate::common::Bench;

const SMALL: &str = "--model unet --width 2 --size 32 --epochs 1 --batch 2 --threads 2";

#[test]
fn a_rate_and_several_seeds_end_with_the_commands_that_fit() {
    let bench = Bench::new();
    for arguments in
        [format!("train --find-lr data {SMALL}"), format!("train data {SMALL} --find-lr rates.png --lr 1")]
    {
        let said = bench.succeed(&arguments).out;
        let next = said.split_once("next:").unwrap_or_else(|| panic!("nothing is next in\n{said}")).1.trim();
        assert!(next.starts_with("dapple train data --model unet"), "{next}");
        assert!(
            next.contains(" --lr ") && !next.contains("--find-lr") && !next.contains("--lr 1 "),
            "{next}"
        );
    }
    assert!(bench.path("learning-rates.png").is_file() && bench.path("rates.png").is_file());
    bench.refuse("train --find-lr nowhere", &["dapple train DIR"]);

    let said = bench.succeed(&format!("train data {SMALL} --seeds 2 --out seeds")).out;
    let after = said
        .split_once("next, with the best of them:")
        .unwrap_or_else(|| panic!("nothing is next in\n{said}"))
        .1;
    for word in
        ["dapple predict seeds/seed-", "dapple eval seeds/seed-", "dapple report seeds/seed-0 seeds/seed-1"]
    {
        assert!(after.contains(word), "no `{word}` in\n{said}");
    }
    assert_eq!(said.matches("next").count(), 1, "{said}");
}

#[test]
fn a_run_keeps_its_files_whatever_is_written_beside_them() {
    let bench = Bench::new();
    bench.train("run");
    for command in [
        "export run --torch run/last.safetensors --force",
        "export run --onnx run/config.toml --force",
        "eval run data --part all --json run/best.json",
        "eval run data --part all --csv run/metrics.csv",
        "train data --model unet --find-lr run/curves.png --force",
    ] {
        bench.refuse(command, &["belongs to the run"]);
    }
    bench.succeed("export run --torch run/weights.safetensors");
    // Folders that are mistaken for each other.
    bench.refuse("train run", &["the folder of a run", "--resume run"]);
    bench.refuse("export data", &["data: this folder holds no model"]);
    bench.refuse("eval data run", &["data: this folder holds no model"]);
}

#[test]
fn errors_name_no_type_of_rust() {
    let bench = Bench::new();
    bench.train("run");
    let config = bench.read("run/config.toml");
    let begin = config.find("[network]").expect("a table");
    let end = begin + config[begin + 1..].find("\n[").expect("other tables");
    let without = format!("{}{}", &config[..begin], &config[end + 1..]);
    for (text, words) in [
        (format!("network = 3\n{without}"), &["`network` is 3", "a table"][..]),
        (without, &["`network`", "missing"]),
        (config.replace("batch = 2", "batch = \"two\""), &["`batch` is \"two\"", "whole number"]),
        (config.replace("epochs = 2", "epochs = 2.5"), &["`epochs` is 2.5", "whole number"]),
        (config.replace("[network]", "[network"), &["line"]),
        (config.replace("beta1 = 0.9", "beta1 = 1.0"), &["`optimizer.beta1` is 1.0", "below 1"]),
    ] {
        fs::write(bench.path("wrong.toml"), &text).expect("writable");
        let said = bench.run("train --config wrong.toml --out other").err;
        assert!(said.contains("wrong.toml") && words.iter().all(|word| said.contains(word)), "{said}");
        for theirs in ["struct", "usize", "enum", "invalid type", "field"] {
            assert!(!said.contains(theirs), "{said}");
        }
    }
    for (text, word) in
        [("{\"dataset\": {", "ends at line 1"), ("[1", "line 1"), ("{\"dataset\": 3}", "at line 1")]
    {
        fs::write(bench.path("scores.json"), text).expect("writable");
        bench.refuse("compare scores.json scores.json", &["scores.json", word, "again"]);
        let said = bench.run("compare scores.json scores.json").err;
        assert!(!said.contains("struct") && !said.contains("EOF"), "{said}");
    }
    bench.refuse("predict data/images", &["--model", ".pth"]);
}
