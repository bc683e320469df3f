//! Label Studio's JSON export: a list of tasks with brush strokes, polygons, rectangles and ellipses, drawn in their order.
//!
//! Coordinates are percentages of the image's sides. Brush strokes are RGBA pictures packed as run lengths of bits
//! (the format of `@thi.ng/rle-pack`), whose alpha is the region.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::format::bitmaps::{Room, whole};
use crate::format::found::{Found, Notes};
use crate::format::geometry::{ellipse, polygon, rectangle};
use crate::format::json::parse;
use crate::format::named::{self, Annotated};
use crate::format::similar::NamedFiles;
use crate::format::walk::{
    bad_file, entries, has_extension, has_image_extension, missing, name_of_file, read_text, shown,
};
use crate::image::decode::image_header;
use crate::mask::regions::{Shape, size_problem};

/// The types of regions with an area begin with these; `labels` follows where they have a label.
const SHAPES: [&str; 4] = ["polygon", "rectangle", "ellipse", "brush"];

#[derive(Deserialize)]
struct Task {
    #[serde(default)]
    id: Value,
    data: Map<String, Value>,
    #[serde(default, alias = "completions")]
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    result: Vec<Region>,
    #[serde(default)]
    was_cancelled: bool,
}

#[derive(Deserialize)]
struct Region {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    value: Map<String, Value>,
    original_width: Option<usize>,
    original_height: Option<usize>,
    #[serde(default)]
    image_rotation: f32,
}

pub(super) fn probe(root: &Path) -> bool {
    entries(root).is_ok_and(|paths| paths.iter().any(|path| looks_like_label_studio(path)))
}

fn looks_like_label_studio(path: &Path) -> bool {
    has_extension(path, &["json"])
        && path.is_file()
        && path.metadata().is_ok_and(|data| data.len() < 1 << 30)
        && read_text(path).is_ok_and(|text| {
            text.trim_start().starts_with('[')
                && text.contains("\"data\"")
                && (text.contains("\"annotations\"") || text.contains("\"completions\""))
        })
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut annotated = Vec::new();
    let mut open = 0;
    let files = image_files(root);
    for path in entries(root)?.into_iter().filter(|path| looks_like_label_studio(path)) {
        let tasks: Vec<Task> =
            parse(&path, &read_text(&path)?, "an export of Label Studio (`JSON`, not `JSON-MIN`)")?;
        for task in tasks {
            let wrong = |problem: String| bad_file(&path, format!("task {}: {problem}", task.id));
            let mut done = task.annotations.iter().filter(|annotation| !annotation.was_cancelled);
            let Some(annotation) = done.next() else {
                open += 1;
                continue;
            };
            let others = done.count();
            if others > 0 {
                let problem = format!("it has {} annotations; export one for each task", others + 1);
                return Err(wrong(problem));
            }
            let Some(named) = image_of(&task.data) else {
                return Err(wrong("its data name no image".into()));
            };
            let Some(image) = find_image(&files, named) else {
                notes.bad(missing(&path, named))?;
                continue;
            };
            let Some(header) = notes.kept(image_header(&image))? else { continue };
            let (width, height) = header.size();
            let size = (width as usize, height as usize);
            if let Some(problem) = size_problem(size.0, size.1) {
                notes.bad(wrong(problem))?;
                continue;
            }
            match shapes(&annotation.result, size).map_err(wrong) {
                Ok(shapes) => {
                    let name = name_of_image(root, &image);
                    let (path, (width, height)) = (path.clone(), size);
                    annotated.push(Annotated { path, image, name, part: None, width, height, shapes });
                }
                Err(error) => notes.bad(error)?,
            }
        }
    }
    if open > 0 {
        notes.warn(format!("{open} tasks without an annotation are left out"));
    }
    named::found(root, annotated, None, notes)
}

/// The text in a task's data that names an image.
pub(super) fn image_of(data: &Map<String, Value>) -> Option<&str> {
    let texts: Vec<&str> = data.values().filter_map(Value::as_str).collect();
    let image = texts.iter().find(|text| has_image_extension(Path::new(text)));
    image.or(texts.first()).copied()
}

/// The images that tasks may name.
pub(super) fn image_files(root: &Path) -> NamedFiles<'_> {
    NamedFiles::new(root, vec![root.join("images"), root.to_owned()])
}

/// The image that a task names: by its path, or by its name, from which an upload's prefix of eight digits is taken.
pub(super) fn find_image(files: &NamedFiles<'_>, named: &str) -> Option<PathBuf> {
    let named = named.rsplit_once("?d=").map_or(named, |(_, path)| path);
    let named = named.split_once("://").map_or(named, |(_, path)| path).trim_start_matches('/');
    let file_name = named.rsplit('/').next().unwrap_or(named);
    let bare = file_name.split_at_checked(9).filter(|(prefix, _)| {
        let (digits, dash) = prefix.split_at(8);
        dash == "-" && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let candidates = [Some(named), Some(file_name), bare.map(|(_, rest)| rest)];
    candidates.into_iter().flatten().find_map(|name| files.find(name))
}

/// The name of a sample by its image in the folder.
pub(super) fn name_of_image(root: &Path, image: &Path) -> String {
    let name = image.strip_prefix(root).unwrap_or(image).to_string_lossy();
    name_of_file(name.strip_prefix("images/").unwrap_or(&name))
}

/// Label and pixels of a task's regions.
fn shapes(regions: &[Region], size: (usize, usize)) -> std::result::Result<Vec<(String, Shape)>, String> {
    let (mut shapes, mut room) = (Vec::new(), Room::of(size));
    for (number, region) in regions.iter().enumerate() {
        let kind = &*region.kind;
        let wrong = |problem: String| format!("region {number} ({}): {problem}", shown(kind));
        let Some(labels) = region.value.get(kind).filter(|_| kind.ends_with("labels")) else {
            if SHAPES.iter().any(|shape| kind.starts_with(shape)) {
                return Err(wrong("it has no label; give it one, or remove it".into()));
            }
            // Choices, texts and ratings of the whole image are no regions.
            continue;
        };
        let names: Vec<&str> = labels.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let [name] = names[..] else {
            return Err(wrong(format!("it has {} labels; give it one", names.len())));
        };
        if region.image_rotation != 0.0 {
            return Err(wrong("it was drawn on a turned image; turn the image itself".into()));
        }
        if let (Some(width), Some(height)) = (region.original_width, region.original_height)
            && (width, height) != size
        {
            let problem =
                format!("it was drawn on {width} x {height} pixels, the image has {} x {}", size.0, size.1);
            return Err(wrong(problem));
        }
        shapes.push((name.to_owned(), shape_of(kind, &region.value, size, &mut room).map_err(wrong)?));
    }
    Ok(shapes)
}

fn shape_of(
    kind: &str,
    value: &Map<String, Value>,
    size: (usize, usize),
    room: &mut Room,
) -> std::result::Result<Shape, String> {
    let number = |key: &str| {
        let number =
            value.get(key).and_then(Value::as_f64).ok_or_else(|| format!("it has no number `{key}`"));
        number.map(|number| number as f32)
    };
    let point = |x: f32, y: f32| [x / 100.0 * size.0 as f32, y / 100.0 * size.1 as f32];
    let angle = number("rotation").unwrap_or(0.0);
    match kind {
        "polygonlabels" => {
            let corner = |corner: &Value| {
                let [x, y] = corner.as_array()?.as_slice() else { return None };
                Some(point(x.as_f64()? as f32, y.as_f64()? as f32))
            };
            let points = value.get("points").and_then(Value::as_array).ok_or("it has no `points`")?;
            let corners: Option<Vec<[f32; 2]>> = points.iter().map(corner).collect();
            polygon(corners.ok_or("its `points` are not pairs of numbers")?, size)
        }
        "rectanglelabels" => {
            let first = point(number("x")?, number("y")?);
            let extent = point(number("width")?, number("height")?);
            rectangle(first, [first[0] + extent[0], first[1] + extent[1]], angle, size)
        }
        "ellipselabels" => {
            let radii = point(number("radiusX")?, number("radiusY")?);
            ellipse(point(number("x")?, number("y")?), radii, angle, size)
        }
        "brushlabels" => {
            // Few bytes may stand for all pixels.
            room.take(size)?;
            let packed = value.get("rle").and_then(Value::as_array).ok_or("it has no `rle`")?;
            let byte = |value: &Value| value.as_u64().and_then(|value| u8::try_from(value).ok());
            let bytes: Option<Vec<u8>> = packed.iter().map(byte).collect();
            brush(&bytes.ok_or("its `rle` holds something else than bytes")?, size)
        }
        _ => Err("it has no area; draw a polygon or use the brush".into()),
    }
}

/// Bits of bytes, the highest first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> std::result::Result<usize, String> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or("its `rle` ends too early")?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }
}

/// The alpha of a packed RGBA picture.
fn brush(bytes: &[u8], (width, height): (usize, usize)) -> std::result::Result<Shape, String> {
    let mut bits = Bits { bytes, at: 0 };
    let count = bits.take(32)?;
    if count != width * height * 4 {
        return Err(format!(
            "its `rle` holds {count} values where {width} x {height} pixels have {}",
            width * height * 4
        ));
    }
    let word = bits.take(5)? + 1;
    let mut sizes = [0; 4];
    for size in &mut sizes {
        *size = bits.take(4)? + 1;
    }
    let mut alpha = vec![0_u8; width * height];
    let mut put = |at: usize, value: usize| {
        if at % 4 == 3 {
            alpha[at / 4] = u8::from(value >= 128);
        }
    };
    let mut at = 0;
    while at < count {
        let repeated = bits.take(1)? == 1;
        let size = sizes[bits.take(2)?];
        let end = at + 1 + bits.take(size)?;
        if end > count {
            return Err("its `rle` has more values than it says".into());
        }
        if repeated {
            let value = bits.take(word)?;
            (at..end).for_each(|at| put(at, value));
        } else {
            for at in at..end {
                put(at, bits.take(word)?);
            }
        }
        at = end;
    }
    if !alpha.contains(&1) {
        return Err("its brush strokes are empty".into());
    }
    Ok(whole(&alpha, width))
}
