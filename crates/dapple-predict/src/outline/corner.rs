//! The four pixels around a corner, and the way of an outline through it.

use crate::components::LabelRun;

/// The four pixels around a corner: above left, above right, below left, below right.
pub(super) type Around<'a> = [Option<&'a LabelRun>; 4];

/// A side of a corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    North,
    East,
    South,
    West,
}

/// The sides at which the outline of these pixels, which share edges, enters the corner between them and leaves it; `None`
/// for all four.
pub(super) fn way_through([a, b, c, d]: [bool; 4]) -> Option<(Side, Side)> {
    let sides = [Side::North, Side::South, Side::West, Side::East];
    let comes = sides.into_iter().zip([a && !b, d && !c, c && !a, b && !d]).find(|(_, at)| *at)?.0;
    let goes = sides.into_iter().zip([b && !a, c && !d, a && !c, d && !b]).find(|(_, at)| *at)?.0;
    Some((comes, goes))
}

/// Whether two pixels have the same label.
pub(super) fn same(a: Option<&LabelRun>, b: Option<&LabelRun>) -> bool {
    a.map(|run| run.label) == b.map(|run| run.label)
}

/// Finds the runs beside columns that are given in ascending order.
pub(super) struct Walk<'a> {
    runs: &'a [LabelRun],
}

impl<'a> Walk<'a> {
    pub fn new(runs: &'a [LabelRun]) -> Self {
        Self { runs }
    }

    /// The runs left and right of a column's left edge.
    pub fn around(&mut self, x: usize) -> (Option<&'a LabelRun>, Option<&'a LabelRun>) {
        while self.runs.first().is_some_and(|run| run.columns.end < x) {
            self.runs = &self.runs[1..];
        }
        let mut near = self.runs.iter().take(2);
        let left = near.clone().find(|run| run.columns.start < x && x <= run.columns.end);
        (left, near.find(|run| run.columns.contains(&x)))
    }
}
