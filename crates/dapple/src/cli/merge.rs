//! `dapple merge`: what the shards of a command made, joined into what one machine would have made.

use std::path::{Path, PathBuf};

use clap::Args;
use dapple::predict::batch::{Joined, join, parts_in};
#[cfg(feature = "cloud")]
use dapple::predict::results::RECORD;
#[cfg(feature = "cloud")]
use dapple_cloud::{Cloud, CloudSettings, Location, Mirror};
#[cfg(feature = "cloud")]
use tempfile::TempDir;

use super::common::json::check_json;
#[cfg(feature = "cloud")]
use super::common::remote::address;
#[cfg(not(feature = "cloud"))]
use super::common::remote::refuse_without_feature;
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
    #[cfg(not(feature = "cloud"))]
    refuse_without_feature(arguments.parts.iter().chain(&arguments.out))?;
    #[cfg(feature = "cloud")]
    if arguments.parts.iter().chain(&arguments.out).any(|path| address(path).is_some()) {
        return from_addresses(arguments);
    }
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

/// Joins predictions at addresses: their tables are brought to a temporary folder, and the joined ones taken back.
#[cfg(feature = "cloud")]
fn from_addresses(arguments: &Merge) -> Result<(), Failure> {
    if arguments.json.is_some() || arguments.csv.is_some() {
        return Err(Failure::input(
            "files of scores are not read from addresses; copy them to this machine first",
        ));
    }
    let stage = TempDir::with_prefix("dapple-").map_err(|source| {
        Failure::other(format!("no temporary folder can be made: {source}; TMPDIR names another disk for it"))
    })?;
    let cloud = Cloud::new(CloudSettings::default())?;
    // The tables of shares, and the records that know them as dapple's.
    let is_table = |key: &str| {
        !key.contains('/') && ["shard-", "areas", "coco", RECORD].iter().any(|start| key.starts_with(start))
    };
    let bring = |path: &Path, name: &str| -> Result<(PathBuf, Option<Mirror>), Failure> {
        let Some(text) = address(path) else { return Ok((path.to_owned(), None)) };
        let location: Location = text.parse()?;
        let folder = stage.path().join(name);
        let mirror = Mirror::open(&cloud, &location, &folder, &is_table)?;
        Ok((folder, Some(mirror)))
    };
    let mut brought = Vec::new();
    for (number, path) in arguments.parts.iter().enumerate() {
        brought.push(bring(path, &format!("part-{number}"))?);
    }
    let folders: Vec<PathBuf> = brought.iter().map(|(folder, _)| folder.clone()).collect();
    let (out, mirror) = match (&arguments.out, brought.pop()) {
        (Some(out), _) => bring(out, "joined")?,
        (None, Some(only)) if brought.is_empty() => only,
        (None, _) => {
            return Err(Failure::input("several folders: give one for the joined tables with --out"));
        }
    };
    let folders: Vec<&PathBuf> = folders.iter().collect();
    let joined = predictions(&folders, &out, arguments.force);
    if let Some(mut mirror) = mirror {
        let written = mirror.deliver(&cloud, &|key| u8::from(!key.starts_with(RECORD)))?;
        say!("{written} files taken to the address");
    }
    joined
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
