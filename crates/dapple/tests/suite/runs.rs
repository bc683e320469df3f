//! `dapple runs` and `dapple runs diff`.

use crate::common::Bench;
use serde_json::Value;

#[test]
fn runs_are_listed_sorted_and_compared() {
    let bench = Bench::new();
    bench.succeed("runs");
    bench.train("below/first");
    bench.succeed(
        "train --config below/first/config.toml --epochs 1 --seed 5 --out below/deep/second --quiet",
    );
    let list = |arguments: &str| -> Vec<Value> {
        serde_json::from_str(&bench.succeed(arguments).out).expect("a JSON list")
    };
    let rows = list("runs --json --sort name");
    let runs: Vec<&Value> = rows.iter().map(|row| &row["run"]).collect();
    assert_eq!(runs, ["below/deep/second", "below/first"]);
    assert_eq!((&rows[1]["state"], &rows[1]["epochs"]), (&"finished".into(), &2.into()));
    let value = |rows: &[Value], key: &str| rows.iter().map(|row| row[key].as_f64()).collect::<Vec<_>>();
    let sorted = value(&list("runs below --json --sort miou"), "miou");
    assert!(sorted[0] >= sorted[1], "{sorted:?}");
    let sorted = value(&list("runs below --json --sort loss"), "val_loss");
    assert!(sorted[0] <= sorted[1], "{sorted:?}");
    let said = bench.succeed("runs below");
    assert!(said.out.starts_with("run ") && said.out.lines().count() == 3, "{}", said.out);

    let said = bench.succeed("runs diff below/first below/deep/second");
    for wanted in ["epochs", "2  |  1", "seed", "commands", "--seed 5"] {
        assert!(said.out.contains(wanted), "no {wanted} in\n{}", said.out);
    }
    // Another seed divides the data in another way.
    let said = bench.succeed("runs diff below/first below/deep/second --json");
    let diff: Value = serde_json::from_str(&said.out).expect("JSON");
    assert!(diff["scores"].as_array().is_some_and(Vec::is_empty) && diff["not_compared"].is_string());
    let said = bench.succeed("runs diff below/first below/first");
    assert!(
        said.out.contains("all settings are the same") && said.out.contains("dataset.miou"),
        "{}",
        said.out
    );
    bench.refuse("runs nowhere", &["nowhere"]);
    bench.refuse("runs diff below/first nowhere", &["nowhere"]);
}
