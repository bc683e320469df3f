//! Outlines of regions along the edges of pixels, with holes.
//!
//! The outline of a region runs clockwise as one sees the image (y downwards), that of a hole the other way: the region
//! lies on its right. Regions are those of [`crate::components`]: where two pixels touch at a corner only, the outline
//! turns right and keeps them apart.

use crate::components::RegionIndex;

/// A closed line over corners of pixels, the last one not repeated; straight runs have no corners between.
pub(crate) type Ring = Vec<(usize, usize)>;

/// A region's outlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Polygon {
    /// The label of the region.
    pub label: u8,
    /// Pixels, holes left out.
    pub area: u64,
    /// The outer outline.
    pub outer: Ring,
    /// The outlines of the holes.
    pub holes: Vec<Ring>,
}

/// A label map that outlines are taken of.
pub(crate) struct Map<'a> {
    labels: &'a [u8],
    width: usize,
    /// For each pixel, whether the outline along its upper edge has been walked; one bit a pixel.
    walked: Vec<u64>,
}

/// Right, down, left, up: each turned right from the one before.
const STEPS: [(isize, isize); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

impl<'a> Map<'a> {
    /// `labels` is `[height, width]`.
    pub fn new(labels: &'a [u8], width: usize) -> Self {
        Self { labels, width, walked: vec![0; labels.len().div_ceil(64)] }
    }

    fn label(&self, x: isize, y: isize) -> Option<u8> {
        if x < 0 || y < 0 || x as usize >= self.width {
            return None;
        }
        self.labels.get(y as usize * self.width + x as usize).copied()
    }

    /// The polygons of all regions but those of `background`, in the order of their first pixels.
    pub fn polygons(mut self, background: u8) -> Vec<Polygon> {
        let mut polygons: Vec<Polygon> = Vec::new();
        let regions = RegionIndex::new(self.labels, self.width, background);
        for at in 0..self.labels.len() {
            let (x, y) = (at % self.width, at / self.width);
            let label = self.labels[at];
            let edge = self.label(x as isize, y as isize - 1) != Some(label);
            if label == background || !edge || (self.walked[at / 64] >> (at % 64)) & 1 == 1 {
                continue;
            }
            let ring = self.walk(x, y, label);
            let twice = twice_the_area(&ring);
            let region = regions.region(x, y);
            // The first outline of a region that is met runs along its first pixel: the outer one.
            if region == polygons.len() {
                polygons.push(Polygon { label, area: 0, outer: ring, holes: Vec::new() });
            } else {
                polygons[region].holes.push(ring);
            }
            // The areas of holes are negative.
            polygons[region].area = polygons[region].area.wrapping_add_signed(twice / 2);
        }
        polygons
    }

    /// Walks an outline from the upper left corner of a pixel whose upper edge is on it, to the right.
    fn walk(&mut self, x: usize, y: usize, label: u8) -> Ring {
        let (start, mut ring) = ((x as isize, y as isize), Ring::new());
        let (mut at, mut direction) = (start, 0);
        loop {
            if direction == 0 {
                // The pixel below the edge, which lies on its right.
                let pixel = at.1 as usize * self.width + at.0 as usize;
                self.walked[pixel / 64] |= 1 << (pixel % 64);
            }
            let (dx, dy) = STEPS[direction];
            at = (at.0 + dx, at.1 + dy);
            // The pixels ahead, right and left of the line: corners of the four pixels around `at`.
            let ahead = |side: (isize, isize)| {
                let (x, y) = (at.0 * 2 + dx + side.0, at.1 * 2 + dy + side.1);
                self.label((x - 1).div_euclid(2), (y - 1).div_euclid(2)) == Some(label)
            };
            let right = STEPS[(direction + 1) % 4];
            let left = STEPS[(direction + 3) % 4];
            let turned = match (ahead(right), ahead(left)) {
                (false, _) => (direction + 1) % 4,
                (true, false) => direction,
                (true, true) => (direction + 3) % 4,
            };
            if turned != direction {
                ring.push((at.0 as usize, at.1 as usize));
            }
            direction = turned;
            if at == start && direction == 0 {
                return ring;
            }
        }
    }
}

/// Twice the signed area of a ring, positive for clockwise ones (y downwards).
fn twice_the_area(ring: &Ring) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.0 as i64 * b.1 as i64 - b.0 as i64 * a.1 as i64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::Components;
    use proptest::prelude::*;

    #[test]
    fn a_ring_of_pixels_has_a_hole() {
        let labels = [1, 1, 1, 1, 0, 1, 1, 1, 1];
        let polygons = Map::new(&labels, 3).polygons(0);
        assert_eq!(
            polygons,
            [Polygon {
                label: 1,
                area: 8,
                outer: vec![(3, 0), (3, 3), (0, 3), (0, 0)],
                holes: vec![vec![(2, 2), (2, 1), (1, 1), (1, 2)]],
            }]
        );
    }

    #[test]
    fn pixels_that_touch_at_a_corner_stay_apart() {
        assert_eq!(Map::new(&[1, 0, 0, 1], 2).polygons(0).len(), 2);
    }

    /// Whether the centre of a pixel is inside of a polygon by the even-odd rule.
    fn covers(polygon: &Polygon, x: usize, y: usize) -> bool {
        let rings = std::iter::once(&polygon.outer).chain(&polygon.holes);
        let crossed = |ring: &Ring| {
            let next = ring.iter().cycle().skip(1);
            let edges = ring.iter().zip(next);
            edges.filter(|(a, b)| a.0 == b.0 && a.0 > x && (a.1.min(b.1)..a.1.max(b.1)).contains(&y)).count()
        };
        rings.map(crossed).sum::<usize>() % 2 == 1
    }

    proptest! {
        #[test]
        fn outlines_cover_exactly_their_regions(
            width in 1usize..11, labels in proptest::collection::vec(0u8..3, 1..110),
        ) {
            let labels = &labels[..labels.len() / width * width];
            let mut components = Components::new(0);
            labels.chunks_exact(width).for_each(|row| components.row(row));
            let regions = components.finish();
            let polygons = Map::new(labels, width).polygons(0);
            prop_assert_eq!(polygons.len(), regions.len());
            for (polygon, region) in polygons.iter().zip(&regions) {
                prop_assert_eq!((polygon.label, polygon.area), (region.label, region.area));
            }
            for (at, &label) in labels.iter().enumerate() {
                let (x, y) = (at % width, at / width);
                let covering: Vec<u8> =
                    polygons.iter().filter(|p| covers(p, x, y)).map(|p| p.label).collect();
                let wanted: Vec<u8> = (label != 0).then_some(label).into_iter().collect();
                prop_assert_eq!(covering, wanted, "at {}, {}", x, y);
            }
        }
    }
}
