//! Labelme: beside each image a JSON of the same name with labelled polygons, rectangles, circles and bitmaps, drawn in
//! their order.
//!
//! Russell et al., "LabelMe: a database and web-based tool for image annotation", IJCV 2008.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::bitmaps::{self, Room};
use crate::format::encodings;
use crate::format::found::{Found, Notes};
use crate::format::geometry;
use crate::format::json;
use crate::format::named::{self, Annotated};
use crate::format::walk::{
    EXTENSIONS, bad_file, files_below, has_extension, inside, missing, read_bytes, relative_stem, shown,
};
use crate::mask::raw::RawMask;
use crate::mask::regions::{Regions, Shape, size_problem};
use crate::part::Part;

#[derive(Deserialize)]
struct File {
    shapes: Vec<FileShape>,
    #[serde(rename = "imagePath")]
    image_path: String,
    #[serde(rename = "imageHeight")]
    height: usize,
    #[serde(rename = "imageWidth")]
    width: usize,
}

#[derive(Deserialize)]
struct FileShape {
    label: String,
    points: Vec<[f32; 2]>,
    #[serde(default = "polygon")]
    shape_type: String,
    #[serde(default)]
    mask: Option<String>,
}

fn polygon() -> String {
    "polygon".into()
}

/// The content of one JSON file.
#[derive(Debug)]
pub(crate) struct Shapes {
    /// Where the image is, relative to the JSON.
    pub image: String,
    pub width: usize,
    pub height: usize,
    /// Label and pixels in the order of drawing.
    pub shapes: Vec<(String, Shape)>,
}

pub(super) fn probe(root: &Path) -> bool {
    // One file is enough to see: folders of this format hold little else.
    let is_json = |path: &Path| has_extension(path, &["json"]);
    files_below(root, &is_json).is_ok_and(|files| files.first().is_some_and(|path| looks_like_labelme(path)))
}

fn looks_like_labelme(path: &Path) -> bool {
    let bytes = if path.metadata().is_ok_and(|data| data.len() < 64 << 20) {
        read_bytes(path)
    } else {
        return false;
    };
    let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    text.is_ok_and(|text| text.contains("\"shapes\"") && text.contains("\"imagePath\""))
}

/// The contents of the files. Those that are no UTF-8, as Labelme writes them on systems of other encodings, are read in the
/// one encoding that suits them all, by which most name the image that is there; it is said.
fn contents(root: &Path, notes: &mut Notes) -> Result<Vec<(PathBuf, Shapes)>> {
    let mut files: Vec<(PathBuf, Shapes)> = Vec::new();
    let mut others = Vec::new();
    for path in files_below(root, &|path| has_extension(path, &["json"]))? {
        match read_bytes(&path).map(String::from_utf8) {
            // The texts are not kept, as most hold the whole image.
            Ok(Ok(text)) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                files.extend(notes.kept(parse(&path, text))?.map(|file| (path, file)));
            }
            Ok(Err(error)) => others.push((path, error.into_bytes())),
            Err(error) => notes.bad(error)?,
        }
    }
    let Some((first, _)) = others.first() else { return Ok(files) };
    let names_its_image = |i: usize, text: &str| {
        let file: Option<File> = serde_json::from_str(text).ok();
        let folder = others[i].0.parent();
        let image = file.and_then(|file| inside(root, folder?, &file.image_path));
        image.is_some_and(|image| image.is_file())
    };
    let (name, decoded) = encodings::decode(others.iter().map(|(_, bytes)| &bytes[..]), names_its_image)
        .ok_or_else(|| bad_file(first, "it is text in no known encoding; save it as UTF-8"))?;
    notes.warn(format!(
        "{} Labelme files, such as {}, are not UTF-8 and read as {name}; save them as UTF-8 if names of classes come out wrong",
        others.len(),
        first.display()
    ));
    for ((path, _), text) in others.into_iter().zip(decoded) {
        files.extend(notes.kept(parse(&path, &text))?.map(|file| (path, file)));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut annotated = Vec::new();
    for (path, file) in contents(root, notes)? {
        let Some(image) = image_of(root, &path, &file.image) else {
            notes.bad(missing(&path, &file.image))?;
            continue;
        };
        let Some(stem) = relative_stem(root, &path) else {
            notes.bad(DataError::NameNotUtf8 { path })?;
            continue;
        };
        let (part, name) = Part::split(&stem);
        let name = name.to_owned();
        let Shapes { width, height, shapes, .. } = file;
        annotated.push(Annotated { path, image, name, part, width, height, shapes });
    }
    named::found(root, annotated, None, notes)
}

/// The image that a JSON names, or the one beside it with its stem: the path was true where the JSON was written.
fn image_of(root: &Path, json: &Path, named: &str) -> Option<PathBuf> {
    let folder = json.parent()?;
    let beside = || {
        let extensions = EXTENSIONS;
        extensions
            .iter()
            .flat_map(|e| [e.to_string(), e.to_uppercase()])
            .map(|e| json.with_extension(e))
            .find(|p| p.is_file())
    };
    inside(root, folder, named).filter(|path| path.is_file()).or_else(beside)
}

/// Parses one JSON.
///
/// # Errors
/// [`DataError::BadFile`] that says which shape is wrong.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Shapes> {
    let file: File = json::parse(path, text, "a Labelme JSON")?;
    let size = (file.width, file.height);
    if let Some(problem) = size_problem(size.0, size.1) {
        return Err(bad_file(path, problem));
    }
    let mut room = Room::of(size);
    let mut shapes = Vec::with_capacity(file.shapes.len());
    for (number, shape) in file.shapes.into_iter().enumerate() {
        let wrong = |problem: String| {
            bad_file(path, format!("shape {number} (`{}`): {problem}", shown(&shape.label)))
        };
        shapes.push((shape.label.clone(), shape_of(path, &shape, size, &mut room).map_err(wrong)?));
    }
    let regions = shapes.into_iter();
    let (names, shapes): (Vec<String>, Vec<(u8, Shape)>) =
        regions.map(|(name, shape)| (name, (0, shape))).unzip();
    let regions = Regions { width: file.width, height: file.height, background: 0, regions: shapes };
    if let Some(problem) = regions.problem() {
        return Err(bad_file(path, problem));
    }
    let shapes = names.into_iter().zip(regions.regions.into_iter().map(|(_, shape)| shape)).collect();
    Ok(Shapes { image: file.image_path, width: file.width, height: file.height, shapes })
}

fn shape_of(
    path: &Path,
    shape: &FileShape,
    size: (usize, usize),
    room: &mut Room,
) -> std::result::Result<Shape, String> {
    match (&*shape.shape_type, &shape.points[..]) {
        ("polygon", points @ [_, _, _, ..]) => geometry::polygon(points.to_vec(), size),
        ("rectangle", &[first, second]) => geometry::rectangle(first, second, 0.0, size),
        ("circle", &[[x0, y0], [x1, y1]]) => {
            let radius = ((x1 - x0).powi(2) + (y1 - y0).powi(2)).sqrt();
            // The square around it is checked for all that could be wrong with it.
            geometry::rectangle([x0 - radius, y0 - radius], [x0 + radius, y0 + radius], 0.0, size)?;
            Ok(Shape::Disc { centre: [x0, y0], radius })
        }
        ("mask", &[[x0, y0], ..]) => {
            let text = shape.mask.as_deref().ok_or("it has no `mask`")?;
            let bytes = STANDARD.decode(text).map_err(|e| format!("its mask is not base64: {e}"))?;
            let whole = |v: f32| if v >= 0.0 { Ok(v as usize) } else { Err(format!("it begins at {v}")) };
            let at = (whole(x0)?, whole(y0)?);
            bitmaps::check_header(&bytes, path, at, size, room)?;
            let values = RawMask::decode(&bytes, path).and_then(|mask| mask.into_values(path));
            let values = values.map_err(|e| e.to_string())?;
            let bits: Vec<u8> = values.values.iter().map(|&v| u8::from(v != 0)).collect();
            bitmaps::placed(at, values.width, &bits, size)
        }
        ("point" | "line" | "linestrip" | "points", _) => {
            Err(format!("a {} has no area; draw a polygon", shape.shape_type))
        }
        (kind, points) => Err(format!("a {} of {} points is not known", shown(kind), points.len())),
    }
}
