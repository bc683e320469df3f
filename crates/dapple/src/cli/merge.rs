//! `dapple merge`: what the shards of a command made, joined into what one machine would have made.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::predict::batch::{Joined, join, parts_in};

use super::common::json::check_json;
use super::common::written::{IMAGE_SCORES, SCORES, check_written};
use super::failure::Failure;
use super::score::merge_scores;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  dapple merge masks
  dapple merge node1/masks node2/masks --out all
  dapple merge scores-*-of-8.json --json scores.json --csv images.csv

Folders are those of the results of `dapple predict --shard`: their areas.csv and coco.json are joined. Files are those that \
`dapple score --shard` writes. All shards must be there, each once, of one collection with the same settings. The digits are \
those of one machine.")]
pub struct Merge {
    /// Folders of results, or files of scores
    #[arg(required = true, value_name = "DIR|FILE")]
    pub parts: Vec<PathBuf>,
    /// Folder for the joined tables of predictions [default: the folder, if there is one]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write the joined scores as JSON; - writes them to standard output and nothing else
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Write a CSV table with a row for each image that was scored
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Replace tables of predictions that dapple did not make
    #[arg(long)]
    pub force: bool,
}

pub fn run(arguments: &Merge) -> Result<(), Failure> {
    let (folders, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        arguments.parts.iter().partition(|path| path.is_dir());
    match (&folders[..], &files[..]) {
        ([_, ..], [_, ..]) => Err(Failure::input(format!(
            "{} is a folder and {} a file; join predictions (folders) and scores (files) one after the other",
            folders[0].display(),
            files[0].display()
        ))),
        ([first, rest @ ..], []) => {
            if arguments.json.is_some() || arguments.csv.is_some() {
                return Err(Failure::input(format!(
                    "{}: a folder of predictions, whose tables go to --out; --json and --csv are for files of scores",
                    first.display()
                )));
            }
            match &arguments.out {
                Some(out) => predictions(&folders, out, arguments.force),
                None if rest.is_empty() => predictions(&folders, first, arguments.force),
                None => Err(Failure::input("several folders: give one for the joined tables with --out")),
            }
        }
        ([], files) => {
            if arguments.out.is_some() || arguments.force {
                return Err(Failure::input("files of scores are joined into --json and --csv, not --out"));
            }
            let inputs: Vec<&Path> = files.iter().map(|path| path.as_path()).collect();
            check_json(arguments.json.as_deref(), SCORES, &inputs)?;
            if let Some(path) = &arguments.csv {
                check_written(path, IMAGE_SCORES, &inputs, None)?;
            }
            merge_scores(&inputs, arguments.json.as_deref(), arguments.csv.as_deref())
        }
    }
}

fn predictions(folders: &[&PathBuf], out: &Path, force: bool) -> Result<(), Failure> {
    let mut parts = Vec::new();
    for folder in folders {
        let found = parts_in(folder);
        if found.is_empty() {
            return Err(Failure::input(format!(
                "{}: no shard of predictions is complete in this folder (no file shard-1-of-N.json); run `dapple predict` \
                 with --shard into it",
                folder.display()
            )));
        }
        parts.extend(found);
    }
    let Joined { shards, images, failed, files } = join(&parts, out, force)?;
    say!("{shards} shards are complete: {images} images predicted");
    for file in files {
        say!("{} written", file.display());
    }
    match &failed[..] {
        [] => Ok(()),
        [first, ..] => Err(Failure::input(format!(
            "{} images could not be predicted, the first is {first}; the shards say why",
            failed.len()
        ))),
    }
}
