//! The files of a batch: folders, the outputs of an image, and the tables of all images.

use std::fs;
use std::path::Path;

use dapple_base::{WriteError, write_atomic};

use super::settings::BatchSettings;
use super::shared::{Shared, Task};
use crate::error::PredictError;
use crate::inputs::Input;
use crate::output::{self, Output, OutputKind, Target};

/// The outputs of an image, and the targets that they write to.
pub(super) type Outputs = (Vec<Box<dyn Output>>, Vec<Target>);

/// Begins all outputs of an image.
pub(super) fn begin_outputs(shared: &Shared<'_>, task: &Task<'_>) -> Result<Outputs, PredictError> {
    let (mut outputs, mut targets) = (Vec::new(), Vec::new());
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

/// Gives complete files their names.
pub(super) fn commit(targets: Vec<Target>) -> Result<(), PredictError> {
    targets.into_iter().try_for_each(|target| target.commit().map(drop))
}

/// Writes the tables and the annotations of all images of the batch to one file each.
pub(super) fn merge(inputs: &[Input], batch: &BatchSettings) -> Result<(), PredictError> {
    let texts = |suffix: &str| -> Vec<String> {
        inputs.iter().filter_map(|input| fs::read_to_string(input.output(&batch.out, suffix)).ok()).collect()
    };
    if batch.kinds.contains(&OutputKind::Areas) {
        let merged = output::merge_areas(texts("-areas.csv").iter().map(String::as_str));
        write_atomic(batch.out.join("areas.csv"), merged.as_bytes())?;
    }
    if batch.kinds.contains(&OutputKind::Coco) {
        let documents = texts("-coco.json");
        let merged = output::merge_coco(documents.iter().filter_map(|text| serde_json::from_str(text).ok()));
        write_atomic(batch.out.join("coco.json"), merged.to_string().as_bytes())?;
    }
    Ok(())
}

/// Creates a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<(), PredictError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::new(folder, source).into())
}

/// Whether two paths lead to one existing file.
pub(super) fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}
