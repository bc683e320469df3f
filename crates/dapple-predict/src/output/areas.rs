//! How much of an image each class covers, and the connected regions, as CSV.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use dapple_report::Palette;

use super::{ImageInfo, Output, Target};
use crate::components::Components;
use crate::decision::UNDECIDED;
use crate::{PredictError, Row};

/// The first line. A row without a region is about a class in the whole image; `share` is of the image's pixels; a box
/// is its left upper corner and its size in pixels.
pub const AREAS_HEADER: &str = "image,class,label,region,pixels,share,x,y,width,height\n";

/// Counts pixels and finds regions row by row.
pub(super) struct Areas {
    image: ImageInfo,
    classes: Arc<Palette>,
    min_area: u64,
    counts: [u64; 256],
    components: Components,
    target: Target,
}

impl Areas {
    pub fn new(image: &ImageInfo, classes: &Arc<Palette>, min_area: u64, target: Target) -> Self {
        let (image, classes) = (image.clone(), Arc::clone(classes));
        Self { image, classes, min_area, counts: [0; 256], components: Components::new(0), target }
    }
}

impl Output for Areas {
    fn row(&mut self, row: &Row<'_>) -> Result<(), PredictError> {
        row.values.labels.iter().for_each(|&label| self.counts[usize::from(label)] += 1);
        self.components.row(&row.values.labels);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        let Self { image, classes, min_area, counts, components, mut target } = *self;
        let total = (image.width * image.height) as f64;
        let name = field(&image.name);
        let mut text = AREAS_HEADER.to_owned();
        let mut line = |label: usize, region: String, pixels: u64, place: [String; 4]| {
            let class = classes.names().get(label).map_or("undecided".into(), |name| field(name));
            let share = pixels as f64 / total;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name},{class},{label},{region},{pixels},{share:.6},{}", place.join(","));
        };
        let undecided = usize::from(UNDECIDED);
        let counted = (0..classes.count()).chain((counts[undecided] > 0).then_some(undecided));
        for label in counted {
            line(label, String::new(), counts[label], Default::default());
        }
        let regions = components.finish().into_iter().filter(|r| r.area >= min_area && r.label != UNDECIDED);
        for (number, region) in (1..).zip(regions) {
            let (columns, rows) = (region.columns, region.rows);
            let place = [columns.start, rows.start, columns.len(), rows.len()].map(|v| v.to_string());
            line(usize::from(region.label), number.to_string(), region.area, place);
        }
        target.write_all(text.as_bytes()).map_err(|e| PredictError::write("areas", e))
    }
}

/// The tables of several images as one.
pub fn merge_areas<'a>(tables: impl IntoIterator<Item = &'a str>) -> String {
    let rows = tables.into_iter().map(|table| table.strip_prefix(AREAS_HEADER).unwrap_or(table));
    std::iter::once(AREAS_HEADER).chain(rows).collect()
}

/// A field of a CSV line (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}
