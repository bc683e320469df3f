//! Outlines of regions along the edges of pixels, with holes, from a label map that comes row by row.
//!
//! The outline of a region runs clockwise in the image (y downwards), that of a hole counterclockwise: the region
//! lies on its right. Regions are those of [`crate::components`]: where two pixels touch at a corner only, the outline
//! turns right and keeps them apart. Where a region touches itself at a corner, the outlines are cut apart there, so that
//! each passes through a corner once, as a valid polygon (OGC 06-103r4) requires: the enclosed part becomes a hole.
//!
//! Between two rows, every corner of pixels where labels change is visited from left to right. An outline that turns there
//! gets a node; its edges run down, up, left or right, so that the start of some is known first, and of others the end.
//! The known one waits at the edge for the other. The memory is that of the outlines and of two rows of runs.

mod corner;
mod ring;

pub use ring::{Polygon, Ring};

use self::corner::{Around, Side, Walk, same, way_through};
use self::ring::{cut_apart, twice_the_area};
use crate::components::{Components, LabelRun};

/// The polygons of all regions of a label map `[height, width]` but for those of the label `background`, in the order of their
/// first pixels. Regions are of pixels that share an edge.
///
/// ```
/// let polygons = dapple_predict::outlines(&[1, 1, 0, 1, 1, 0], 3, 0);
/// assert_eq!((polygons.len(), polygons[0].area), (1, 4));
/// assert_eq!(polygons[0].outer, [(2, 0), (2, 2), (0, 2), (0, 0)]);
/// ```
pub fn outlines(labels: &[u8], width: usize, background: u8) -> Vec<Polygon> {
    let mut outlines = Outlines::new(background);
    labels.chunks_exact(width.max(1)).for_each(|row| outlines.row(row));
    outlines.finish()
}

/// A corner at which an outline turns.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: (u32, u32),
    /// The next corner of the outline.
    next: u32,
    /// The region, as its pixels are known so far.
    region: u32,
}

/// No node, or one that has been seen.
const NONE: u32 = u32::MAX;

/// An edge that is cut by the line between known and coming rows, or by the corner that comes next: the node that it comes
/// from, of the one side, and the node that it leads to, of the other.
#[derive(Clone, Copy, Debug)]
struct Cut {
    from: u32,
    to: u32,
}

impl Cut {
    const EMPTY: Self = Self { from: NONE, to: NONE };
}

/// Takes the rows of a label map.
#[derive(Debug)]
pub(crate) struct Outlines {
    components: Components,
    nodes: Vec<Node>,
    /// Columns at which labels change in the last row, with the edges there, downwards left of it and upwards right of it.
    cuts: Vec<(usize, Cut)>,
    /// The runs of the last row.
    above: Vec<LabelRun>,
}

impl Outlines {
    /// Of all labels but `background`.
    pub fn new(background: u8) -> Self {
        let components = Components::new(background);
        Self { components, nodes: Vec::new(), cuts: Vec::new(), above: Vec::new() }
    }

    /// The memory that the outlines take by the end, in bytes.
    pub fn bytes(&self) -> u64 {
        // Nodes, the rings that are made of them, and the places of a ring's corners while it is cut apart.
        let place = 2 * size_of::<((u32, u32), usize)>();
        (self.nodes.len() * (size_of::<Node>() + size_of::<(u32, u32)>() + place)) as u64
    }

    /// Takes the next row.
    pub fn row(&mut self, labels: &[u8]) {
        let y = self.components.rows() as u32;
        self.components.row(labels);
        let below = self.components.runs().to_vec();
        self.line(y, below);
    }

    /// Draws along the upper edge of row `y`, which has these runs.
    fn line(&mut self, y: u32, below: Vec<LabelRun>) {
        let above = std::mem::take(&mut self.above);
        let ends = |run: &LabelRun| [run.columns.start, run.columns.end];
        let mut columns: Vec<usize> = above.iter().chain(&below).flat_map(ends).collect();
        columns.sort_unstable();
        columns.dedup();
        let mut cuts = Vec::new();
        let mut upper = std::mem::take(&mut self.cuts).into_iter().peekable();
        let mut across = Cut::EMPTY;
        let (mut a, mut b) = (Walk::new(&above), Walk::new(&below));
        for x in columns {
            let ((above_left, above_right), (below_left, below_right)) = (a.around(x), b.around(x));
            let north = upper.next_if(|(column, _)| *column == x).map_or(Cut::EMPTY, |(_, cut)| cut);
            let around = [above_left, above_right, below_left, below_right];
            let south;
            (south, across) = self.corner((x as u32, y), around, north, across);
            if !same(below_left, below_right) {
                cuts.push((x, south));
            }
        }
        (self.above, self.cuts) = (below, cuts);
    }

    /// Leads the outlines of the four pixels through the corner that they share; `north` and `west` are the edges drawn so
    /// far. Gives those to the south and to the east.
    fn corner(&mut self, at: (u32, u32), around: Around<'_>, north: Cut, west: Cut) -> (Cut, Cut) {
        let (mut south, mut east) = (Cut::EMPTY, Cut::EMPTY);
        for (index, pixel) in around.into_iter().enumerate() {
            let Some(pixel) = pixel else { continue };
            let mut shown = around.map(|other| same(Some(pixel), other));
            if shown == [true, false, false, true] || shown == [false, true, true, false] {
                // Two that only touch: each has a turn of its own.
                shown = std::array::from_fn(|other| other == index);
            } else if shown.iter().position(|&shown| shown) != Some(index) {
                // The first one of a label stands for all.
                continue;
            }
            let Some((comes, goes)) = way_through(shown) else { continue };
            let straight = matches!(
                (comes, goes),
                (Side::North, Side::South)
                    | (Side::South, Side::North)
                    | (Side::West, Side::East)
                    | (Side::East, Side::West)
            );
            // Of the incoming edge, the start is known; of the outgoing edge, the end.
            match (straight, comes) {
                (true, Side::North) => south.from = north.from,
                (true, Side::South) => south.to = north.to,
                (true, Side::West) => east.from = west.from,
                (true, Side::East) => east.to = west.to,
                (false, _) => {
                    let node = self.nodes.len() as u32;
                    let region = pixel.region as u32;
                    self.nodes.push(Node { at, next: NONE, region });
                    match comes {
                        Side::North => self.nodes[north.from as usize].next = node,
                        Side::West => self.nodes[west.from as usize].next = node,
                        Side::South => south.to = node,
                        Side::East => east.to = node,
                    }
                    match goes {
                        Side::North => self.nodes[node as usize].next = north.to,
                        Side::West => self.nodes[node as usize].next = west.to,
                        Side::South => south.from = node,
                        Side::East => east.from = node,
                    }
                }
            }
        }
        (south, east)
    }

    /// The polygons of all regions, in the order of their first pixels.
    pub fn finish(mut self) -> Vec<Polygon> {
        let end = self.components.rows() as u32;
        self.line(end, Vec::new());
        let Self { components, mut nodes, .. } = self;
        let (numbers, labels) = components.numbers();
        let empty = |label| Polygon { label, area: 0, outer: Ring::new(), holes: Vec::new() };
        let mut polygons: Vec<Polygon> = labels.into_iter().map(empty).collect();
        for first in 0..nodes.len() {
            let mut ring = Ring::new();
            let polygon = &mut polygons[numbers[nodes[first].region as usize]];
            let mut node = first;
            // Nodes that are seen lead nowhere.
            while nodes[node].next != NONE {
                node = std::mem::replace(&mut nodes[node].next, NONE) as usize;
                ring.push(nodes[node].at);
            }
            for ring in cut_apart(ring) {
                let twice = twice_the_area(&ring);
                // The areas of holes are negative.
                polygon.area = polygon.area.wrapping_add_signed(twice / 2);
                if twice > 0 {
                    polygon.outer = ring;
                } else {
                    polygon.holes.push(ring);
                }
            }
        }
        polygons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn polygons(labels: &[u8], width: usize) -> Vec<Polygon> {
        let mut outlines = Outlines::new(0);
        labels.chunks_exact(width).for_each(|row| outlines.row(row));
        outlines.finish()
    }

    #[test]
    fn a_ring_of_pixels_has_a_hole() {
        let found = polygons(&[1, 1, 1, 1, 0, 1, 1, 1, 1], 3);
        assert_eq!(
            found,
            [Polygon {
                label: 1,
                area: 8,
                outer: vec![(3, 0), (3, 3), (0, 3), (0, 0)],
                holes: vec![vec![(1, 2), (2, 2), (2, 1), (1, 1)]],
            }]
        );
    }

    #[test]
    fn pixels_that_touch_at_a_corner_stay_apart() {
        assert_eq!(polygons(&[1, 0, 0, 1], 2).len(), 2);
        assert_eq!(polygons(&[2, 1, 1, 2], 2).len(), 4);
    }

    #[test]
    fn a_region_that_touches_itself_has_a_hole_there() {
        let found = polygons(&[1, 1, 1, 1, 0, 1, 1, 1, 0], 3);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].area, found[0].holes.len()), (7, 1));
        assert_eq!(twice_the_area(&found[0].holes[0]), -2);
    }

    /// Whether the centre of a pixel is inside of a polygon by the even-odd rule.
    fn covers(polygon: &Polygon, x: u32, y: u32) -> bool {
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
            let polygons = polygons(labels, width);
            prop_assert_eq!(polygons.len(), regions.len());
            for (polygon, region) in polygons.iter().zip(&regions) {
                prop_assert_eq!((polygon.label, polygon.area), (region.label, region.area));
                prop_assert!(twice_the_area(&polygon.outer) > 0);
                for ring in std::iter::once(&polygon.outer).chain(&polygon.holes) {
                    let mut corners = ring.clone();
                    corners.sort_unstable();
                    corners.dedup();
                    prop_assert_eq!(corners.len(), ring.len());
                    // Every corner is a turn.
                    let corners = ring.iter().zip(ring.iter().cycle().skip(1)).zip(ring.iter().cycle().skip(2));
                    for ((a, b), c) in corners {
                        prop_assert!((a.0 == b.0) != (a.1 == b.1) && (a.0 == b.0) != (b.0 == c.0));
                    }
                }
            }
            for (at, &label) in labels.iter().enumerate() {
                let (x, y) = ((at % width) as u32, (at / width) as u32);
                let covering: Vec<u8> =
                    polygons.iter().filter(|p| covers(p, x, y)).map(|p| p.label).collect();
                let wanted: Vec<u8> = (label != 0).then_some(label).into_iter().collect();
                prop_assert_eq!(covering, wanted, "at {}, {}", x, y);
            }
        }
    }
}
