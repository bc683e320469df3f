//! The files of all images of a batch, or of those of a share: their names, and how they are written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use dapple_base::{AtomicFile, Shard, ShardPart, WriteError};
use serde_json::json;

use crate::error::PredictError;
use crate::results::Results;

/// The name of a file of all images.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableName {
    pub stem: &'static str,
    pub extension: &'static str,
}

/// The areas of all images.
pub(super) const AREAS: TableName = TableName { stem: "areas", extension: "csv" };
/// The annotations of all images.
pub(super) const COCO: TableName = TableName { stem: "coco", extension: "json" };
/// What a share says of itself.
pub(super) const PART: TableName = TableName { stem: "shard", extension: "json" };

/// The key of [`ShardPart`] in the file of a share.
pub(super) const PART_KEY: &str = "dapple_shard";
/// The key of the bytes that each image's rows have in the share's table of areas, null without a table.
pub(super) const AREAS_BYTES: &str = "areas_bytes";
/// The key that says whether the share has annotations.
pub(super) const HAS_COCO: &str = "coco";

impl TableName {
    /// The file's name: `areas.csv`, of a share `areas-3-of-64.csv`.
    pub fn file(self, shard: Option<Shard>) -> String {
        format!("{}{}.{}", self.stem, shard.map(Shard::suffix).unwrap_or_default(), self.extension)
    }
}

/// The files of shares in a folder of results, sorted.
pub fn parts_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| shard_of(path).is_some()).collect();
    paths.sort();
    paths
}

/// The share whose file this is, by its name.
pub(super) fn shard_of(path: &Path) -> Option<Shard> {
    let name = path.file_name()?.to_str()?;
    let share = name.strip_prefix(PART.stem)?.strip_prefix('-')?.strip_suffix(PART.extension)?;
    share.strip_suffix('.')?.replacen("-of-", "/", 1).parse().ok()
}

/// The text of the file of a share.
pub(super) fn part_text(part: &ShardPart, areas_bytes: Option<&[usize]>, has_coco: bool) -> String {
    format!("{}\n", json!({ PART_KEY: part, AREAS_BYTES: areas_bytes, HAS_COCO: has_coco }))
}

/// Notes a file of all images in the record, and gives it its name.
pub(super) fn write_table(results: &Results, path: &Path, text: &str) -> Result<(), PredictError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(text.as_bytes()).map_err(|source| WriteError::new(path, source))?;
    results.note("all images", [(path, file.fingerprint()?)])?;
    Ok(file.commit()?)
}
