//! The files of a batch: folders, the outputs of an image, and the tables of all images.

use std::fmt::Display;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use dapple_base::{AtomicFile, Shard, WriteError, json_fault};

use super::shared::{Shared, Task};
use super::tables::{AREAS, COCO, PART, part_text, parts_in, shard_of, write_table};
use crate::error::PredictError;
use crate::geo::GeoReference;
use crate::output::{self, Output, OutputFile, OutputKind, Target};

/// The outputs of an image, and the targets that they write to.
pub(super) type Outputs = (Vec<Box<dyn Output>>, Vec<Target>);

/// Begins all outputs of an image.
pub(super) fn begin_outputs(shared: &Shared<'_>, task: &Task<'_>) -> Result<Outputs, PredictError> {
    let (mut outputs, mut targets) = (Vec::new(), Vec::new());
    shared.results.begin()?;
    for (part, path) in &task.files {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let target = Target::file(path)?;
        let settings = &shared.batch.output;
        outputs.push(output::output(part, &task.info, &shared.classes, settings, target.clone())?);
        targets.push(target);
    }
    Ok((outputs, targets))
}

/// Notes complete files in the folder's record, and gives them their names.
pub(super) fn commit(shared: &Shared<'_>, task: &Task<'_>, targets: Vec<Target>) -> Result<(), PredictError> {
    let mut files = Vec::with_capacity(targets.len());
    for (target, (_, path)) in targets.iter().zip(&task.files) {
        files.extend(target.fingerprint()?.map(|content| (path.as_path(), content)));
    }
    // Files that placed an earlier picture would place this one too.
    for path in pictures(&task.files).flat_map(|path| GeoReference::names_beside(path)) {
        if task.places.iter().all(|(place, _)| *place != path) {
            shared.results.remove(&path);
        }
    }
    shared.results.note(&task.origin, files)?;
    targets.into_iter().try_for_each(|target| target.commit().map(drop))?;
    place(shared, task)
}

/// The files that place the pictures of a georeferenced image, with their contents.
pub(super) fn places(files: &[(OutputFile, PathBuf)], geo: Option<&GeoReference>) -> Vec<(PathBuf, String)> {
    let Some(geo) = geo else { return Vec::new() };
    pictures(files).flat_map(|path| geo.files_beside(path)).collect()
}

/// The results that have no tags for their place.
fn pictures(files: &[(OutputFile, PathBuf)]) -> impl Iterator<Item = &PathBuf> {
    let paths = files.iter().map(|(_, path)| path);
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "png"))
}

fn place(shared: &Shared<'_>, task: &Task<'_>) -> Result<(), PredictError> {
    for (path, content) in &task.places {
        let mut file = AtomicFile::create(path)?;
        let written = file.write_all(content.as_bytes());
        written.map_err(|source| WriteError::new(path, source))?;
        shared.results.note(&task.origin, [(path.as_path(), file.fingerprint()?)])?;
        file.commit()?;
    }
    Ok(())
}

/// The table and the annotations of all images, where they are wanted. Those of a share have its name.
fn tables(shared: &Shared<'_>) -> Vec<(OutputKind, PathBuf)> {
    let tables = [(OutputKind::Areas, AREAS), (OutputKind::Coco, COCO)];
    if shared.inputs.iter().any(|input| input.result.is_some()) {
        return Vec::new();
    }
    let wanted = tables.into_iter().filter(|(kind, _)| shared.batch.kinds.contains(kind));
    wanted.map(|(kind, name)| (kind, shared.batch.out.join(name.file(shared.batch.shard)))).collect()
}

/// Removes those of an earlier batch, which would be outdated until this one is complete, and what shares of another division say
/// of themselves. Files of others are refused.
pub(super) fn clear_tables(shared: &Shared<'_>) -> Result<(), PredictError> {
    if shared.inputs.iter().all(|input| input.result.is_none()) {
        let count = shared.batch.shard.map(Shard::count);
        for path in parts_in(&shared.batch.out) {
            if shard_of(&path).map(Shard::count) != count {
                shared.results.remove(&path);
            }
        }
    }
    let part = shared.batch.shard.map(|shard| shared.batch.out.join(PART.file(Some(shard))));
    for path in tables(shared).into_iter().map(|(_, path)| path).chain(part) {
        if shared.claims.is_protected(&path) {
            let problem = "would be replaced by the table of all images; give another folder with --out";
            return Err(PredictError::bad_file(&path, problem));
        }
        if !shared.batch.force {
            shared.results.check(&path)?;
        }
        shared.results.remove(&path);
    }
    Ok(())
}

/// Writes the tables and the annotations of all images of the batch to one file each, and of a share what it says of itself.
pub(super) fn merge(shared: &Shared<'_>) -> Result<(), PredictError> {
    let (inputs, shard) = (shared.good(), shared.batch.shard);
    // An image that failed has no file; one that cannot be read would be missing in silence.
    let texts = |suffix: &str| -> Result<Vec<(PathBuf, String)>, PredictError> {
        let mut texts = Vec::new();
        for path in inputs.iter().map(|input| input.output(&shared.batch.out, suffix)) {
            match fs::read_to_string(&path) {
                Ok(text) => texts.push((path, text)),
                // Of a share, the results are counted.
                Err(error) if error.kind() == ErrorKind::NotFound && shard.is_none() => {}
                Err(error) => return Err(unread(&path, &error)),
            }
        }
        Ok(texts)
    };
    let (mut areas_bytes, mut has_coco) = (None, false);
    for (kind, path) in tables(shared) {
        let merged = if kind == OutputKind::Areas {
            let texts = texts("-areas.csv")?;
            let bytes = texts.iter().map(|(_, text)| output::areas_rows(text).len());
            areas_bytes = Some(bytes.collect::<Vec<usize>>());
            output::merge_areas(texts.iter().map(|(_, text)| text.as_str()))
        } else {
            let mut documents = Vec::new();
            for (path, text) in texts("-coco.json")? {
                documents
                    .push(serde_json::from_str(&text).map_err(|error| unread(&path, &json_fault(&error)))?);
            }
            has_coco = true;
            output::merge_coco(documents).to_string()
        };
        write_table(&shared.results, &path, &merged)?;
    }
    if let Some(shard) = shard {
        let part = part_text(&shared.part(shard), areas_bytes.as_deref(), has_coco);
        write_table(&shared.results, &shared.batch.out.join(PART.file(Some(shard))), &part)?;
    }
    Ok(())
}

/// An image's own file that cannot be put into that of all images.
fn unread(path: &Path, error: &dyn Display) -> PredictError {
    PredictError::bad_file(
        path,
        format!("cannot be read for the file of all images: {error}; predict its image anew (--force)"),
    )
}

/// Creates a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), PredictError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source).into())
}
