//! `dapple score`: scores of masks predicted by any program.

mod arguments;
mod folders;
mod in_order;
mod masks;
mod pairs;
mod scoring;
mod state;

use std::collections::BTreeSet;
use std::thread;

use dapple::data::Classes;
use dapple::metrics::Protocol;

use super::common::json::check_json;
use super::common::written::{IMAGE_SCORES, SCORES, check_apart, check_written};
use super::failure::Failure;
use folders::Folders;
use in_order::in_order;
use masks::Meaning;
use pairs::{Pair, pairs};
use scoring::{Readers, Scoring, conclude};
use state::{shard_file, write_shard};

pub use arguments::Score;
pub use state::merge_scores;

/// Images that a thread takes at a time.
const BLOCK: usize = 8;

pub fn run(arguments: &Score) -> Result<(), Failure> {
    check_apart(&[arguments.json.as_deref(), arguments.csv.as_deref()])?;
    let shard = arguments.sharding.resolve(false)?;
    let state = shard.map(|shard| shard_file(arguments, shard)).transpose()?;
    if state.is_none() {
        check_json(arguments.json.as_deref(), SCORES, &[])?;
        if let Some(path) = &arguments.csv {
            check_written(path, IMAGE_SCORES, &[], None)?;
        }
    }
    let folders = Folders::of(arguments)?;
    let pairs = pairs(arguments, &folders)?;
    let threads = arguments.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get()));
    // Of all pairs, so that every shard reads them in the same way.
    let readers = Readers::new(arguments, &pairs)?;
    let names = class_names(arguments, &pairs, &readers, threads)?;
    let scoring = Scoring {
        arguments,
        readers,
        meaning: Meaning { classes: names.len(), ignore: arguments.ignore },
        protocol: Protocol {
            boundary_ratio: arguments.boundary_ratio,
            ..Protocol::new(names, arguments.ignore)
        },
    };

    let held = |number: &usize| shard.is_none_or(|shard| shard.holds(&pairs[*number].name));
    let positions: Vec<usize> = (0..pairs.len()).filter(held).collect();
    let mine: Vec<&Pair> = positions.iter().map(|&number| &pairs[number]).collect();
    let mut all = scoring.block(&[])?;
    let blocks: Vec<&[&Pair]> = mine.chunks(BLOCK).collect();
    in_order(blocks.len(), threads, |number| scoring.block(blocks[number]), |block| all.merge(block))?;
    match (shard, state) {
        (Some(shard), Some(path)) => write_shard(&path, shard, &scoring, (pairs.as_slice(), positions), all),
        _ => {
            let how = (arguments.seed, arguments.surface);
            conclude(all, scoring.policies(), how, arguments.json.as_deref(), arguments.csv.as_deref())
        }
    }
}

/// The names of the classes: from the file, by their number, or by the values of the true masks.
fn class_names(
    arguments: &Score,
    pairs: &[Pair],
    readers: &Readers,
    threads: usize,
) -> Result<Vec<String>, Failure> {
    let numbered = |count| match count {
        2 => Classes::binary("foreground").names,
        _ => Classes::numbered(count).names,
    };
    let names = match &arguments.classes {
        Some(text) => match text.parse() {
            Ok(count @ 2..=256) => numbered(count),
            Ok(count) => {
                return Err(Failure::input(format!("--classes {count}: give 2 to 256, background included")));
            }
            Err(_) => Classes::read(text)?.names,
        },
        None if arguments.probability => numbered(2),
        None => numbered(count_classes(arguments, pairs, readers, threads)?),
    };
    if arguments.probability && names.len() != 2 {
        return Err(Failure::input(format!(
            "--probability is for two classes, background and foreground, but there are {}",
            names.len()
        )));
    }
    Ok(names)
}

/// Reads the true masks to find how many classes their values make.
fn count_classes(
    arguments: &Score,
    pairs: &[Pair],
    readers: &Readers,
    threads: usize,
) -> Result<usize, Failure> {
    let ignored = |value: &u16| arguments.ignore.is_some_and(|label| u16::from(label) == *value);
    let values = |number: usize| -> Result<(BTreeSet<u16>, u16, Option<usize>), Failure> {
        let mask = readers.truths.read(&pairs[number].truth)?;
        let values = mask.values.chunk_by(|a, b| a == b).map(|run| run[0]).filter(|value| !ignored(value));
        Ok((values.collect(), mask.white, mask.lossy.then_some(number)))
    };
    let (mut all, mut white, mut lossy) = (BTreeSet::new(), 0, None);
    in_order(pairs.len(), threads, values, |(values, of_file, lossy_file)| {
        all.extend(values);
        white = of_file;
        lossy = lossy.or(lossy_file);
        Ok(())
    })?;
    let binary = all.iter().all(|&value| value <= 1) || all.iter().all(|&value| value == 0 || value == white);
    match (all.last(), lossy) {
        _ if binary => Ok(2),
        (_, Some(number)) => Err(Failure::input(format!(
            "{}: a JPEG or lossy WebP picture, which changes values, so that these tell no classes; save the masks as PNG",
            pairs[number].truth.display()
        ))),
        (Some(&largest @ 0..255), None) => Ok(usize::from(largest) + 1),
        _ => {
            let shown: Vec<String> = all.iter().take(12).map(u16::to_string).collect();
            let more = if all.len() > shown.len() { ", …" } else { "" };
            Err(Failure::input(format!(
                "{}the true masks have the values {}{more}, which do not tell the number of classes; give it with \
                 --classes, and --ignore 255 if 255 marks pixels without a label",
                arguments.truth.as_ref().map(|folder| format!("{}: ", folder.display())).unwrap_or_default(),
                shown.join(", ")
            )))
        }
    }
}
