//! The polygons of a COCO annotation: those that can be drawn, or why there is none.

use crate::format::geometry::{ON_A_LINE, are_collinear, check_corners};
use crate::mask::regions::Shape;

/// The polygons of one annotation as shapes.
///
/// # Errors
/// The fault of the annotation, in words: nothing of it would be drawn, or not where it is meant.
pub(super) fn shapes(
    polygons: Vec<Vec<f64>>,
    size: (usize, usize),
) -> std::result::Result<Vec<Shape>, String> {
    if polygons.is_empty() {
        return Err("its segmentation is empty".into());
    }
    let (mut shapes, mut all) = (Vec::new(), Vec::new());
    for coordinates in polygons {
        let (points, rest) = coordinates.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a polygon has an odd number of coordinates".into());
        }
        if points.len() > 2 {
            shapes.push(Shape::Polygon(points.iter().map(|p| p.map(|c| c as f32)).collect()));
            all.extend_from_slice(points);
        }
    }
    if shapes.is_empty() {
        return Err("its polygons have fewer than three corners".into());
    }
    check_corners(&all, size)?;
    let extent = |axis: usize| {
        let of_axis = || all.iter().map(move |point| point[axis]);
        of_axis().fold(f64::NEG_INFINITY, f64::max) - of_axis().fold(f64::INFINITY, f64::min)
    };
    let on_a_line = |shape: &Shape| matches!(shape, Shape::Polygon(points) if are_collinear(points));
    if extent(0).max(extent(1)) >= 2.0 && shapes.iter().all(on_a_line) {
        return Err(ON_A_LINE.into());
    }
    Ok(shapes)
}
