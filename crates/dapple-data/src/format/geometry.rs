//! Shapes of annotation tools as sets of pixels, checked: a shape that cannot mean a region is refused, because drawing
//! nothing would call its pixels background.

use std::f32::consts::TAU;

use crate::mask::regions::Shape;

/// How far corners of an ellipse's polygon cut into it, in pixels.
const SAGITTA: f32 = 0.02;

/// Larger than a coordinate on any image.
const LARGEST: f64 = 1e6;

/// Pictures of at most so many pixels a side may have regions of a single pixel.
const SMALL: usize = 32;

/// A polygon with corners in pixels, on an image of width and height.
///
/// # Errors
/// The problem, in words: under three corners, coordinates that are not numbers, no area, outside of the image, or shares of
/// the image's sides in place of pixels.
pub(super) fn polygon(corners: Vec<[f32; 2]>, size: (usize, usize)) -> Result<Shape, String> {
    if corners.len() < 3 {
        return Err(format!("a polygon of {} corners has no area; draw at least three", corners.len()));
    }
    check_corners(&wide(&corners), size)?;
    if are_collinear(&corners) {
        return Err(ON_A_LINE.into());
    }
    Ok(Shape::Polygon(corners))
}

/// A polygon with holes: the even-odd rule over one path that goes to each ring and back.
///
/// # Errors
/// As [`polygon`], for each ring.
pub(super) fn rings(
    outer: Vec<[f32; 2]>,
    holes: Vec<Vec<[f32; 2]>>,
    size: (usize, usize),
) -> Result<Shape, String> {
    polygon(outer.clone(), size)?;
    let Some(&start) = outer.first() else { return polygon(outer, size) };
    let mut path = outer;
    for hole in holes.into_iter().filter(|hole| hole.len() > 2) {
        check_corners(&wide(&hole), size)?;
        // The way to a ring is walked twice, so that it counts for nothing.
        path.push(start);
        path.extend(hole.iter().copied());
        path.extend(hole.first().copied());
    }
    path.push(start);
    Ok(Shape::Polygon(path))
}

/// A rectangle from two opposite corners, turned about its first corner by `angle` in degrees clockwise.
///
/// # Errors
/// As [`polygon`].
pub(super) fn rectangle(
    [x0, y0]: [f32; 2],
    [x1, y1]: [f32; 2],
    angle: f32,
    size: (usize, usize),
) -> Result<Shape, String> {
    let corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    polygon(corners.map(|corner| turned(corner, [x0, y0], angle)).to_vec(), size)
}

/// An ellipse by its centre and its half axes, turned about the centre by `angle` in degrees clockwise; a polygon that is off
/// by at most [`SAGITTA`].
///
/// # Errors
/// As [`polygon`].
pub(super) fn ellipse(
    centre: [f32; 2],
    [rx, ry]: [f32; 2],
    angle: f32,
    size: (usize, usize),
) -> Result<Shape, String> {
    let largest = rx.max(ry);
    if !(rx > 0.0 && ry > 0.0 && largest <= 1e6) {
        return Err(format!("an ellipse with half axes {rx} and {ry}"));
    }
    let count = (TAU / (2.0 * (1.0 - SAGITTA / largest.max(1.0)).acos())).ceil().max(16.0) as usize;
    let corner = |i: usize| {
        let (sin, cos) = (TAU * i as f32 / count as f32).sin_cos();
        turned([centre[0] + rx * cos, centre[1] + ry * sin], centre, angle)
    };
    polygon((0..count).map(corner).collect(), size)
}

/// A point turned about another, degrees clockwise where y goes down.
pub(super) fn turned([x, y]: [f32; 2], [cx, cy]: [f32; 2], angle: f32) -> [f32; 2] {
    if angle == 0.0 {
        return [x, y];
    }
    let (sin, cos) = angle.to_radians().sin_cos();
    let (dx, dy) = (x - cx, y - cy);
    [cx + dx * cos - dy * sin, cy + dx * sin + dy * cos]
}

/// The problem of corners that enclose nothing.
pub(super) const ON_A_LINE: &str = "its corners lie on one line, without area; draw it again or remove it";

/// Checks the corners of the rings of one region.
///
/// # Errors
/// The problem, in words: coordinates that are no pixels of an image of this width and height.
pub(super) fn check_corners(corners: &[[f64; 2]], (width, height): (usize, usize)) -> Result<(), String> {
    let all = || corners.iter().flatten();
    if let Some(bad) = all().find(|v| !v.is_finite() || v.abs() > LARGEST) {
        return Err(format!("the coordinate {bad:e} is on no image; give pixels"));
    }
    // Whole numbers in the corner of a small picture may be a pixel.
    let may_be_a_pixel = width.min(height) <= SMALL && all().all(|v| v.fract() == 0.0);
    if width.min(height) > 2 && !may_be_a_pixel && all().all(|v| (0.0..=1.0).contains(v)) {
        return Err(
            "its coordinates lie between 0 and 1, as shares of the width and the height; give pixels".into(),
        );
    }
    let outside = |axis: usize, length: usize| {
        corners.iter().all(|corner| corner[axis] <= 0.0)
            || corners.iter().all(|corner| corner[axis] >= length as f64)
    };
    if outside(0, width) || outside(1, height) {
        return Err(format!("it lies outside of its image of {width} x {height}"));
    }
    Ok(())
}

/// Whether all corners lie on one line, so that they enclose nothing.
pub(super) fn are_collinear(corners: &[[f32; 2]]) -> bool {
    let corners = wide(corners);
    let [first, rest @ ..] = &corners[..] else { return true };
    let from_first = |p: &[f64; 2]| [p[0] - first[0], p[1] - first[1]];
    let Some(along) = rest.iter().map(from_first).find(|d| *d != [0.0, 0.0]) else { return true };
    rest.iter().map(from_first).all(|d| d[0] * along[1] == d[1] * along[0])
}

fn wide(corners: &[[f32; 2]]) -> Vec<[f64; 2]> {
    corners.iter().map(|corner| corner.map(f64::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::regions::Regions;

    const SIZE: (usize, usize) = (10, 8);

    fn drawn(shape: Shape) -> usize {
        let regions = Regions { width: SIZE.0, height: SIZE.1, background: 0, regions: vec![(1, shape)] };
        assert_eq!(regions.problem(), None);
        regions.draw().labels.iter().filter(|&&label| label == 1).count()
    }

    #[test]
    fn a_hole_is_left_out() {
        let square = |from: f32, to: f32| vec![[from, from], [to, from], [to, to], [from, to]];
        let whole = rings(square(1.0, 7.0), Vec::new(), SIZE).expect("a square");
        let with_hole = rings(square(1.0, 7.0), vec![square(2.0, 4.0), square(5.0, 6.0)], SIZE);
        assert_eq!((drawn(whole), drawn(with_hole.expect("a square with holes"))), (36, 36 - 4 - 1));
    }

    #[test]
    fn an_ellipse_has_its_area_and_turns() {
        let big = ellipse([500.0, 400.0], [300.0, 200.0], 30.0, (1000, 800)).expect("an ellipse");
        let area = f64::from(TAU / 2.0) * 300.0 * 200.0;
        assert!((Regions::area(&big) / area - 1.0).abs() < 1e-3);
        let turned = rectangle([5.0, 1.0], [9.0, 3.0], 90.0, SIZE).expect("a rectangle");
        let Shape::Polygon(corners) = turned else { panic!("a polygon") };
        assert!((corners[2][0] - 3.0).abs() < 1e-4 && (corners[2][1] - 5.0).abs() < 1e-4, "{corners:?}");
    }

    #[test]
    fn shapes_that_draw_nothing_are_refused() {
        let cases = [
            (vec![[1.0, 1.0], [2.0, 2.0]], "2 corners"),
            (vec![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], "without area"),
            (vec![[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]], "between 0 and 1"),
            (vec![[20.0, 1.0], [30.0, 1.0], [25.0, 5.0]], "outside"),
            (vec![[1.0, f32::NAN], [3.0, 1.0], [2.0, 5.0]], "NaN"),
            (vec![[1e30, 1.0], [3.0, 1.0], [2.0, 5.0]], "e30 is on no image"),
        ];
        for (corners, word) in cases {
            let problem = polygon(corners, SIZE).expect_err(word);
            assert!(problem.contains(word), "{problem}");
        }
        // Two triangles of opposite directions, whose areas cancel.
        let crossed = polygon(vec![[1.0, 1.0], [5.0, 5.0], [5.0, 1.0], [1.0, 5.0]], SIZE).expect("it draws");
        assert!(drawn(crossed) > 4);
    }
}
