//! Outlines of regions along the edges of pixels, with holes, from a label map that comes row by row.
//!
//! The outline of a region runs clockwise as one sees the image (y downwards), that of a hole the other way: the region
//! lies on its right. Regions are those of [`crate::components`]: where two pixels touch at a corner only, the outline
//! turns right and keeps them apart. Where a region touches itself at a corner, the outlines are cut apart there, so that
//! each passes through a corner once, as a valid polygon (OGC 06-103r4) asks for: what they enclose becomes a hole.
//!
//! Between two rows, every corner of pixels where labels change is visited from left to right. An outline that turns there
//! gets a node; its edges are drawn down, up, left and right by turns, so that of some the begin is known first and of
//! others the end. Either waits, at the edge, for the other. The memory is that of the outlines and of two rows of runs.

use std::collections::HashMap;

use crate::components::{Components, Run};

/// A closed line over corners of pixels, each of them once; straight runs have no corners between.
pub(crate) type Ring = Vec<(u32, u32)>;

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
    above: Vec<Run>,
}

/// The four pixels around a corner: above left, above right, below left, below right.
type Around<'a> = [Option<&'a Run>; 4];

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
    fn line(&mut self, y: u32, below: Vec<Run>) {
        let above = std::mem::take(&mut self.above);
        let ends = |run: &Run| [run.columns.start, run.columns.end];
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
            // What is known of the edge that comes in, its begin; and of the one that goes out, its end.
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

/// A side of a corner.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    North,
    East,
    South,
    West,
}

/// Where the outline of these pixels, which have edges in common, comes into the corner between them and where it goes out;
/// `None` for all four.
fn way_through([a, b, c, d]: [bool; 4]) -> Option<(Side, Side)> {
    let sides = [Side::North, Side::South, Side::West, Side::East];
    let comes = sides.into_iter().zip([a && !b, d && !c, c && !a, b && !d]).find(|(_, at)| *at)?.0;
    let goes = sides.into_iter().zip([b && !a, c && !d, a && !c, d && !b]).find(|(_, at)| *at)?.0;
    Some((comes, goes))
}

fn same(a: Option<&Run>, b: Option<&Run>) -> bool {
    a.map(|run| run.label) == b.map(|run| run.label)
}

/// Finds the runs beside columns that are asked for in order.
struct Walk<'a> {
    runs: &'a [Run],
}

impl<'a> Walk<'a> {
    fn new(runs: &'a [Run]) -> Self {
        Self { runs }
    }

    /// The runs left and right of a column's left edge.
    fn around(&mut self, x: usize) -> (Option<&'a Run>, Option<&'a Run>) {
        while self.runs.first().is_some_and(|run| run.columns.end < x) {
            self.runs = &self.runs[1..];
        }
        let mut near = self.runs.iter().take(2);
        let left = near.clone().find(|run| run.columns.start < x && x <= run.columns.end);
        (left, near.find(|run| run.columns.contains(&x)))
    }
}

/// The parts of a ring between visits of the same corner.
fn cut_apart(ring: Ring) -> Vec<Ring> {
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
fn twice_the_area(ring: &Ring) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1))
        .sum()
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
