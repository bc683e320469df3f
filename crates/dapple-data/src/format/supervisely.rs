//! Supervisely: `meta.json` with the classes, and in each data set's folder `img` with images and `ann` with a JSON an image
//! (`photo.jpg.json`): polygons with holes, rectangles, and bitmaps as zipped PNGs; drawn in their order.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use serde::Deserialize;

use crate::error::{DataError, Result};
use crate::format::bitmaps::{self, Room};
use crate::format::found::{Found, Notes};
use crate::format::geometry::{rectangle, rings};
use crate::format::json;
use crate::format::named::{self, Annotated};
use crate::format::walk::{
    bad_file, entries, has_image_extension, read_text, relative_stem, shown, subfolders,
};
use crate::image::contained::contained;
use crate::image::decode::decode_dynamic;
use crate::mask::raw::RawMask;
use crate::mask::regions::{Shape, size_problem};
use crate::part::Part;

/// The largest unzipped bitmap, in bytes.
const BITMAP_LIMIT: u64 = 64 << 20;

#[derive(Deserialize)]
struct Meta {
    classes: Vec<Class>,
}

#[derive(Deserialize)]
struct Class {
    title: String,
}

#[derive(Deserialize)]
struct Annotation {
    size: Extent,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Extent {
    height: usize,
    width: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    class_title: String,
    geometry_type: String,
    points: Option<Points>,
    bitmap: Option<Bitmap>,
}

#[derive(Deserialize)]
struct Points {
    #[serde(default)]
    exterior: Vec<[f32; 2]>,
    #[serde(default)]
    interior: Vec<Vec<[f32; 2]>>,
}

#[derive(Deserialize)]
struct Bitmap {
    data: String,
    origin: [usize; 2],
}

pub(super) fn probe(root: &Path) -> bool {
    root.join("meta.json").is_file() && folders(root).is_ok_and(|folders| !folders.is_empty())
}

/// The folders that hold `img` and `ann`, with the part that their names tell.
fn folders(root: &Path) -> Result<Vec<(PathBuf, PathBuf, Option<Part>)>> {
    let mut found = Vec::new();
    let mut add = |folder: &Path, part| -> Result<()> {
        let mut inner = subfolders(folder)?;
        if let (Some(images), Some(annotations)) = (inner.remove("img"), inner.remove("ann")) {
            found.push((images, annotations, part));
        }
        Ok(())
    };
    add(root, None)?;
    for (name, folder) in subfolders(root)? {
        add(&folder, Part::in_name(&name))?;
    }
    Ok(found)
}

pub(super) fn find(root: &Path, notes: &mut Notes) -> Result<Found> {
    let meta = root.join("meta.json");
    let classes: Meta = json::parse(&meta, &read_text(&meta)?, "the classes of a Supervisely project")?;
    let order = classes.classes.into_iter().map(|class| class.title).collect();
    let folders = folders(root)?;
    let several = folders.iter().filter(|(.., part)| part.is_none()).count() > 1;
    let mut annotated = Vec::new();
    for (images, annotations, part) in folders {
        for image in entries(&images)?.into_iter().filter(|path| has_image_extension(path)) {
            let Some(stem) = relative_stem(if several { root } else { &images }, &image) else {
                notes.bad(DataError::NameNotUtf8 { path: image })?;
                continue;
            };
            let file_name = image.file_name().unwrap_or_default().to_owned();
            let mut json = annotations.join(&file_name).into_os_string();
            json.push(".json");
            let mut path = PathBuf::from(json);
            if !path.is_file() {
                path = annotations.join(Path::new(&file_name).with_extension("json"));
            }
            if !path.is_file() {
                notes.bad(DataError::MissingMask { image, stem, folder: annotations.clone() })?;
                continue;
            }
            match read_text(&path).and_then(|text| parse(&path, &text)) {
                Ok(((width, height), shapes)) => {
                    let name = stem.replace("/img/", "/");
                    annotated.push(Annotated { path, image, name, part, width, height, shapes });
                }
                Err(error) => notes.bad(error)?,
            }
        }
    }
    named::found(root, annotated, Some(order), notes)
}

type Sized = ((usize, usize), Vec<(String, Shape)>);

fn parse(path: &Path, text: &str) -> Result<Sized> {
    let file: Annotation = json::parse(path, text, "an annotation of Supervisely")?;
    let size = (file.size.width, file.size.height);
    if let Some(problem) = size_problem(size.0, size.1) {
        return Err(bad_file(path, problem));
    }
    let mut room = Room::of(size);
    let mut shapes = Vec::with_capacity(file.objects.len());
    for (number, object) in file.objects.into_iter().enumerate() {
        let title = object.class_title.clone();
        let wrong =
            |problem: String| bad_file(path, format!("object {number} (`{}`): {problem}", shown(&title)));
        let shape = shape_of(path, object, size, &mut room).map_err(wrong)?;
        shapes.push((title, shape));
    }
    Ok((size, shapes))
}

fn shape_of(
    path: &Path,
    object: Object,
    size: (usize, usize),
    room: &mut Room,
) -> std::result::Result<Shape, String> {
    let points = object.points.unwrap_or(Points { exterior: Vec::new(), interior: Vec::new() });
    match &*object.geometry_type {
        "polygon" => rings(points.exterior, points.interior, size),
        "rectangle" => match points.exterior[..] {
            [first, second] => rectangle(first, second, 0.0, size),
            _ => Err("a rectangle has two corners".into()),
        },
        "bitmap" => bitmap(path, &object.bitmap.ok_or("it has no `bitmap`")?, size, room),
        kind @ ("point" | "line" | "graph" | "cuboid") => {
            Err(format!("a {kind} has no area; draw a polygon or a bitmap"))
        }
        kind => Err(format!("the geometry `{}` is not known", shown(kind))),
    }
}

fn bitmap(
    path: &Path,
    bitmap: &Bitmap,
    size: (usize, usize),
    room: &mut Room,
) -> std::result::Result<Shape, String> {
    let zipped = STANDARD.decode(&bitmap.data).map_err(|e| format!("its bitmap is not base64: {e}"))?;
    let mut bytes = Vec::new();
    let mut unzipped = ZlibDecoder::new(&zipped[..]).take(BITMAP_LIMIT);
    unzipped.read_to_end(&mut bytes).map_err(|e| format!("its bitmap cannot be unzipped: {e}"))?;
    let at = bitmap.origin.into();
    bitmaps::check_header(&bytes, path, at, size, room)?;
    let (width, bits) = inside(&bytes, path).map_err(|e| e.to_string())?;
    bitmaps::placed(at, width, &bits, size)
}

/// The width and the pixels of a bitmap, not 0 inside. As Supervisely itself reads it: by the opacity where there is one,
/// whatever the colours beneath; else by the values.
fn inside(bytes: &[u8], path: &Path) -> Result<(usize, Vec<u8>)> {
    let (image, _) = contained(path, || decode_dynamic(bytes, path))?;
    if image.color().has_alpha() {
        let pixels = image.into_luma_alpha16();
        let bits = pixels.pixels().map(|pixel| u8::from(pixel.0[1] != 0)).collect();
        return Ok((pixels.width() as usize, bits));
    }
    let values = RawMask::decode(bytes, path)?.into_values(path)?;
    Ok((values.width, values.values.iter().map(|&value| u8::from(value != 0)).collect()))
}
