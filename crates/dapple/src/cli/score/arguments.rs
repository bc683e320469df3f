//! The arguments of `dapple score`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dapple::metrics::BOUNDARY_RATIO;

use crate::cli::common::shard::Sharding;
use crate::cli::common::values;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple score --pred masks --truth horses/mask
  dapple score --pred out --truth gt --classes classes.txt --ignore 255
  dapple score --pred out --truth gt --json scores.json --csv images.csv
  dapple score --pred maps --truth gt --probability
  dapple score --pred out --truth gt --classes 21 --shard 3/8 --json s.json

Masks are images whose values are labels: grey values, or palette indices if all palettes agree. Colours need --classes FILE \
with the colour of each class. With two classes, white also means foreground. Files of both folders are matched by their names \
without the extension.

A shard (--shard 3/8) writes s-3-of-8.json for --json s.json; `dapple merge s-*-of-8.json` joins them into the scores of all.")]
pub struct Score {
    /// Folder of predicted masks
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub pred: Option<PathBuf>,
    /// Folder of true masks
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    pub truth: Option<PathBuf>,
    /// In place of folders, a manifest: CSV or JSON lines with `prediction`, `truth` and perhaps `name`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pred", "truth", "pred_suffix", "truth_suffix", "allow_missing"])]
    pub list: Option<PathBuf>,
    #[command(flatten)]
    pub sharding: Sharding,
    /// Number of classes, background included, or a file that names them [default: counted in the true masks]
    #[arg(long, value_name = "FILE|K")]
    pub classes: Option<String>,
    /// Label of pixels to ignore, such as 255 [default: none]
    #[arg(long, value_name = "LABEL")]
    pub ignore: Option<u8>,
    /// Width of boundary regions as a fraction of the image diagonal
    #[arg(long, value_name = "X", default_value_t = BOUNDARY_RATIO)]
    pub boundary_ratio: f64,
    /// Predictions are probabilities of the foreground: grey images of 8 or 16 bits, white being 1
    #[arg(long, conflicts_with = "ignore")]
    pub probability: bool,
    /// Also measure distances between contours (Hausdorff, its 95th percentile, average)
    #[arg(long)]
    pub surface: bool,
    /// Resize predictions to the size of the true masks; otherwise sizes must agree
    #[arg(long, value_name = "HOW")]
    pub resize: Option<Resize>,
    /// Take only predictions whose names end in this; names are matched without it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub pred_suffix: String,
    /// Take only true masks whose names end in this; names are matched without it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub truth_suffix: String,
    /// Score the names in both folders and print how many are left out
    #[arg(long)]
    pub allow_missing: bool,
    /// Write the scores as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write a CSV table with a row for each image
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Seed of the confidence intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Threads; they do not affect the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Resize {
    /// The value of the nearest pixel
    Nearest,
}
