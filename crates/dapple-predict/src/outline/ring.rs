//! Closed lines over the corners of pixels, and the polygons that they bound.

use std::collections::HashMap;

/// A closed line over corners of pixels, each of them once; straight runs have no corners between.
pub type Ring = Vec<(u32, u32)>;

/// A region's outlines, in pixels from the upper left corner of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polygon {
    /// The label of the region.
    pub label: u8,
    /// Pixels, holes left out.
    pub area: u64,
    /// The outer outline.
    pub outer: Ring,
    /// The outlines of the holes.
    pub holes: Vec<Ring>,
}

/// The parts of a ring between visits of the same corner.
pub(super) fn cut_apart(ring: Ring) -> Vec<Ring> {
    let (mut path, mut parts) = (Ring::with_capacity(ring.len()), Vec::new());
    let mut places = HashMap::with_capacity(ring.len());
    for corner in ring {
        if let Some(&place) = places.get(&corner) {
            let part = path.split_off(place);
            part.iter().for_each(|corner| _ = places.remove(corner));
            parts.push(part);
        }
        places.insert(corner, path.len());
        path.push(corner);
    }
    parts.extend((!path.is_empty()).then_some(path));
    parts
}

/// Twice the signed area of a ring, positive for clockwise ones (y downwards).
pub(super) fn twice_the_area(ring: &Ring) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1))
        .sum()
}
