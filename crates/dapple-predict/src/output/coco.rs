//! Connected regions as COCO annotations (Lin et al. 2014; the format of cocodataset.org).
//!
//! Categories are all classes but the first, their ids are the labels. An annotation is one connected region.

use std::sync::Arc;

use dapple_report::Palette;
use serde_json::{Value, json};

use super::image_info::ImageInfo;
use super::outlined::{check_memory, write_document};
use super::settings::{CocoForm, OutputSettings};
use super::sink::Output;
use super::target::Target;
use crate::decision::UNDECIDED;
use crate::error::PredictError;
use crate::outline::{Outlines, Polygon};
use crate::row::ImageRow;

/// Collects the outlines.
pub(super) struct Coco {
    image: ImageInfo,
    classes: Arc<Palette>,
    form: CocoForm,
    min_area: u64,
    memory_bytes: u64,
    outlines: Outlines,
    target: Target,
}

impl Coco {
    pub fn new(image: &ImageInfo, classes: &Arc<Palette>, settings: &OutputSettings, target: Target) -> Self {
        Self {
            image: image.clone(),
            classes: Arc::clone(classes),
            form: settings.coco,
            min_area: settings.min_area,
            memory_bytes: settings.memory_bytes,
            outlines: Outlines::new(0),
            target,
        }
    }
}

impl Output for Coco {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.outlines.row(&row.labels_with_data());
        check_memory(&self.outlines, self.memory_bytes)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        let Self { image, classes, form, min_area, outlines, mut target, .. } = *self;
        let polygons = outlines.finish();
        let kept = polygons.into_iter().filter(|p| p.area >= min_area && p.label != UNDECIDED);
        let size = (image.width, image.height);
        let annotations = (1_u64..).zip(kept).map(|(id, polygon)| {
            let mut annotation = coco_annotation(&polygon, size, form);
            (annotation["id"], annotation["image_id"]) = (Value::from(id), 1.into());
            annotation
        });
        let named = classes.names().iter().enumerate().skip(1);
        let categories: Value = named.map(|(id, name)| json!({ "id": id, "name": name })).collect();
        let document = json!({
            "images": [{ "id": 1, "file_name": image.name, "width": image.width, "height": image.height }],
            "categories": categories,
        });
        write_document(&document, "annotations", annotations, &mut target)
            .map_err(|e| PredictError::write("COCO annotations", e))
    }
}

/// The annotation of a region of an image of `(width, height)` pixels, with the ids 0 for itself and for the image, and its label
/// for the category.
pub fn coco_annotation(polygon: &Polygon, (width, height): (usize, usize), form: CocoForm) -> Value {
    let segmentation = match form {
        CocoForm::Polygons => json!([flat(polygon)]),
        CocoForm::Runs => json!({
            "size": [height, width],
            "counts": compressed(&runs(polygon, width, height)),
        }),
    };
    json!({
        "id": 0,
        "image_id": 0,
        "category_id": polygon.label,
        "bbox": bounds(polygon),
        "area": polygon.area,
        "iscrowd": 0,
        "segmentation": segmentation,
    })
}

/// Left, top, width and height.
fn bounds(polygon: &Polygon) -> [u32; 4] {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for &(x, y) in &polygon.outer {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
    }
    [left, top, right - left, bottom - top]
}

fn flat(polygon: &Polygon) -> Vec<u32> {
    polygon.outer.iter().flat_map(|&(x, y)| [x, y]).collect()
}

/// Lengths of runs outside and inside in turns, column by column over the whole image.
fn runs(polygon: &Polygon, width: usize, height: usize) -> Vec<u64> {
    // Where a horizontal edge of an outline crosses a column, inside and outside change. Edges of one column come in
    // pairs, so that sorting them by row gives the runs.
    let [left, _, across, _] = bounds(polygon);
    let mut crossings: Vec<Vec<u32>> = vec![Vec::new(); across as usize];
    for ring in std::iter::once(&polygon.outer).chain(&polygon.holes) {
        let next = ring.iter().cycle().skip(1);
        for (a, b) in ring.iter().zip(next).filter(|(a, b)| a.1 == b.1) {
            (a.0.min(b.0)..a.0.max(b.0)).for_each(|x| crossings[(x - left) as usize].push(a.1));
        }
    }
    let mut counts = Vec::new();
    let mut changed_at = 0;
    for (column, mut rows) in crossings.into_iter().enumerate() {
        rows.sort_unstable();
        for row in rows {
            let at = (left as usize + column) as u64 * height as u64 + u64::from(row);
            counts.push(at - changed_at);
            changed_at = at;
        }
    }
    let end = (width * height) as u64;
    if changed_at < end {
        counts.push(end - changed_at);
    }
    merged(counts)
}

/// Joins runs that an empty run stands between, as at the end of a column that continues in the next one.
fn merged(counts: Vec<u64>) -> Vec<u64> {
    let mut joined: Vec<u64> = Vec::with_capacity(counts.len());
    let mut counts = counts.into_iter();
    joined.extend(counts.next());
    while let Some(count) = counts.next() {
        match (count, joined.last_mut()) {
            (0, Some(last)) => *last += counts.next().unwrap_or(0),
            _ => joined.push(count),
        }
    }
    joined
}

/// COCO's compression: five bits a character from 48 on, lowest first, the sixth marks that more follow; from the fourth
/// run on, the difference to the run before the last.
fn compressed(counts: &[u64]) -> String {
    let mut text = String::new();
    for (i, &count) in counts.iter().enumerate() {
        let mut value = count as i64 - if i > 2 { counts[i - 2] as i64 } else { 0 };
        loop {
            let bits = (value & 0x1f) as u8;
            value >>= 5;
            let more = if bits & 0x10 != 0 { value != -1 } else { value != 0 };
            text.push(char::from(48 + (bits | if more { 0x20 } else { 0 })));
            if !more {
                break;
            }
        }
    }
    text
}

/// The annotations of several images as one document, with ids from 1 on.
pub fn merge_coco(documents: impl IntoIterator<Item = Value>) -> Value {
    let (mut images, mut annotations, mut categories) = (Vec::new(), Vec::new(), Value::Array(Vec::new()));
    for mut document in documents {
        let list = |value: &mut Value| value.as_array_mut().map(std::mem::take).unwrap_or_default();
        let image_id = images.len() + 1;
        for mut image in list(&mut document["images"]) {
            image["id"] = image_id.into();
            images.push(image);
        }
        for mut annotation in list(&mut document["annotations"]) {
            annotation["id"] = (annotations.len() + 1).into();
            annotation["image_id"] = image_id.into();
            annotations.push(annotation);
        }
        categories = document["categories"].take();
    }
    json!({ "images": images, "annotations": annotations, "categories": categories })
}

/// One document for each image of a document of several, in their order; `None` for one that [`merge_coco`] did not make.
pub(crate) fn split_coco(mut document: Value) -> Option<Vec<Value>> {
    let images = std::mem::take(document.get_mut("images")?.as_array_mut()?);
    let annotations = std::mem::take(document.get_mut("annotations")?.as_array_mut()?);
    let mut of_image: Vec<Vec<Value>> = vec![Vec::new(); images.len()];
    for annotation in annotations {
        let id = usize::try_from(annotation["image_id"].as_u64()?).ok()?;
        of_image.get_mut(id.checked_sub(1)?)?.push(annotation);
    }
    let categories = &document["categories"];
    let documents = images.into_iter().zip(of_image).map(|(image, annotations)| {
        json!({ "images": [image], "annotations": annotations, "categories": categories })
    });
    Some(documents.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygons(labels: &[u8], width: usize) -> Vec<Polygon> {
        let mut outlines = Outlines::new(0);
        labels.chunks_exact(width).for_each(|row| outlines.row(row));
        outlines.finish()
    }

    #[test]
    fn runs_of_a_ring_of_pixels() {
        // Columns of a 3 x 4 map: a ring in the rows 1 to 3.
        let labels = [0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1];
        let polygons = polygons(&labels, 3);
        assert_eq!(runs(&polygons[0], 3, 4), [1, 3, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn a_column_that_goes_on_is_one_run() {
        let polygons = polygons(&[1, 1, 1, 1], 2);
        assert_eq!(runs(&polygons[0], 2, 2), [0, 4]);
    }

    #[test]
    fn the_compression_is_that_of_pycocotools() {
        // By pycocotools 2.0.11: `mask.frPyObjects({"size": [h, w], "counts": counts}, h, w)["counts"]`.
        assert_eq!(compressed(&[1, 3, 1, 1, 1, 1, 1, 3]), "131N0002");
        assert_eq!(compressed(&[0, 100_000]), "0PeQ3");
        assert_eq!(compressed(&[5, 1000, 70_000, 3, 1, 20_000, 8991]), "5Xo0`[T2kPOadkMm`c0nh8");
    }
}
