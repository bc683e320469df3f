//! COCO panoptic: `annotations/panoptic_train2017.json` says which category every segment of the PNG files in
//! `panoptic_train2017/` has; the id of a segment is `red + 256 green + 65536 blue`, 0 is void and ignored, as crowds are.
//!
//! Kirillov et al., "Panoptic Segmentation", CVPR 2019. Labels are the categories in the order of their ids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::coco::{classes_of, image_folders, image_of, known, part_of};
use crate::format::coco_json::{Category, Field, Flag, Id, Image};
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::json::parse as parse_json;
use crate::format::similar::NamedFiles;
use crate::format::walk::{bad_file, entries, has_extension, inside, missing, name_of_file, read_text};
use crate::mask::classes::Classes;
use crate::mask::decoder::{MaskDecoder, SegmentLabels};
use crate::part::Part;

#[derive(Deserialize)]
struct File {
    images: Option<Vec<Image>>,
    annotations: Option<Vec<Annotation>>,
    categories: Option<Vec<Category>>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    image_id: Field<Id>,
    #[serde(default)]
    file_name: Field<String>,
    segments_info: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    id: u32,
    #[serde(default)]
    category_id: Field<Id>,
    #[serde(default)]
    iscrowd: Field<Flag>,
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
        let files_of_images = NamedFiles::new(root, image_folders(root, path, part));
        for Sample { image, mask, labels } in samples {
            let name = Part::prefixed(part, &name_of_file(&image));
            let Some(mask_path) = inside(root, masks, &mask).filter(|path| path.is_file()) else {
                notes.bad(missing(path, &mask))?;
                continue;
            };
            match files_of_images.find(&image) {
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
    Ok(Found::fixed(records, classes, MaskDecoder::indices()))
}

struct Sample {
    image: String,
    mask: String,
    labels: SegmentLabels,
}

fn parse(path: &Path, text: &str) -> Result<(Classes, Vec<Sample>)> {
    let file: File = parse_json(path, text, "a panoptic JSON with images, annotations and categories")?;
    let (classes, labels) = classes_of(path, known(path, file.categories)?, false)?;
    let images = file.images.unwrap_or_default().into_iter().enumerate();
    let images = images.map(|(number, image)| {
        let (id, file_name, _) = image_of(path, number, image)?;
        Ok((id, file_name))
    });
    let images: HashMap<Id, String> = images.collect::<Result<_>>()?;
    let sample = |(number, annotation): (usize, Annotation)| {
        let wrong = |problem: String| bad_file(path, format!("annotation {number}: {problem}"));
        let id = annotation.image_id.required("image_id").map_err(wrong)?;
        let mask = annotation.file_name.required("file_name").map_err(wrong)?;
        let image = images.get(&id).cloned();
        let image = image.ok_or_else(|| wrong(format!("there is no image with the id {id}")))?;
        let mut of_segments = SegmentLabels::from([(0, IGNORED)]);
        for Segment { id, category_id, iscrowd } in annotation.segments_info {
            let category = category_id.required("category_id").map_err(wrong)?;
            let &label = labels.get(&category).ok_or_else(|| {
                wrong(format!("segment {id} has the category {category}, which is not listed"))
            })?;
            let Flag(crowd) = iscrowd.or("iscrowd", Flag(false)).map_err(wrong)?;
            of_segments.insert(id, if crowd { IGNORED } else { label });
        }
        Ok(Sample { image, mask, labels: of_segments })
    };
    let annotations = file.annotations.unwrap_or_default().into_iter().enumerate();
    Ok((classes, annotations.map(sample).collect::<Result<_>>()?))
}
