//! Outlines as GeoJSON (RFC 7946): one feature a connected region, holes included.
//!
//! Coordinates are pixels, x to the right and y down from the image's upper left corner; of a georeferenced TIFF they are
//! those of its coordinate system, which a `crs` member names as GeoJSON did before RFC 7946 and GIS programs still read.

use std::sync::Arc;

use dapple_report::Palette;
use serde_json::{Value, json};

use super::image_info::ImageInfo;
use super::outlined::{check_memory, write_document};
use super::settings::OutputSettings;
use super::sink::Output;
use super::target::Target;
use crate::decision::UNDECIDED;
use crate::error::PredictError;
use crate::outline::{Outlines, Ring};
use crate::row::ImageRow;

/// Collects the outlines.
pub(super) struct Contours {
    image: ImageInfo,
    classes: Arc<Palette>,
    min_area: u64,
    memory_bytes: u64,
    outlines: Outlines,
    target: Target,
}

impl Contours {
    pub fn new(image: &ImageInfo, classes: &Arc<Palette>, settings: &OutputSettings, target: Target) -> Self {
        Self {
            image: image.clone(),
            classes: Arc::clone(classes),
            min_area: settings.min_area,
            memory_bytes: settings.memory_bytes,
            outlines: Outlines::new(0),
            target,
        }
    }
}

impl Output for Contours {
    fn row(&mut self, row: &ImageRow<'_>) -> Result<(), PredictError> {
        self.outlines.row(&row.labels_with_data());
        check_memory(&self.outlines, self.memory_bytes)
    }

    fn finish(self: Box<Self>) -> Result<(), PredictError> {
        let Self { image, classes, min_area, outlines, mut target, .. } = *self;
        let polygons = outlines.finish();
        let kept = polygons.into_iter().filter(|p| p.area >= min_area && p.label != UNDECIDED);
        let features = kept.map(|polygon| {
            let outer = std::iter::once(positions(&polygon.outer, &image, true));
            let rings: Vec<Value> =
                outer.chain(polygon.holes.iter().map(|ring| positions(ring, &image, false))).collect();
            json!({
                "type": "Feature",
                "properties": {
                    "class": classes.names()[usize::from(polygon.label)],
                    "label": polygon.label,
                    "pixels": polygon.area,
                },
                "geometry": { "type": "Polygon", "coordinates": rings },
            })
        });
        let mut document = json!({ "type": "FeatureCollection" });
        if let Some(epsg) = image.geo.as_ref().and_then(|geo| geo.epsg) {
            let name = format!("urn:ogc:def:crs:EPSG::{epsg}");
            document["crs"] = json!({ "type": "name", "properties": { "name": name } });
        }
        write_document(&document, "features", features, &mut target)
            .map_err(|e| PredictError::write("GeoJSON", e))
    }
}

/// A closed line: counterclockwise for outer ones, clockwise for holes, by the axes of the coordinates.
fn positions(ring: &Ring, image: &ImageInfo, outer: bool) -> Value {
    let mut points: Vec<[f64; 2]> = ring
        .iter()
        .map(|&(x, y)| {
            let (x, y) = (f64::from(x), f64::from(y));
            image.geo.as_ref().map_or([x, y], |geo| geo.ground(x, y))
        })
        .collect();
    // Relative to the first point, for ground coordinates are large.
    let [x0, y0] = points[0];
    let next = points.iter().cycle().skip(1);
    let twice: f64 =
        points.iter().zip(next).map(|(a, b)| (a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0)).sum();
    if (twice > 0.0) != outer {
        points.reverse();
    }
    points.push(points[0]);
    let whole = image.geo.is_none();
    points.into_iter().map(|[x, y]| if whole { json!([x as u64, y as u64]) } else { json!([x, y]) }).collect()
}
