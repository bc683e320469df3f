//! DRIVE: `training/images/21_training.tif`, `training/1st_manual/21_manual1.gif` and `training/mask/21_training_mask.gif`, the
//! same with `test`. The masks are those of the first observer; `mask` is the field of view, outside of which nothing
//! counts.
//!
//! Staal et al., "Ridge-based vessel segmentation in color images of the retina", IEEE TMI 2004.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::stems::{Files, files_by_stem};
use crate::format::walk::{bad_file, subfolders};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::mask::merged::MaskPart;
use crate::part::Part;

const MASKS: &str = "1st_manual";
const IMAGES: &str = "images";
const FIELD: &str = "mask";

pub(super) fn probe(root: &Path) -> bool {
    parts(root).is_ok_and(|parts| parts.iter().any(|(_, folder)| folder.join(MASKS).is_dir()))
}

fn parts(root: &Path) -> Result<Vec<(Part, PathBuf)>> {
    let folders = subfolders(root)?;
    let part = |(name, folder): (String, PathBuf)| {
        let part = Part::ALL.into_iter().find(|part| part.words().contains(&&*name))?;
        folder.join(IMAGES).is_dir().then_some((part, folder))
    };
    Ok(folders.into_iter().filter_map(part).collect())
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut records = Vec::new();
    let mut any_field = false;
    for (part, folder) in parts(root)? {
        if !folder.join(MASKS).is_dir() {
            notes.warn(format!("{} has no {MASKS}/, and is left out", folder.display()));
            continue;
        }
        let images = by_number(&folder.join(IMAGES), notes)?;
        let mut masks = by_number(&folder.join(MASKS), notes)?;
        let has_fields = folder.join(FIELD).is_dir();
        let mut fields = if has_fields { by_number(&folder.join(FIELD), notes)? } else { BTreeMap::new() };
        any_field |= has_fields;
        for (number, (stem, image)) in images {
            let Some((_, mask)) = masks.remove(&number) else {
                notes.bad(DataError::MissingMask { image, stem, folder: folder.join(MASKS) })?;
                continue;
            };
            let mut files = vec![MaskPart { path: mask, label: 1, outside: false }];
            match fields.remove(&number) {
                Some((_, path)) => files.push(MaskPart { path, label: IGNORED, outside: true }),
                None if has_fields => {
                    notes.bad(DataError::MissingMask { image, stem, folder: folder.join(FIELD) })?;
                    continue;
                }
                None => {}
            }
            let name = Part::prefixed(Some(part), &stem);
            records.push(Record { name, part: Some(part), image, target: Target::Merged(files) });
        }
        for (stem, mask) in masks.into_values() {
            notes.bad(DataError::MissingImage { mask, stem, folder: folder.join(IMAGES) })?;
        }
    }
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    if any_field {
        notes.warn(format!(
            "the vessels are those in {MASKS}/; pixels outside of the field of view ({FIELD}/) are ignored"
        ));
    }
    Ok(Found::fixed(records, Classes::binary("vessel"), MaskDecoder::indices()))
}

/// The files of a folder by the number that their names begin with, each with its stem.
fn by_number(folder: &Path, notes: &mut Notes) -> Result<BTreeMap<String, (String, PathBuf)>> {
    let files: Files = files_by_stem(folder, notes)?;
    let mut found: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
    for (stem, path) in files {
        let number = stem.split('_').next().unwrap_or_default().to_owned();
        if let Some((first, _)) = found.get(&number) {
            let problem = format!("its name begins with the same number as `{first}`; keep one of them");
            notes.bad(bad_file(&path, problem))?;
            continue;
        }
        found.insert(number, (stem, path));
    }
    Ok(found)
}
