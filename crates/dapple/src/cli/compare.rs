//! `dapple compare`: two models on the same images.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use dapple::metrics::{Bootstrap, Scores, compare_scores};
use dapple::run::RunError;
use dapple_base::json_fault;

use super::common::json::{check_json, write_json};
use super::common::scores::{interval_policy, print_differences};
use super::common::written::Own;
use super::failure::Failure;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple score --pred first --truth gt --json first.json
  dapple score --pred second --truth gt --json second.json
  dapple compare first.json second.json

A difference is the second score minus the first; a star marks those whose interval excludes 0. The files come from \
`dapple score`, or from `dapple eval` with --per-image.")]
pub struct Compare {
    /// Scores of the first model
    #[arg(value_name = "A.json")]
    pub first: PathBuf,
    /// Scores of the second model, on the same images
    #[arg(value_name = "B.json")]
    pub second: PathBuf,
    /// Write the differences as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Seed of the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

pub fn run(arguments: &Compare) -> Result<(), Failure> {
    let own = Own::Json(&["score", "first", "second", "difference"]);
    check_json(arguments.json.as_deref(), own, &[&arguments.first, &arguments.second])?;
    let (first, second) = (read(&arguments.first)?, read(&arguments.second)?);
    let bootstrap = Bootstrap { seed: arguments.seed, ..Bootstrap::default() };
    let differences = compare_scores(&first, &second, &bootstrap).map_err(|error| {
        Failure::input(format!("{} and {}: {error}", arguments.first.display(), arguments.second.display()))
    })?;
    if write_json(&differences, arguments.json.as_deref())? {
        print_differences(&differences, first.images);
        say!("\nintervals: {}", interval_policy(&bootstrap));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Scores, Failure> {
    let failed = |source| RunError::Read { path: path.to_owned(), source };
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::input(format!(
            "{}: not scores as `dapple score` and `dapple eval` write them with --json: {}; write them again",
            path.display(),
            json_fault(&error)
        ))
    })
}
