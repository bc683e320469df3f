//! nnU-Net: `dataset.json` with the labels, `imagesTr/case_0000.png` with `labelsTr/case.png`, and perhaps `imagesTs` with
//! `labelsTs`. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation",
//! Nature Methods 2021.
//!
//! Label values are class indices; a label `ignore` counts nowhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::error::Result;
use crate::format::found::{Found, Notes};
use crate::format::json::parse;
use crate::format::pairs::{FolderPair, Pairing};
use crate::format::stems::files_by_stem;
use crate::format::walk::{bad_file, read_text, shown};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::part::Part;

pub(super) fn probe(root: &Path) -> bool {
    root.join("dataset.json").is_file() && root.join("imagesTr").is_dir() && root.join("labelsTr").is_dir()
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let path = root.join("dataset.json");
    let file: Value = parse(&path, &read_text(&path)?, "the description of a data set")?;
    let ending = file.get("file_ending").and_then(Value::as_str).unwrap_or_default();
    if ending.contains("nii") || ending == ".mha" || ending == ".nrrd" {
        let problem =
            format!("its volumes are `{}` files; convert their slices to PNG or TIFF", shown(ending));
        return Err(bad_file(&path, problem));
    }
    let (classes, ignore) = labels(&path, &file)?;
    let mut records = Vec::new();
    for (images, masks, part) in [("imagesTr", "labelsTr", None), ("imagesTs", "labelsTs", Some(Part::Test))]
    {
        let (images, masks) = (root.join(images), root.join(masks));
        if !masks.is_dir() {
            continue;
        }
        let part = part.or_else(|| root.join("labelsTs").is_dir().then_some(Part::Train));
        let mut files = BTreeMap::new();
        for (stem, file) in files_by_stem(&images, notes)? {
            let Some((case, channel)) = stem.rsplit_once('_').filter(|(_, channel)| channel.len() == 4)
            else {
                return Err(bad_file(&file, "its name does not end in a channel such as `_0000`"));
            };
            if channel != "0000" {
                let problem =
                    "the channels of a case lie in several files; write them into one TIFF of as many bands";
                return Err(bad_file(&file, problem));
            }
            files.insert(case.to_owned(), file);
        }
        let cases = files_by_stem(&masks, notes)?;
        let folders = FolderPair { part, prefix: String::new(), images, masks };
        records.append(&mut Pairing::of_equal(folders, files, cases).records(notes)?);
    }
    let mut found = Found::fixed(records, classes, MaskDecoder::indices());
    found.ignore = ignore;
    Ok(found)
}

/// The classes in the order of their labels, and the label that counts nowhere.
fn labels(path: &Path, file: &Value) -> Result<(Classes, Option<u8>)> {
    let wrong = |problem: &str| bad_file(path, format!("`labels`: {problem}"));
    let labels = file.get("labels").and_then(Value::as_object).ok_or_else(|| wrong("there are none"))?;
    let mut names: BTreeMap<u8, String> = BTreeMap::new();
    let mut ignore = None;
    for (key, value) in labels {
        // Version 2 writes name and number, version 1 number and name.
        let entry = match value {
            Value::Number(number) => number.as_u64().map(|number| (number, key.clone())),
            Value::String(text) => match (text.parse(), key.parse()) {
                (_, Ok(number)) => Some((number, text.clone())),
                (Ok(number), _) => Some((number, key.clone())),
                _ => None,
            },
            Value::Array(_) => {
                return Err(wrong("regions of several labels are not read; give one number a class"));
            }
            _ => None,
        };
        let (number, name) = entry.ok_or_else(|| wrong("each needs a name and a number"))?;
        let number = u8::try_from(number).map_err(|_| wrong("a number is above 255"))?;
        if name == "ignore" {
            ignore = Some(number);
        } else if names.insert(number, name).is_some() {
            return Err(wrong("a number occurs twice"));
        }
    }
    if names.len() < 2 || names.keys().copied().ne((0..).take(names.len())) {
        return Err(wrong("the numbers must count up from 0, the background"));
    }
    Ok((Classes::named(names.into_values()), ignore))
}
