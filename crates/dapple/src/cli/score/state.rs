//! What a shard of a scoring has collected, as a file, and the joining of such files into the scores of all images.

use std::fs;
use std::path::{Path, PathBuf};

use dapple::metrics::{Evaluator, EvaluatorState, ImageScores, Policy, Protocol};
use dapple_base::{Digest, Shard, ShardPart, collection_fingerprint, join_parts, json_fault, write_atomic};
use serde::{Deserialize, Serialize};

use super::arguments::Score;
use super::masks::Foreground;
use super::pairs::Pair;
use super::scoring::{Block, Scoring, conclude};
use crate::cli::common::scores::measures::{ForegroundEvaluator, Surface};
use crate::cli::common::written::{Own, check_written};
use crate::cli::failure::Failure;

/// The keys of a file of a shard.
const SHARD: Own = Own::Json(&["dapple_shard", "evaluator"]);

/// The file of a shard.
#[derive(Serialize, Deserialize)]
struct State {
    dapple_shard: ShardPart,
    classes: Vec<String>,
    ignore: Option<u8>,
    boundary_ratio: f64,
    seed: u64,
    /// Those beside the protocol's.
    policies: Vec<Policy>,
    evaluator: EvaluatorState,
    foreground: Option<ForegroundEvaluator>,
    surfaces: Option<Vec<Vec<Surface>>>,
    predicted_foreground: Foreground,
    true_foreground: Foreground,
}

/// The file that a shard writes, after a check that it may be written and that the shards can be joined.
pub fn shard_file(arguments: &Score, shard: Shard) -> Result<PathBuf, Failure> {
    let refuse = |why: &str| Err(Failure::input(format!("{shard}: {why}")));
    if arguments.csv.is_some() {
        return refuse("the table of all images is written by `dapple merge --csv`; leave --csv out here");
    }
    if arguments.classes.is_none() && !arguments.probability {
        return refuse("the number of classes cannot be counted in a share of the masks; give --classes");
    }
    let Some(path) = arguments.json.as_deref().filter(|path| *path != Path::new("-")) else {
        return refuse("give a file for what it collects: --json scores.json writes scores-I-of-N.json");
    };
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(shard.suffix());
    name.push(".json");
    let path = path.with_file_name(name);
    check_written(&path, SHARD, &[], None)?;
    Ok(path)
}

/// Writes what a shard has collected of the pairs at `positions`.
pub fn write_shard(
    path: &Path,
    shard: Shard,
    scoring: &Scoring<'_>,
    (pairs, positions): (&[Pair], Vec<usize>),
    all: Block,
) -> Result<(), Failure> {
    all.predicted_foreground.check()?;
    all.true_foreground.check()?;
    let Protocol { class_names, ignore, boundary_ratio } = scoring.protocol.clone();
    let Score { seed, surface, .. } = *scoring.arguments;
    let policies = scoring.policies();
    let mut settings = Digest::new();
    settings.part(env!("CARGO_PKG_VERSION").as_bytes());
    settings.part(format!("{:?} {seed} {surface} {policies:?}", scoring.protocol).as_bytes());
    let state = State {
        dapple_shard: ShardPart {
            work: "score".to_owned(),
            number: shard.number(),
            count: shard.count(),
            items: pairs.len(),
            collection: collection_fingerprint(pairs.iter().map(|pair| pair.name.as_str())),
            settings: settings.text(),
            positions,
            failed: Vec::new(),
        },
        classes: class_names,
        ignore,
        boundary_ratio,
        seed,
        policies,
        evaluator: all.evaluator.into_state(),
        foreground: all.foreground,
        surfaces: surface.then_some(all.surfaces),
        predicted_foreground: all.predicted_foreground,
        true_foreground: all.true_foreground,
    };
    let mut text = serde_json::to_string(&state).map_err(Failure::other)?;
    text.push('\n');
    write_atomic(path, text.as_bytes())?;
    let images = state.evaluator.images.len();
    say!(
        "{shard}: {images} of {} images scored, kept in {}; `dapple merge` joins the shards",
        pairs.len(),
        path.display()
    );
    Ok(())
}

/// Joins the files of all shards, and prints and writes the scores of all images.
pub fn merge_scores(paths: &[&Path], json: Option<&Path>, csv: Option<&Path>) -> Result<(), Failure> {
    let states = paths.iter().map(|path| read_state(path)).collect::<Result<Vec<State>, _>>()?;
    let heads: Vec<(PathBuf, ShardPart)> = paths
        .iter()
        .zip(&states)
        .map(|(path, state)| (path.to_path_buf(), state.dapple_shard.clone()))
        .collect();
    let order = join_parts(&heads)?;
    let first = states.first().expect("join_parts refuses none");
    let protocol = Protocol {
        class_names: first.classes.clone(),
        ignore: first.ignore,
        boundary_ratio: first.boundary_ratio,
    };
    let (policies, seed, surface) = (first.policies.clone(), first.seed, first.surfaces.is_some());
    let empty = Evaluator::new(protocol.clone())?.into_state();
    let (mut confusion, mut boundary) = (empty.confusion, empty.boundary);
    let (mut images, mut foregrounds, mut surfaces) = (Vec::new(), Vec::new(), Vec::new());
    let (mut predicted_foreground, mut true_foreground) = (Foreground::default(), Foreground::default());
    for state in states {
        confusion.merge(&state.evaluator.confusion)?;
        boundary.iter_mut().zip(&state.evaluator.boundary).for_each(|(sum, more)| sum.merge(*more));
        images.push(state.evaluator.images.into_iter().map(Some).collect::<Vec<Option<ImageScores>>>());
        foregrounds.extend(state.foreground);
        surfaces.push(state.surfaces.unwrap_or_default());
        predicted_foreground.merge(state.predicted_foreground);
        true_foreground.merge(state.true_foreground);
    }
    let state = EvaluatorState {
        confusion,
        boundary,
        images: order.iter().filter_map(|&(shard, place)| images[shard][place].take()).collect(),
    };
    let has_foreground = !foregrounds.is_empty();
    let foreground = has_foreground.then(|| ForegroundEvaluator::joined(foregrounds, &order)).transpose()?;
    let in_order = order.iter().map(|&(shard, place)| std::mem::take(&mut surfaces[shard][place]));
    let surfaces = if surface { in_order.collect() } else { Vec::new() };
    let evaluator = Evaluator::of_state(protocol, state)?;
    let all = Block { evaluator, foreground, surfaces, predicted_foreground, true_foreground };
    conclude(all, policies, (seed, surface), json, csv)
}

/// Reads the file of a shard; everything that is counted by images in it has as many as it says.
fn read_state(path: &Path) -> Result<State, Failure> {
    let wrong = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let state: State = serde_json::from_str(&text).map_err(|error| {
        wrong(format!("is no file that `dapple score --shard` wrote: {}", json_fault(&error)))
    })?;
    let count = state.dapple_shard.positions.len();
    let classes = state.classes.len();
    let surfaces = state.surfaces.as_ref();
    let is_whole = state.evaluator.images.len() == count
        && state.evaluator.boundary.len() == classes
        && state.foreground.as_ref().is_none_or(|foreground| foreground.images() == count)
        && surfaces
            .is_none_or(|images| images.len() == count && images.iter().all(|image| image.len() == classes));
    if is_whole {
        Ok(state)
    } else {
        Err(wrong("does not hold the images of its shard; make it anew".to_owned()))
    }
}
