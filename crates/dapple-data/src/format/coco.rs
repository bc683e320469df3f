//! COCO JSON: images, categories, and annotations with polygons or run lengths.
//!
//! Labels: 0 is the background, categories follow in the order of their ids. Larger regions are drawn first, so that a
//! small one stays visible on a large one; regions of crowds are ignored where nothing else is drawn over them. A pixel
//! belongs to a polygon if its centre does, which differs from pycocotools by single pixels at borders.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::walk::{
    bad_file, entries, find_named, has_extension, name_of_file, read_text, shown, subfolders,
};
use crate::mask::classes::Classes;
use crate::mask::coding::LabelCoding;
use crate::mask::decoder::MaskDecoder;
use crate::mask::regions::{Regions, Shape, decode_runs};
use crate::part::Part;

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub id: u64,
    pub file_name: String,
    pub width: usize,
    pub height: usize,
}

#[derive(Deserialize)]
pub(super) struct Category {
    pub id: u64,
    pub name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    #[serde(default)]
    iscrowd: u8,
    segmentation: Option<Segmentation>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Segmentation {
    Polygons(Vec<Vec<f32>>),
    Runs { size: [usize; 2], counts: Counts },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Counts {
    Compressed(String),
    Plain(Vec<u32>),
}

/// The content of one JSON file.
#[derive(Debug)]
pub(crate) struct Instances {
    /// The name of each image's file and its regions.
    pub images: Vec<(String, Regions)>,
    pub classes: Classes,
}

pub(super) fn probe(root: &Path) -> bool {
    annotation_files(root).is_ok_and(|files| files.iter().any(|path| looks_like_coco(path)))
}

/// Whether the beginning of a JSON is that of COCO's.
fn looks_like_coco(path: &Path) -> bool {
    use std::io::Read;
    let mut start = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(1 << 16).read_to_string(&mut start));
    // A character cut in two at the end is no reason to refuse.
    read.is_ok_and(|_| true)
        && start.trim_start().starts_with('{')
        && ["\"images\"", "\"categories\"", "\"annotations\"", "\"licenses\""]
            .iter()
            .any(|key| start.contains(key))
        && !start.contains("\"shapes\"")
}

/// The JSON files that may hold instances: in `annotations/`, in the folder itself, in folders of parts.
fn annotation_files(root: &Path) -> Result<Vec<PathBuf>> {
    let is_json = |path: &PathBuf| has_extension(path, &["json"]) && path.is_file();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.to_owned()];
    folders.extend(subfolders(root)?.into_iter().filter_map(|(name, path)| {
        (name == "annotations" || Part::in_name(&name).is_some()).then_some(path)
    }));
    for folder in folders {
        files.extend(entries(&folder)?.into_iter().filter(is_json));
    }
    let begins = |path: &PathBuf, with: &[&str]| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        with.iter().any(|with| name.starts_with(with))
    };
    if files.iter().any(|path| begins(path, &["instances_"])) {
        files.retain(|path| begins(path, &["instances_"]));
    }
    // Other tasks of COCO, and files of other tools.
    files.retain(|path| {
        !begins(path, &["captions_", "person_keypoints_", "image_info_", "panoptic_", "classes."])
    });
    Ok(files)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let files: Vec<PathBuf> =
        annotation_files(root)?.into_iter().filter(|path| looks_like_coco(path)).collect();
    if files.is_empty() {
        let problem = "no COCO JSON in it or in annotations/, with images, annotations and categories";
        return Err(bad_file(root, problem));
    }
    let mut records = Vec::new();
    let mut classes: Option<Classes> = None;
    for path in &files {
        let instances = parse_instances(path, &read_text(path)?)?;
        match &classes {
            Some(classes) if *classes != instances.classes => {
                let problem =
                    format!("its categories differ from those of {}; export all alike", files[0].display());
                return Err(bad_file(path, problem));
            }
            _ => classes = Some(instances.classes),
        }
        let part = part_of(path);
        let bases = image_folders(root, path, part);
        for (file_name, regions) in instances.images {
            let name = Part::prefixed(part, &name_of_file(&file_name));
            match find_named(root, &bases, &file_name) {
                Some(image) => {
                    let target = Target::Regions { path: path.clone(), regions: Arc::new(regions) };
                    records.push(Record { name, part, image, target });
                }
                None => notes.bad(missing(path, &file_name))?,
            }
        }
    }
    let decoder = MaskDecoder::Values(LabelCoding::Indices);
    Ok(Found::fixed(records, classes.expect("there is at least one file"), decoder))
}

pub(super) fn missing(path: &Path, file_name: &str) -> DataError {
    let problem = format!("the image `{}` is nowhere in the folder; add it or take it out", shown(file_name));
    bad_file(path, problem)
}

/// The part that the file's name or its folder's tells.
pub(super) fn part_of(path: &Path) -> Option<Part> {
    let name = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).and_then(Part::in_name);
    name(path).or_else(|| path.parent().and_then(name))
}

/// Where the images of a JSON may lie.
pub(super) fn image_folders(root: &Path, json: &Path, part: Option<Part>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let images = root.join("images");
    for above in [root, &images] {
        for (name, path) in subfolders(above).unwrap_or_default() {
            let year = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let stem = json.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if part.is_some()
                && Part::in_name(&name) == part
                && (year(&name) == year(&stem) || year(&name).is_empty())
            {
                folders.push(path);
            }
        }
    }
    folders.extend(json.parent().map(Path::to_owned));
    folders.extend([images, root.to_owned()]);
    folders
}

/// The classes of categories, and the label of each id; `first` is the label of the first.
pub(super) fn classes_of(
    path: &Path,
    mut categories: Vec<Category>,
    background: bool,
) -> Result<(Classes, HashMap<u64, u8>)> {
    categories.sort_by_key(|category| category.id);
    let first = u8::from(background);
    if categories.is_empty() || categories.len() > 255 - usize::from(first) {
        return Err(bad_file(path, format!("{} categories; 1 to 254 can be learned", categories.len())));
    }
    if categories.windows(2).any(|pair| pair[0].id == pair[1].id) {
        return Err(bad_file(path, "two categories have one id; number them"));
    }
    let labels = categories.iter().zip(first..).map(|(category, label)| (category.id, label)).collect();
    let names = background.then(|| "background".to_owned());
    Ok((
        Classes::named(names.into_iter().chain(categories.into_iter().map(|category| category.name))),
        labels,
    ))
}

/// Parses a JSON with polygons and run lengths.
///
/// # Errors
/// [`DataError::BadFile`] that says which annotation is wrong.
pub(crate) fn parse_instances(path: &Path, text: &str) -> Result<Instances> {
    let file: File = serde_json::from_str(text).map_err(|e| {
        bad_file(path, format!("not a COCO JSON with images, annotations and categories: {e}"))
    })?;
    let (classes, labels) = classes_of(path, file.categories, true)?;
    let mut at: HashMap<u64, usize> = HashMap::new();
    let mut images: Vec<(String, Regions)> = Vec::with_capacity(file.images.len());
    for Image { id, file_name, width, height } in file.images {
        if at.insert(id, images.len()).is_some() {
            return Err(bad_file(path, format!("two images have the id {id}; number them")));
        }
        images.push((file_name, Regions { width, height, background: 0, regions: Vec::new() }));
    }
    for (number, annotation) in file.annotations.into_iter().enumerate() {
        let wrong = |problem: String| bad_file(path, format!("annotation {number}: {problem}"));
        let unknown = |what: &str, id: u64| wrong(format!("there is no {what} with the id {id}"));
        let Annotation { image_id, category_id, iscrowd, segmentation } = annotation;
        let &image = at.get(&image_id).ok_or_else(|| unknown("image", image_id))?;
        let &label = labels.get(&category_id).ok_or_else(|| unknown("category", category_id))?;
        let label = if iscrowd != 0 { IGNORED } else { label };
        let regions = &mut images[image].1;
        match segmentation {
            None => return Err(wrong("it has no segmentation; boxes alone are not masks".into())),
            Some(Segmentation::Polygons(polygons)) => {
                for corners in polygons {
                    let (points, rest) = corners.as_chunks::<2>();
                    if !rest.is_empty() {
                        return Err(wrong("a polygon has an odd number of coordinates".into()));
                    }
                    regions.regions.push((label, Shape::Polygon(points.to_vec())));
                }
            }
            Some(Segmentation::Runs { size, counts }) => {
                if size != [regions.height, regions.width] {
                    let [h, w] = size;
                    return Err(wrong(format!("its mask is {w} x {h}, its image another size")));
                }
                let counts = match counts {
                    Counts::Plain(counts) => counts,
                    Counts::Compressed(text) => decode_runs(&text).map_err(wrong)?,
                };
                regions.regions.push((label, Shape::Runs(counts)));
            }
        }
    }
    for (name, regions) in &mut images {
        if let Some(problem) = regions.problem() {
            return Err(bad_file(path, format!("`{}`: {problem}", shown(name))));
        }
        // Crowds lowest, then from large to small; a stable order for equal areas.
        let key = |(label, shape): &(u8, Shape)| (*label != IGNORED, -Regions::area(shape));
        regions.regions.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
    }
    Ok(Instances { images, classes })
}
