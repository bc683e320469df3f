//! Completion scripts and manual pages.

use std::fs;

use crate::common::{Bench, names};

#[test]
fn every_shell_has_completions() {
    let bench = Bench::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = bench.succeed(&format!("completions {shell}")).out;
        for word in ["predict", "completions", "--time-budget", "time-budget"] {
            let word = word.trim_start_matches('-');
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    bench.refuse("completions tcsh", &["tcsh", "bash"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let bench = Bench::empty();
    let said = bench.succeed("man pages/man1");
    let pages = names(&bench.path("pages/man1"));
    assert!(said.out.starts_with(&format!("{} pages written", pages.len())), "{}", said.out);
    // The commands are those of the help.
    let help = bench.succeed("--help").out;
    let listed = help.split("Commands:").nth(1).and_then(|rest| rest.split("Options:").next());
    let listed = listed.expect("the help lists the commands").lines();
    let commands: Vec<&str> = listed
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(pages.contains(&format!("dapple-{command}.1")), "{command}: {pages:?}");
    }
    assert!(pages.contains(&"dapple.1".to_owned()) && pages.contains(&"dapple-data-inspect.1".to_owned()));
    assert!(!pages.iter().any(|page| page.contains("help")), "{pages:?}");
    let page = fs::read_to_string(bench.path("pages/man1/dapple-train.1")).expect("it was written");
    for wanted in [".TH dapple", "time\\-budget", "Examples:"] {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    fs::write(bench.path("file"), "").expect("the folder is writable");
    assert_eq!(bench.run("man file/man1").code, Some(1));
}
