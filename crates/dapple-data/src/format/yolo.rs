//! YOLO segmentation: beside `images` a folder `labels` with a text file an image, on each line a class and the corners of a
//! polygon as shares of the image's width and height; the names of the classes in `data.yaml` or `classes.txt`.
//!
//! Label 0 is the background, class 0 of the files label 1. Larger polygons are drawn first. An image without a text file
//! holds background only, as in Ultralytics' definition; such images are counted and said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::found::{Found, Notes, Record, Target};
use crate::format::geometry::polygon;
use crate::format::walk::{
    bad_file, entries, files_below, has_extension, has_image_extension, read_text, relative_stem, shown,
    subfolders,
};
use crate::image::decode::image_header;
use crate::mask::classes::Classes;
use crate::mask::decoder::MaskDecoder;
use crate::mask::regions::{Regions, Shape};
use crate::part::Part;

/// A folder of images and the folder of their text files.
struct Pair {
    images: PathBuf,
    labels: PathBuf,
    part: Option<Part>,
}

/// The classes in a YAML file.
#[derive(Deserialize)]
struct Description {
    names: Names,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Numbered(BTreeMap<usize, String>),
}

pub(super) fn probe(root: &Path) -> bool {
    let is_text = |path: &Path| has_extension(path, &["txt"]);
    pairs(root).is_ok_and(|pairs| {
        pairs.iter().any(|pair| {
            files_below(&pair.labels, &is_text).is_ok_and(|files| {
                let lines = files.iter().take(64).filter_map(|path| read_text(path).ok());
                lines.flat_map(|text| text.lines().next().map(|line| numbers(line).is_some())).any(|is| is)
            })
        })
    })
}

/// The numbers of a line: a class and coordinates.
fn numbers(line: &str) -> Option<(usize, Vec<f32>)> {
    let mut words = line.split_ascii_whitespace();
    let class = words.next()?.parse().ok()?;
    let coordinates = words.map(|word| word.parse().ok()).collect::<Option<Vec<f32>>>()?;
    (coordinates.len() >= 4).then_some((class, coordinates))
}

/// `images` beside `labels`, in the folder and in the folders in it.
fn pairs(root: &Path) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut add = |folder: &Path, part| -> Result<()> {
        let mut inner = subfolders(folder)?;
        if let (Some(images), Some(labels)) = (inner.remove("images"), inner.remove("labels")) {
            pairs.push(Pair { images, labels, part });
        }
        Ok(())
    };
    add(root, None)?;
    for (name, folder) in subfolders(root)? {
        add(&folder, Part::in_name(&name))?;
    }
    Ok(pairs)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let pairs = pairs(root)?;
    if pairs.is_empty() {
        return Err(bad_file(root, "no folder `images` with a folder `labels` beside it"));
    }
    let named = class_names(root)?;
    let mut drawn = Vec::new();
    let mut without = 0;
    let mut largest = 0;
    for pair in &pairs {
        let mut texts: BTreeMap<String, PathBuf> = BTreeMap::new();
        for path in files_below(&pair.labels, &|path| has_extension(path, &["txt"]))? {
            match relative_stem(&pair.labels, &path) {
                Some(stem) => drop(texts.insert(stem, path)),
                None => notes.bad(DataError::NameNotUtf8 { path })?,
            }
        }
        for image in files_below(&pair.images, &has_image_extension)? {
            let Some(stem) = relative_stem(&pair.images, &image) else {
                notes.bad(DataError::NameNotUtf8 { path: image })?;
                continue;
            };
            let text = texts.remove(&stem);
            without += usize::from(text.is_none());
            let Some(header) = notes.kept(image_header(&image))? else { continue };
            let (width, height) = header.size();
            let size = (width as usize, height as usize);
            let path = text.clone().unwrap_or_else(|| image.clone());
            let shapes = text.map_or(Ok(Vec::new()), |path| parse(&path, &read_text(&path)?, size));
            match shapes {
                Ok(shapes) => {
                    largest = shapes.iter().map(|(class, _)| class + 1).max().unwrap_or(0).max(largest);
                    drawn.push((pair.part, stem, image, path, size, shapes));
                }
                Err(error) => notes.bad(error)?,
            }
        }
        for (stem, mask) in texts.into_iter().filter(|(stem, _)| stem != "classes") {
            notes.bad(DataError::MissingImage { mask, stem, folder: pair.images.clone() })?;
        }
    }
    if without > 0 {
        notes.warn(format!(
            "{without} images have no text file; they hold background only, as YOLO defines it"
        ));
    }
    let names = match named {
        Some((path, names)) if names.len() < largest => {
            let problem =
                format!("it names {} classes, but the labels have class {}", names.len(), largest - 1);
            return Err(bad_file(&path, problem));
        }
        Some((_, names)) => names,
        None => (0..largest).map(|class| format!("class {class}")).collect(),
    };
    if names.is_empty() || names.len() > 254 {
        return Err(bad_file(root, format!("{} classes; 1 to 254 can be learned", names.len())));
    }
    let mut records: Vec<Record> = drawn
        .into_iter()
        .map(|(part, stem, image, path, size, shapes)| {
            // The first folder below `images` may tell the part.
            let (part, name) = part.map_or_else(|| Part::split(&stem), |part| (Some(part), stem.as_str()));
            let regions = shapes.into_iter().map(|(class, shape)| (class as u8 + 1, shape)).collect();
            let regions = Regions { width: size.0, height: size.1, background: 0, regions };
            let target = Target::Regions { path, regions: Arc::new(regions) };
            Record { name: Part::prefixed(part, name), part, image, target }
        })
        .collect();
    records.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    let classes = Classes::named(std::iter::once("background".to_owned()).chain(names));
    Ok(Found::fixed(records, classes, MaskDecoder::indices()))
}

/// The names of the classes, and the file that has them.
fn class_names(root: &Path) -> Result<Option<(PathBuf, Vec<String>)>> {
    for path in entries(root)?.into_iter().filter(|path| has_extension(path, &["yaml", "yml"])) {
        let text = read_text(&path)?;
        if !text.lines().any(|line| line.starts_with("names")) {
            continue;
        }
        let description: Description = serde_saphyr::from_str(&text).map_err(|error| {
            let first = error.to_string().lines().next().unwrap_or_default().to_owned();
            bad_file(
                &path,
                format!("`names` cannot be read: {}; give a list or numbered names", shown(&first)),
            )
        })?;
        let names = match description.names {
            Names::List(names) => names,
            Names::Numbered(names) => {
                if names.keys().copied().ne(0..names.len()) {
                    return Err(bad_file(&path, "the numbers of `names` must count up from 0"));
                }
                names.into_values().collect()
            }
        };
        return Ok(Some((path, names)));
    }
    for path in [root.join("classes.txt"), root.join("labels").join("classes.txt")] {
        if path.is_file() {
            let text = read_text(&path)?;
            let names =
                text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
            return Ok(Some((path, names)));
        }
    }
    Ok(None)
}

/// Class and polygon of each line, large ones first.
///
/// # Errors
/// [`DataError::BadFile`] that names the line.
fn parse(path: &Path, text: &str, size: (usize, usize)) -> Result<Vec<(usize, Shape)>> {
    let mut shapes = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| bad_file(path, format!("line {}: {problem}", number + 1));
        let Some((class, coordinates)) = numbers(line) else {
            return Err(wrong(format!("`{}` is not a class and the corners of a polygon", shown(line))));
        };
        if class > 253 {
            return Err(wrong(format!("class {class}; 0 to 253 can be learned")));
        }
        if coordinates.len() == 4 {
            return Err(wrong("a box; boxes alone are not masks, export polygons".into()));
        }
        let (corners, rest) = coordinates.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(wrong("an odd number of coordinates".into()));
        }
        // Tools round a little past the border.
        if let Some(bad) = coordinates.iter().find(|v| !(-0.01..=1.01).contains(*v)) {
            return Err(wrong(format!("a coordinate is {bad}; they are shares of the sides, from 0 to 1")));
        }
        let pixels = corners.iter().map(|[x, y]| [x * size.0 as f32, y * size.1 as f32]).collect();
        let shape = polygon(pixels, size).map_err(wrong)?;
        shapes.push((class, shape));
    }
    shapes.sort_by(|a, b| Regions::area(&b.1).total_cmp(&Regions::area(&a.1)));
    Ok(shapes)
}
