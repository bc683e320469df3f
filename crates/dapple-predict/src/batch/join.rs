//! Joining the files of all images that shares of a collection wrote: the same files as from one machine.

use std::fs;
use std::path::{Path, PathBuf};

use dapple_base::{ShardPart, join_parts, json_fault};
use serde_json::Value;

use super::tables::{AREAS, AREAS_BYTES, COCO, HAS_COCO, PART_KEY, TableName, write_table};
use super::writing::make_folder;
use crate::error::PredictError;
use crate::output::{self, areas_rows};
use crate::results::Results;

/// What became of the shares of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// The number of shares.
    pub shards: usize,
    /// Images with results.
    pub images: usize,
    /// The names of the images that could not be predicted.
    pub failed: Vec<String>,
    /// The files that were written.
    pub files: Vec<PathBuf>,
}

/// One share: its file, what it says of itself, the bytes of each image's rows of areas, and whether there are annotations.
struct Share {
    path: PathBuf,
    part: ShardPart,
    areas_bytes: Option<Vec<usize>>,
    has_coco: bool,
}

/// Joins shares whose files ([`parts_in`](super::parts_in)) are given: checks that all are there, each once and of one collection, model and
/// settings, and writes `areas.csv` and `coco.json` into `out` where the shares have them. They have the bytes that a batch
/// without shares writes. With `force`, files that dapple did not make are replaced.
///
/// # Errors
/// [`PredictError::BadFile`] and [`PredictError::Parts`] for shares that are missing, there twice, foreign or damaged;
/// [`PredictError::File`].
pub fn join(parts: &[PathBuf], out: &Path, force: bool) -> Result<Joined, PredictError> {
    let shares = parts.iter().map(|path| read_part(path)).collect::<Result<Vec<Share>, _>>()?;
    let heads: Vec<(PathBuf, ShardPart)> =
        shares.iter().map(|share| (share.path.clone(), share.part.clone())).collect();
    let order = join_parts(&heads)?;
    make_folder(out)?;
    let results = Results::open(out, None)?;
    let mut joined = Joined {
        shards: shares.len(),
        images: order.len(),
        failed: shares.iter().flat_map(|share| share.part.failed.clone()).collect(),
        files: Vec::new(),
    };
    for (name, text) in [(AREAS, areas(&shares, &order)?), (COCO, coco(&shares, &order)?)] {
        let Some(text) = text else { continue };
        let path = out.join(name.file(None));
        if !force {
            results.check(&path)?;
        }
        results.begin()?;
        write_table(&results, &path, &text)?;
        joined.files.push(path);
    }
    Ok(joined)
}

fn read_part(path: &Path) -> Result<Share, PredictError> {
    let wrong = |problem: String| PredictError::bad_file(path, problem);
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let mut value: Value = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{}; make it anew", json_fault(&error))))?;
    let mut take = |key: &str| value.get_mut(key).map(Value::take).unwrap_or_default();
    let part = serde_json::from_value(take(PART_KEY)).ok();
    let areas_bytes = serde_json::from_value(take(AREAS_BYTES)).ok();
    match (part, areas_bytes, take(HAS_COCO).as_bool()) {
        (Some(part), Some(areas_bytes), Some(has_coco)) => {
            Ok(Share { path: path.to_owned(), part, areas_bytes, has_coco })
        }
        _ => Err(wrong("is no file of a share of predictions; leave it out, or make it anew".to_owned())),
    }
}

/// The text of a file beside that of a share.
fn beside(share: &Share, name: TableName) -> Result<(PathBuf, String), PredictError> {
    let path = share.path.with_file_name(name.file(share.part.shard()));
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => {
            Err(PredictError::bad_file(&path, format!("cannot be read: {error}; run its shard again")))
        }
    }
}

/// The table of all areas, in the order of the images; `None` where the shares have none.
fn areas(shares: &[Share], order: &[(usize, usize)]) -> Result<Option<String>, PredictError> {
    let mut tables = Vec::with_capacity(shares.len());
    for share in shares {
        let Some(bytes) = &share.areas_bytes else { return Ok(None) };
        tables.push((beside(share, AREAS)?, bytes));
    }
    let mut rows: Vec<Vec<&str>> = Vec::with_capacity(shares.len());
    for (share, ((path, table), bytes)) in shares.iter().zip(&tables) {
        let mut rest = areas_rows(table);
        let mut images = Vec::with_capacity(bytes.len());
        for &length in *bytes {
            let Some((image, more)) = rest.split_at_checked(length) else { break };
            images.push(image);
            rest = more;
        }
        if !rest.is_empty() || images.len() != share.part.positions.len() {
            return Err(changed(path));
        }
        rows.push(images);
    }
    Ok(Some(output::merge_areas(order.iter().map(|&(share, place)| rows[share][place]))))
}

/// The annotations of all images, in their order; `None` where the shares have none.
fn coco(shares: &[Share], order: &[(usize, usize)]) -> Result<Option<String>, PredictError> {
    let mut documents: Vec<Vec<Value>> = Vec::with_capacity(shares.len());
    for share in shares {
        if !share.has_coco {
            return Ok(None);
        }
        let (path, text) = beside(share, COCO)?;
        let document = serde_json::from_str(&text).map_err(|error| {
            PredictError::bad_file(&path, format!("{}; run its shard again", json_fault(&error)))
        })?;
        let images = output::split_coco(document);
        let images = images.filter(|images| images.len() == share.part.positions.len());
        documents.push(images.ok_or_else(|| changed(&path))?);
    }
    let ordered = order.iter().map(|&(share, place)| documents[share][place].take());
    Ok(Some(output::merge_coco(ordered).to_string()))
}

fn changed(path: &Path) -> PredictError {
    PredictError::bad_file(
        path,
        "does not hold the images of its shard, or was changed since; run its shard again",
    )
}
