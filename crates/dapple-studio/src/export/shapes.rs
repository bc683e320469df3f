//! Masks as shapes that are drawn over each other.

use dapple_predict::{Polygon, Ring, outlines};

use crate::store::{Mask, UNLABELLED};

/// A shape: a label, or [`UNLABELLED`], and the outline of all that lies within.
pub(super) struct Shape {
    pub label: u8,
    pub ring: Ring,
}

/// The shapes of a mask, to be drawn in their order over the background: larger ones first, so that what lies in the hole of
/// another is drawn after it. Background that reaches the border of the image is left out: nothing is drawn over it.
pub(super) fn shapes(mask: &Mask, background: Option<u8>) -> Vec<Shape> {
    // Regions of all labels: of 256 values, a mask of at most 255 classes and the unlabelled leaves one only where it has them all.
    let unused = (0..=u8::MAX).find(|label| !mask.labels.contains(label)).unwrap_or(UNLABELLED);
    let (right, bottom) = (mask.width as u32, mask.height as u32);
    let at_border = |ring: &Ring| ring.iter().any(|&(x, y)| x == 0 || y == 0 || x == right || y == bottom);
    let drawn = |polygon: &Polygon| Some(polygon.label) != background || !at_border(&polygon.outer);
    let mut found: Vec<Polygon> =
        outlines(&mask.labels, mask.width, unused).into_iter().filter(drawn).collect();
    found.sort_by_key(|polygon| std::cmp::Reverse(enclosed(&polygon.outer)));
    found.into_iter().map(|polygon| Shape { label: polygon.label, ring: polygon.outer }).collect()
}

/// Twice the area that a ring encloses, holes included.
fn enclosed(ring: &Ring) -> u64 {
    let next = ring.iter().cycle().skip(1);
    let cross = |(a, b): (&(u32, u32), &(u32, u32))| {
        i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)
    };
    ring.iter().zip(next).map(cross).sum::<i64>().unsigned_abs()
}

/// A region with its holes as one ring: each hole is reached and left by the same way, which encloses nothing.
pub(super) fn with_holes(polygon: &Polygon) -> Ring {
    let mut ring = polygon.outer.clone();
    for hole in &polygon.holes {
        let Some(&entry) = hole.first() else { continue };
        let distance = |corner: &(u32, u32)| {
            let (x, y) = (i64::from(corner.0) - i64::from(entry.0), i64::from(corner.1) - i64::from(entry.1));
            x * x + y * y
        };
        let nearest = ring.iter().enumerate().min_by_key(|(_, corner)| distance(corner)).map(|(at, _)| at);
        let Some(at) = nearest else { continue };
        let back = [entry, ring[at]];
        drop(ring.splice(at + 1..at + 1, hole.iter().copied().chain(back)));
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&[u8]]) -> Mask {
        Mask { width: rows[0].len(), height: rows.len(), labels: rows.concat() }
    }

    #[test]
    fn what_lies_in_a_hole_is_drawn_after_what_surrounds_it() {
        let ring = mask(&[&[0, 0, 0, 0, 0], &[0, 1, 1, 1, 0], &[0, 1, 0, 1, 0], &[0, 1, 1, 1, 0], &[0; 5]]);
        let drawn = shapes(&ring, Some(0));
        assert_eq!(drawn.iter().map(|shape| shape.label).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(drawn[0].ring.len(), 4);
        // Pixels without a label are a shape too.
        let partly = mask(&[&[0, 255], &[0, 1]]);
        let labels: Vec<u8> = shapes(&partly, Some(0)).iter().map(|shape| shape.label).collect();
        assert_eq!(labels, [255, 1]);
    }

    #[test]
    fn a_ring_through_its_holes_encloses_its_area() {
        let ring = mask(&[&[1, 1, 1], &[1, 0, 1], &[1, 1, 1]]);
        let region = outlines(&ring.labels, 3, 0).remove(0);
        let path = with_holes(&region);
        assert_eq!((path.len(), enclosed(&path)), (10, 16));
    }
}
