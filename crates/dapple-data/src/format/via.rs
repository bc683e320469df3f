//! VGG Image Annotator (VIA 1 and 2): a JSON beside the images with polygons, rectangles, circles and ellipses.
//!
//! The class of a region is the value of its attribute, or `object` where regions have none; several attributes are told
//! apart by their name in the annotations only, and are refused. Dutta and Zisserman, "The VIA annotation software for images,
//! audio and video", ACM Multimedia 2019.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::format::found::{Found, Notes};
use crate::format::geometry::{ellipse, polygon, rectangle};
use crate::format::json::parse;
use crate::format::named::{self, Annotated};
use crate::format::similar::NamedFiles;
use crate::format::walk::{bad_file, files_below, has_extension, missing, name_of_file, read_text, shown};
use crate::image::decode::image_header;
use crate::mask::regions::Shape;
use crate::part::Part;

/// The class of regions without attributes.
const OBJECT: &str = "object";

pub(super) fn probe(root: &Path) -> bool {
    let is_json = |path: &Path| has_extension(path, &["json"]);
    files_below(root, &is_json).is_ok_and(|files| files.iter().take(16).any(|path| looks_like_via(path)))
}

fn looks_like_via(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.len() < 1 << 30)
        && read_text(path)
            .is_ok_and(|text| text.contains("\"shape_attributes\"") && text.contains("\"regions\""))
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut annotated = Vec::new();
    let mut attributes = BTreeSet::new();
    for path in files_below(root, &|path| has_extension(path, &["json"]))? {
        if !looks_like_via(&path) {
            continue;
        }
        let text = read_text(&path)?;
        let file: Value = parse(&path, &text, "a project of VIA")?;
        let images = file.get("_via_img_metadata").unwrap_or(&file).as_object();
        let images = images.ok_or_else(|| bad_file(&path, "not a project or an export of VIA"))?;
        let folder = path.parent().unwrap_or(root).to_owned();
        let part = folder.file_name().and_then(|name| name.to_str()).and_then(Part::in_name);
        let files = NamedFiles::new(root, vec![folder, root.join("images")]);
        for (key, entry) in images {
            let wrong = |problem: String| bad_file(&path, format!("`{}`: {problem}", shown(key)));
            let Some(name) = entry.get("filename").and_then(Value::as_str) else {
                return Err(wrong("it has no `filename`".into()));
            };
            let Some(image) = files.find(name) else {
                notes.bad(missing(&path, name))?;
                continue;
            };
            let Some(header) = notes.kept(image_header(&image))? else { continue };
            let (width, height) = header.size();
            let size = (width as usize, height as usize);
            match shapes(entry, size, &mut attributes).map_err(wrong) {
                Ok(shapes) => annotated.push(Annotated {
                    path: path.clone(),
                    image,
                    name: name_of_file(name),
                    part,
                    width: size.0,
                    height: size.1,
                    shapes,
                }),
                Err(error) => notes.bad(error)?,
            }
        }
    }
    if attributes.len() > 1 {
        let names: Vec<String> = attributes.iter().map(|name| format!("`{}`", shown(name))).collect();
        let problem = format!(
            "regions have several attributes, {}; which of them is the class is not said: export with that one alone",
            names.join(", ")
        );
        return Err(bad_file(root, problem));
    }
    let classes = annotated.iter().flat_map(|image| image.shapes.iter().map(|(class, _)| class));
    let unnamed = classes.filter(|class| *class == OBJECT).count();
    if let (Some(attribute), 1..) = (attributes.first(), unnamed) {
        notes.warn(format!(
            "{unnamed} regions are of the class `{OBJECT}`, as those without the attribute `{}` are",
            shown(attribute)
        ));
    }
    named::found(root, annotated, None, notes)
}

/// Class and pixels of an image's regions.
fn shapes(
    entry: &Value,
    size: (usize, usize),
    attributes: &mut BTreeSet<String>,
) -> std::result::Result<Vec<(String, Shape)>, String> {
    let regions: Vec<&Value> = match entry.get("regions") {
        Some(Value::Array(list)) => list.iter().collect(),
        // VIA 1 numbers them.
        Some(Value::Object(numbered)) => numbered.values().collect(),
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err("its `regions` are neither a list nor numbered".into()),
    };
    let mut shapes = Vec::with_capacity(regions.len());
    for (number, region) in regions.into_iter().enumerate() {
        let wrong = |problem: String| format!("region {number}: {problem}");
        let shape = region.get("shape_attributes").and_then(Value::as_object);
        let shape = shape.ok_or_else(|| wrong("it has no `shape_attributes`".into()))?;
        let class = class_of(region, attributes).map_err(wrong)?;
        shapes.push((class, shape_of(shape, size).map_err(wrong)?));
    }
    Ok(shapes)
}

fn class_of(region: &Value, attributes: &mut BTreeSet<String>) -> std::result::Result<String, String> {
    let given = region.get("region_attributes").and_then(Value::as_object);
    let given: Vec<_> = given.into_iter().flatten().collect();
    attributes.extend(given.iter().map(|(name, _)| (*name).clone()));
    match given[..] {
        [] => Ok(OBJECT.to_owned()),
        [(_, Value::String(class))] if !class.is_empty() => Ok(class.clone()),
        [(_, Value::Number(class))] => Ok(class.to_string()),
        // A box to tick for each class.
        [(_, Value::Object(ticked))] => {
            let ticked: Vec<_> = ticked.iter().filter(|(_, value)| **value != Value::Bool(false)).collect();
            match ticked[..] {
                [(class, _)] => Ok(class.clone()),
                _ => Err(format!("{} classes are ticked; tick one", ticked.len())),
            }
        }
        [(name, _)] => Err(format!("its attribute `{}` is empty; give it a class", shown(name))),
        _ => Ok(OBJECT.to_owned()),
    }
}

fn shape_of(shape: &Map<String, Value>, size: (usize, usize)) -> std::result::Result<Shape, String> {
    let number = |key: &str| {
        let value = shape.get(key).and_then(Value::as_f64);
        value.map(|value| value as f32).ok_or_else(|| format!("it has no number `{key}`"))
    };
    let numbers = |key: &str| {
        let list = shape.get(key).and_then(Value::as_array).ok_or_else(|| format!("it has no `{key}`"))?;
        let all: Option<Vec<f32>> =
            list.iter().map(|value| value.as_f64().map(|value| value as f32)).collect();
        all.ok_or_else(|| format!("`{key}` holds something else than numbers"))
    };
    match shape.get("name").and_then(Value::as_str).unwrap_or_default() {
        "polygon" => {
            let (xs, ys) = (numbers("all_points_x")?, numbers("all_points_y")?);
            if xs.len() != ys.len() {
                return Err(format!("{} x and {} y coordinates", xs.len(), ys.len()));
            }
            polygon(xs.into_iter().zip(ys).map(|(x, y)| [x, y]).collect(), size)
        }
        "rect" => {
            let [x, y, width, height] = [number("x")?, number("y")?, number("width")?, number("height")?];
            rectangle([x, y], [x + width, y + height], 0.0, size)
        }
        "circle" => ellipse([number("cx")?, number("cy")?], [number("r")?; 2], 0.0, size),
        "ellipse" => {
            let angle = number("theta").unwrap_or(0.0).to_degrees();
            ellipse([number("cx")?, number("cy")?], [number("rx")?, number("ry")?], angle, size)
        }
        kind @ ("point" | "polyline" | "line") => Err(format!("a {kind} has no area; draw a polygon")),
        kind => Err(format!("a shape `{}` is not known", shown(kind))),
    }
}
