//! CVAT for images 1.1: `annotations.xml` with polygons, boxes, ellipses and masks by image, drawn in the order of their
//! layers (`z_order`).
//!
//! Label 0 is the background, unless a label has that name; the others follow the list in the file.

use std::path::Path;

use roxmltree::{Document, Node};

use crate::error::Result;
use crate::format::bitmaps::{Room, check_place, placed};
use crate::format::found::{Found, Notes};
use crate::format::geometry::{ellipse, polygon, rectangle, turned};
use crate::format::named::{self, Annotated};
use crate::format::similar::NamedFiles;
use crate::format::walk::{bad_file, entries, has_extension, missing, name_of_file, read_text, shown};
use crate::mask::regions::{SIDE_LIMIT, Shape, size_problem};
use crate::part::Part;

/// Elements of an image that are not shapes.
const OTHERS: [&str; 2] = ["tag", "attribute"];

pub(super) fn probe(root: &Path) -> bool {
    entries(root).is_ok_and(|paths| paths.iter().any(|path| looks_like_cvat(path)))
}

fn looks_like_cvat(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    has_extension(path, &["xml"])
        && path.is_file()
        && dapple_base::open_regular(path).and_then(|file| file.take(1 << 14).read_to_end(&mut start)).is_ok()
        && String::from_utf8_lossy(&start).contains("<annotations")
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let mut annotated = Vec::new();
    let mut order: Vec<String> = Vec::new();
    let files = NamedFiles::new(root, vec![root.join("images"), root.to_owned()]);
    for path in entries(root)?.into_iter().filter(|path| looks_like_cvat(path)) {
        let text = read_text(&path)?;
        let file = Document::parse(&text).map_err(|e| bad_file(&path, format!("not XML: {e}")))?;
        let root_element = file.root_element();
        let listed = root_element.descendants().filter(|node| node.has_tag_name("label"));
        let names =
            listed.filter_map(|label| label.children().find(|node| node.has_tag_name("name"))?.text());
        for name in names {
            if !order.iter().any(|known| known == name) {
                order.push(name.to_owned());
            }
        }
        if root_element.children().any(|node| node.has_tag_name("track")) {
            let problem = "it has tracks of a video; export it as `CVAT for images` instead";
            return Err(bad_file(&path, problem));
        }
        for image in root_element.children().filter(|node| node.has_tag_name("image")) {
            let file_name = image.attribute("name").unwrap_or_default();
            let Some(found) = files.find(file_name) else {
                notes.bad(missing(&path, file_name))?;
                continue;
            };
            let wrong = |problem: String| bad_file(&path, format!("`{}`: {problem}", shown(file_name)));
            let side = |key: &str| {
                let side = image.attribute(key).and_then(|text| text.parse::<usize>().ok());
                side.ok_or_else(|| wrong(format!("it has no {key}")))
            };
            let size = (side("width")?, side("height")?);
            if let Some(problem) = size_problem(size.0, size.1) {
                notes.bad(wrong(problem))?;
                continue;
            }
            let part = image.attribute("subset").and_then(Part::in_name);
            match shapes(image, size).map_err(wrong) {
                Ok(shapes) => annotated.push(Annotated {
                    path: path.clone(),
                    image: found,
                    name: name_of_file(file_name),
                    part,
                    width: size.0,
                    height: size.1,
                    shapes,
                }),
                Err(error) => notes.bad(error)?,
            }
        }
    }
    if annotated.is_empty() {
        return Err(bad_file(root, "no XML of `CVAT for images` with an image that is here"));
    }
    named::found(root, annotated, (!order.is_empty()).then_some(order), notes)
}

/// Label and pixels of an image's shapes, the lowest layer first.
fn shapes(image: Node<'_, '_>, size: (usize, usize)) -> std::result::Result<Vec<(String, Shape)>, String> {
    let (mut shapes, mut room) = (Vec::new(), Room::of(size));
    let elements = image.children().filter(|node| node.is_element());
    for (number, element) in elements.enumerate() {
        let kind = element.tag_name().name();
        if OTHERS.contains(&kind) {
            continue;
        }
        let wrong = |problem: String| format!("shape {number} ({}): {problem}", shown(kind));
        let label = element.attribute("label").ok_or_else(|| wrong("it has no label".into()))?;
        let layer: i64 = element.attribute("z_order").and_then(|text| text.parse().ok()).unwrap_or(0);
        shapes.push((layer, label.to_owned(), shape_of(element, size, &mut room).map_err(wrong)?));
    }
    // Stable: within a layer, the order of the file.
    shapes.sort_by_key(|(layer, ..)| *layer);
    Ok(shapes.into_iter().map(|(_, label, shape)| (label, shape)).collect())
}

fn shape_of(
    element: Node<'_, '_>,
    size: (usize, usize),
    room: &mut Room,
) -> std::result::Result<Shape, String> {
    let number = |key: &str| {
        let value = element.attribute(key).and_then(|text| text.parse::<f32>().ok());
        value.ok_or_else(|| format!("it has no number `{key}`"))
    };
    let angle = number("rotation").unwrap_or(0.0);
    match element.tag_name().name() {
        "polygon" => {
            let text = element.attribute("points").unwrap_or_default();
            let corner = |pair: &str| {
                let (x, y) = pair.split_once(',')?;
                Some([x.trim().parse().ok()?, y.trim().parse().ok()?])
            };
            let corners: Option<Vec<[f32; 2]>> = text.split(';').map(corner).collect();
            polygon(corners.ok_or("its `points` are not pairs of numbers")?, size)
        }
        "box" => {
            let (first, second) = ([number("xtl")?, number("ytl")?], [number("xbr")?, number("ybr")?]);
            if angle == 0.0 {
                return rectangle(first, second, 0.0, size);
            }
            // CVAT turns boxes about their centre.
            let centre = [(first[0] + second[0]) / 2.0, (first[1] + second[1]) / 2.0];
            let corners = [first, [second[0], first[1]], second, [first[0], second[1]]];
            polygon(corners.map(|corner| turned(corner, centre, angle)).to_vec(), size)
        }
        "ellipse" => ellipse([number("cx")?, number("cy")?], [number("rx")?, number("ry")?], angle, size),
        "mask" => mask(element, size, room),
        kind @ ("polyline" | "points" | "cuboid" | "skeleton") => {
            Err(format!("a {kind} has no area; draw a polygon or a mask"))
        }
        _ => Err("it is not known".into()),
    }
}

/// Runs outside and inside in turns along the rows of a box.
fn mask(element: Node<'_, '_>, size: (usize, usize), room: &mut Room) -> std::result::Result<Shape, String> {
    let whole = |key: &str| {
        let value = element.attribute(key).and_then(|text| text.parse::<usize>().ok());
        value.filter(|&value| value <= SIDE_LIMIT).ok_or_else(|| format!("it has no number `{key}`"))
    };
    let [left, top, width, height] = [whole("left")?, whole("top")?, whole("width")?, whole("height")?];
    // Before memory is taken for it.
    check_place((left, top), (width, height), size)?;
    room.take((width, height))?;
    let mut bits = Vec::new();
    for (index, run) in element.attribute("rle").unwrap_or_default().split(',').enumerate() {
        let run: usize = run.trim().parse().map_err(|_| format!("`{}` is not a run length", shown(run)))?;
        if run > width * height - bits.len() {
            return Err(format!("its run lengths leave the box of {width} x {height}"));
        }
        bits.resize(bits.len() + run, u8::from(index % 2 == 1));
    }
    if bits.len() != width * height || !bits.contains(&1) {
        return Err(format!("its run lengths do not fill the box of {width} x {height}"));
    }
    placed((left, top), width, &bits, size)
}
