//! The polygons of a COCO annotation: those that can be drawn, or why there is none.

use crate::mask::regions::Shape;

/// Larger than a coordinate on any image.
const LARGEST: f64 = 1e6;

/// Pictures of at most so many pixels a side may have annotations of a single pixel.
const SMALL: usize = 32;

/// The polygons of one annotation as shapes.
///
/// # Errors
/// The fault of the annotation, in words: nothing of it would be drawn, or not where it is meant.
pub(super) fn shapes(
    polygons: Vec<Vec<f64>>,
    (width, height): (usize, usize),
) -> std::result::Result<Vec<Shape>, String> {
    if polygons.is_empty() {
        return Err("its segmentation is empty".into());
    }
    let (mut shapes, mut all) = (Vec::new(), Vec::new());
    for coordinates in polygons {
        if let Some(wrong) = coordinates.iter().find(|c| !c.is_finite() || c.abs() > LARGEST) {
            return Err(format!("the coordinate {wrong:e} is on no image"));
        }
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
    let range = |axis: usize| {
        let of_axis = || all.iter().map(move |point| point[axis]);
        (of_axis().fold(f64::INFINITY, f64::min), of_axis().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((left, right), (top, bottom)) = (range(0), range(1));
    // Whole numbers in the corner of a small picture may be a pixel.
    let whole = width.min(height) <= SMALL && all.iter().flatten().all(|c| c.fract() == 0.0);
    if left >= 0.0 && top >= 0.0 && right <= 1.0 && bottom <= 1.0 && width.min(height) > 2 && !whole {
        return Err(
            "its coordinates lie between 0 and 1, as shares of the width and the height; give pixels".into(),
        );
    }
    if right <= 0.0 || bottom <= 0.0 || left >= width as f64 || top >= height as f64 {
        return Err(format!("it lies outside of its image of {width} x {height}"));
    }
    let on_a_line = |shape: &Shape| matches!(shape, Shape::Polygon(points) if are_collinear(points));
    if (right - left).max(bottom - top) >= 2.0 && shapes.iter().all(on_a_line) {
        return Err("its corners lie on one line".into());
    }
    Ok(shapes)
}

fn are_collinear(points: &[[f32; 2]]) -> bool {
    let [first, rest @ ..] = points else { return true };
    let from_first =
        |p: &[f32; 2]| [f64::from(p[0]) - f64::from(first[0]), f64::from(p[1]) - f64::from(first[1])];
    let Some(along) = rest.iter().map(from_first).find(|d| *d != [0.0, 0.0]) else { return true };
    rest.iter().map(from_first).all(|d| d[0] * along[1] == d[1] * along[0])
}
