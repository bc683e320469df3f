//! `dapple compare`: two models on the same images.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use dapple::metrics::{Bootstrap, ScoreDifference, Scores, compare_scores};
use dapple::run::RunError;

use super::failure::Failure;
use super::output::{interval_policy, shown, write_json};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  dapple score --pred first --truth gt --json first.json
  dapple score --pred second --truth gt --json second.json
  dapple compare first.json second.json

A difference is the second's score less the first's; it is marked where its interval does not hold 0. Files are
those of `dapple score`, or of `dapple eval` with --per-image.")]
pub struct Compare {
    /// Scores of the first model
    #[arg(value_name = "A.json")]
    pub first: PathBuf,
    /// Scores of the second model, on the same images
    #[arg(value_name = "B.json")]
    pub second: PathBuf,
    /// Write the differences as JSON; with - to standard output, and nothing else there
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Seed of the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

pub fn run(arguments: &Compare) -> Result<(), Failure> {
    let (first, second) = (read(&arguments.first)?, read(&arguments.second)?);
    let bootstrap = Bootstrap { seed: arguments.seed, ..Bootstrap::default() };
    let differences = compare_scores(&first, &second, &bootstrap).map_err(|error| {
        Failure::input(format!("{} and {}: {error}", arguments.first.display(), arguments.second.display()))
    })?;
    if write_json(&differences, arguments.json.as_deref())? {
        print(&differences, first.images);
        println!("\nintervals: {}", interval_policy(&bootstrap));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Scores, Failure> {
    let failed = |source| RunError::Read { path: path.to_owned(), source };
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::input(format!(
            "{}: not scores as `dapple score` and `dapple eval` write them with --json: {error}",
            path.display()
        ))
    })
}

/// Prints scores side by side with their differences; those whose interval does not hold 0 are marked.
pub fn print(differences: &[ScoreDifference], images: usize) {
    println!(
        "{:34} {:>9} {:>9} {:>10}   95 % interval, over {images} images",
        "mean", "first", "second", "difference"
    );
    for ScoreDifference { score, first, second, difference } in differences {
        print!("{score:34} {:>9} {:>9}", shown(*first), shown(*second));
        match difference {
            Some(interval) => {
                let clear = if interval.low > 0.0 || interval.high < 0.0 { "  *" } else { "" };
                println!(" {:>+10.6}   {:+.6} to {:+.6}{clear}", interval.value, interval.low, interval.high);
            }
            None => println!(" {:>10}", "-"),
        }
    }
}
