//! COCO panoptic: `annotations/panoptic_train2017.json` says which category every segment of the PNG files in
//! `panoptic_train2017/` has; the id of a segment is `red + 256 green + 65536 blue`, 0 is void and ignored, as crowds are.
//!
//! Kirillov et al., "Panoptic Segmentation", CVPR 2019. Labels are the categories in the order of their ids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::coco::{Category, Image, classes_of, image_folders, missing, part_of};
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::walk::{bad_file, entries, find_named, has_extension, inside, name_of_file, read_text};
use crate::mask::classes::Classes;
use crate::mask::coding::LabelCoding;
use crate::mask::decoder::{MaskDecoder, SegmentLabels};
use crate::part::Part;

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    file_name: String,
    segments_info: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    id: u32,
    category_id: u64,
    #[serde(default)]
    iscrowd: u8,
}

pub(super) fn probe(root: &Path) -> bool {
    files(root).is_ok_and(|files| !files.is_empty())
}

/// The JSON files of panoptic annotations, each with its folder of masks.
fn files(root: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let annotations = root.join("annotations");
    let mut files = Vec::new();
    for folder in [root.to_owned(), annotations] {
        if !folder.is_dir() {
            continue;
        }
        for path in entries(&folder)? {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if stem.starts_with("panoptic") && has_extension(&path, &["json"]) {
                let masks = [folder.join(&stem), root.join(&stem)].into_iter().find(|masks| masks.is_dir());
                files.extend(masks.map(|masks| (path, masks)));
            }
        }
    }
    Ok(files)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let files = files(root)?;
    let mut records = Vec::new();
    let mut classes: Option<Classes> = None;
    for (path, masks) in &files {
        let (of_file, samples) = parse(path, &read_text(path)?)?;
        if classes.as_ref().is_some_and(|classes| *classes != of_file) {
            return Err(bad_file(
                path,
                "its categories differ from those of the other files; export all alike",
            ));
        }
        classes = Some(of_file);
        let part = part_of(path);
        let bases = image_folders(root, path, part);
        for Sample { image, mask, labels } in samples {
            let name = Part::prefixed(part, &name_of_file(&image));
            let Some(mask_path) = inside(root, masks, &mask).filter(|path| path.is_file()) else {
                notes.bad(missing(path, &mask))?;
                continue;
            };
            match find_named(root, &bases, &image) {
                Some(image) => {
                    let target = Target::Segments { path: mask_path, labels: Arc::new(labels) };
                    records.push(Record { name, part, image, target });
                }
                None => notes.bad(missing(path, &image))?,
            }
        }
    }
    let Some(classes) = classes else {
        return Err(DataError::EmptyFolder { path: root.join("annotations") });
    };
    Ok(Found::fixed(records, classes, MaskDecoder::Values(LabelCoding::Indices)))
}

struct Sample {
    image: String,
    mask: String,
    labels: SegmentLabels,
}

fn parse(path: &Path, text: &str) -> Result<(Classes, Vec<Sample>)> {
    let file: File =
        serde_json::from_str(text).map_err(|e| bad_file(path, format!("not a panoptic JSON: {e}")))?;
    let (classes, labels) = classes_of(path, file.categories, false)?;
    let images: HashMap<u64, String> = file.images.into_iter().map(|i| (i.id, i.file_name)).collect();
    let sample = |annotation: Annotation| {
        let Annotation { image_id, file_name: mask, segments_info } = annotation;
        let image = images.get(&image_id).cloned();
        let image =
            image.ok_or_else(|| bad_file(path, format!("there is no image with the id {image_id}")))?;
        let mut of_segments = SegmentLabels::from([(0, IGNORED)]);
        for Segment { id, category_id, iscrowd } in segments_info {
            let &label = labels.get(&category_id).ok_or_else(|| {
                bad_file(path, format!("segment {id} has the category {category_id}, which is not listed"))
            })?;
            of_segments.insert(id, if iscrowd != 0 { IGNORED } else { label });
        }
        Ok(Sample { image, mask, labels: of_segments })
    };
    Ok((classes, file.annotations.into_iter().map(sample).collect::<Result<_>>()?))
}
