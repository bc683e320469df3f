//! COCO JSON: images, categories, and annotations with polygons or run lengths.
//!
//! Labels: 0 is the background, categories follow in the order of their ids. Larger regions are drawn first, so that a
//! small one stays visible on a large one; regions of crowds are ignored where nothing else is drawn over them. A pixel
//! belongs to a polygon if its centre does, which differs from pycocotools by single pixels at borders.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::format::coco_json::{
    Annotation, Category, Counts, Field, File, Flag, Id, Image, Segmentation, Side,
};
use crate::format::coco_polygons;
use crate::format::found::{Found, IGNORED, Notes, Record, Target};
use crate::format::json::parse;
use crate::format::similar::NamedFiles;
use crate::format::walk::{
    bad_file, entries, has_extension, missing, name_of_file, read_text, shown, subfolders,
};
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::mask::regions::{Regions, Shape, decode_runs};
use crate::part::Part;

/// The content of one JSON file.
#[derive(Debug)]
pub(crate) struct Instances {
    /// The name of each image's file and its regions, or the fault of one of them.
    pub images: Vec<(String, Result<Regions>)>,
    pub classes: Classes,
    /// Interpretations that the user should know of.
    pub warnings: Vec<String>,
}

pub(super) fn probe(root: &Path) -> bool {
    annotation_files(root).is_ok_and(|files| files.iter().any(|path| looks_like_coco(path)))
}

/// Whether the beginning of a JSON is that of COCO's.
fn looks_like_coco(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = dapple_base::open_regular(path).and_then(|file| file.take(1 << 16).read_to_end(&mut start));
    // The last character may be cut in two.
    let start = String::from_utf8_lossy(&start);
    read.is_ok()
        && start.trim_start_matches('\u{feff}').trim_start().starts_with('{')
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
        notes.warnings.extend(instances.warnings);
        let part = part_of(path);
        let files_of_images = NamedFiles::new(root, image_folders(root, path, part));
        for (file_name, regions) in instances.images {
            let name = Part::prefixed(part, &name_of_file(&file_name));
            let regions = match regions {
                Ok(regions) => regions,
                Err(error) => {
                    notes.bad(error)?;
                    continue;
                }
            };
            match files_of_images.find(&file_name) {
                Some(image) => {
                    let target = Target::Regions { path: path.clone(), regions: Arc::new(regions) };
                    records.push(Record { name, part, image, target });
                }
                None => notes.bad(missing(path, &file_name))?,
            }
        }
    }
    let decoder = MaskDecoder::indices();
    Ok(Found::fixed(records, classes.expect("there is at least one file"), decoder))
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

/// A category with its id and its name.
pub(super) struct Known {
    id: Id,
    name: String,
    supercategory: Option<String>,
}

/// The categories of a file.
///
/// # Errors
/// [`DataError::BadFile`](crate::DataError::BadFile) that names the category at fault.
pub(super) fn known(path: &Path, categories: Option<Vec<Category>>) -> Result<Vec<Known>> {
    let categories = categories.ok_or_else(|| bad_file(path, "it has no `categories`; export them too"))?;
    let known = |(number, category): (usize, Category)| {
        let wrong = |problem: String| bad_file(path, format!("category {number}: {problem}"));
        let id = category.id.required("id").map_err(wrong)?;
        let name = category.name.required("name").map_err(wrong)?;
        if name.trim().is_empty() {
            return Err(wrong("its name is empty; give it one".into()));
        }
        Ok(Known { id, name, supercategory: category.supercategory.right() })
    };
    categories.into_iter().enumerate().map(known).collect()
}

/// Takes out the category that exports of Roboflow add to group the others: it has no annotation and no group of its own.
fn take_root(known: &mut Vec<Known>, used: &HashSet<Id>) -> Option<String> {
    let is_root = |category: &Known| {
        let grouped = category.supercategory.as_deref().is_some_and(|group| !matches!(group, "none" | ""));
        let mut others = known.iter().filter(|other| other.id != category.id);
        !grouped
            && !used.contains(&category.id)
            && others.any(|other| other.supercategory.as_deref() == Some(&category.name))
    };
    let Known { id, name, .. } = known.remove(known.iter().position(is_root)?);
    Some(format!("the category `{name}` ({id}) only groups the others and has no annotation: it is no class"))
}

/// The classes of categories, and the label of each id; with a background, its label is 0.
pub(super) fn classes_of(
    path: &Path,
    mut categories: Vec<Known>,
    background: bool,
) -> Result<(Classes, HashMap<Id, u8>)> {
    categories.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some(pair) = categories.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(bad_file(path, format!("two categories have the id {}; number them", pair[0].id)));
    }
    let mut names: Vec<String> = background.then(|| "background".to_owned()).into_iter().collect();
    let mut labels: HashMap<Id, u8> = HashMap::new();
    let mut owners: HashMap<String, Id> = HashMap::new();
    if categories.is_empty() || categories.len() > 254 {
        return Err(bad_file(path, format!("{} categories; 1 to 254 can be learned", categories.len())));
    }
    for Known { id, name, .. } in categories {
        if background && name.eq_ignore_ascii_case("background") {
            labels.insert(id, 0);
            continue;
        }
        if let Some(first) = owners.insert(name.clone(), id.clone()) {
            let problem =
                format!("the categories {first} and {id} are both named `{}`; rename one", shown(&name));
            return Err(bad_file(path, problem));
        }
        labels.insert(id, names.len() as u8);
        names.push(name);
    }
    if names.len() < 2 && background {
        return Err(bad_file(path, "the background is the only category; there is nothing to learn"));
    }
    Ok((Classes::named(names), labels))
}

/// The id, the name of the file and the size of an image.
///
/// # Errors
/// [`DataError::BadFile`](crate::DataError::BadFile) with the number of the image.
pub(super) fn image_of(path: &Path, number: usize, image: Image) -> Result<(Id, String, [usize; 2])> {
    let wrong = |problem: String| bad_file(path, format!("image {number}: {problem}"));
    let id = image.id.required("id").map_err(wrong)?;
    let file_name = image.file_name.required("file_name").map_err(wrong)?;
    let Side(width) = image.width.required("width").map_err(wrong)?;
    let Side(height) = image.height.required("height").map_err(wrong)?;
    Ok((id, file_name, [width, height]))
}

/// Parses a JSON with polygons and run lengths.
///
/// # Errors
/// [`DataError::BadFile`](crate::DataError::BadFile) that says which part of it is wrong. What is wrong with the
/// annotations of an image is the image's error.
pub(crate) fn parse_instances(path: &Path, text: &str) -> Result<Instances> {
    let file: File = parse(path, text, "a COCO JSON with images, annotations and categories")?;
    let mut known = known(path, file.categories)?;
    let annotations = file.annotations.unwrap_or_default();
    let used: HashSet<Id> = annotations.iter().filter_map(|a| a.category_id.clone().right()).collect();
    let mut warnings: Vec<String> = take_root(&mut known, &used).into_iter().collect();
    let (classes, labels) = classes_of(path, known, true)?;
    let mut at: HashMap<Id, usize> = HashMap::new();
    let images = file.images.ok_or_else(|| bad_file(path, "it has no `images`; export them too"))?;
    let mut read: Vec<(String, Result<Regions>)> = Vec::with_capacity(images.len());
    for (number, image) in images.into_iter().enumerate() {
        let (id, file_name, [width, height]) = image_of(path, number, image)?;
        if at.insert(id.clone(), read.len()).is_some() {
            return Err(bad_file(path, format!("two images have the id {id}; number them")));
        }
        let regions = Regions { width, height, background: 0, regions: Vec::new() };
        let problem =
            regions.problem().map(|problem| bad_file(path, format!("`{}`: {problem}", shown(&file_name))));
        read.push((file_name, problem.map_or(Ok(regions), Err)));
    }
    // Annotations that may cover no pixel, with their image and their shapes: they are drawn when that is known to be cheap.
    let mut doubtful: Vec<(usize, usize, Range<usize>)> = Vec::new();
    for (number, annotation) in annotations.into_iter().enumerate() {
        let wrong = |problem: String| bad_file(path, format!("annotation {number}: {problem}"));
        let image = annotation.image_id.clone().required("image_id").map_err(wrong)?;
        let Some(&image) = at.get(&image) else {
            return Err(wrong(format!("there is no image with the id {image}")));
        };
        let (_, of_image) = &mut read[image];
        let Ok(regions) = of_image else { continue };
        match shapes_of(annotation, &labels, (regions.width, regions.height)) {
            Ok((label, shapes)) => {
                if shapes.iter().all(Shape::is_tiny) {
                    let start = regions.regions.len();
                    doubtful.push((number, image, start..start + shapes.len()));
                }
                regions.regions.extend(shapes.into_iter().map(|shape| (label, shape)));
            }
            Err(problem) => *of_image = Err(wrong(problem)),
        }
    }
    for (name, of_image) in &mut read {
        if let Some(problem) = of_image.as_ref().ok().and_then(Regions::problem) {
            *of_image = Err(bad_file(path, format!("`{}`: {problem}", shown(name))));
        }
    }
    let covers_nothing = |(_, image, shapes): &&(usize, usize, Range<usize>)| {
        let (_, Ok(regions)) = &read[*image] else { return false };
        let draws = |(_, shape): &(u8, Shape)| shape.draws(regions.width, regions.height);
        !regions.regions[shapes.clone()].iter().any(draws)
    };
    let tiny: Vec<usize> = doubtful.iter().filter(covers_nothing).map(|(number, ..)| *number).collect();
    if let Some(first) = tiny.first() {
        warnings.push(format!(
            "{}: {} annotations are smaller than a pixel and cover the centre of none, the first is annotation {first}",
            path.display(),
            tiny.len()
        ));
    }
    for (_, of_image) in &mut read {
        let Ok(regions) = of_image else { continue };
        // Crowds lowest, then from large to small; a stable order for equal areas.
        let key = |(label, shape): &(u8, Shape)| (*label != IGNORED, -Regions::area(shape));
        regions.regions.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
    }
    Ok(Instances { images: read, classes, warnings })
}

/// The label of an annotation and its pixels on an image of this width and height.
///
/// # Errors
/// The fault, in words.
fn shapes_of(
    annotation: Annotation,
    labels: &HashMap<Id, u8>,
    (width, height): (usize, usize),
) -> std::result::Result<(u8, Vec<Shape>), String> {
    let Annotation { category_id, iscrowd, segmentation, .. } = annotation;
    let category = category_id.required("category_id")?;
    let &label =
        labels.get(&category).ok_or_else(|| format!("there is no category with the id {category}"))?;
    let Flag(crowd) = iscrowd.or("iscrowd", Flag(false))?;
    let label = if crowd { IGNORED } else { label };
    let segmentation = match segmentation {
        Field::Missing => return Err("it has no segmentation; boxes alone are not masks".into()),
        segmentation => segmentation.required("segmentation")?,
    };
    let shapes = match segmentation {
        Segmentation::Polygons(polygons) => coco_polygons::shapes(polygons, (width, height))?,
        Segmentation::Runs { size: [h, w], .. } if [h, w] != [height, width] => {
            return Err(format!("its mask is {w} x {h}, its image {width} x {height}"));
        }
        Segmentation::Runs { counts, .. } => {
            let counts = match counts {
                Counts::Plain(counts) => counts,
                Counts::Compressed(text) => decode_runs(&text)?,
            };
            if counts.iter().skip(1).step_by(2).all(|&n| n == 0) {
                return Err("its run lengths cover no pixel".into());
            }
            vec![Shape::Runs(counts)]
        }
    };
    Ok((label, shapes))
}
