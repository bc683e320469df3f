//! Connected regions of equal labels, found row by row with union-find over runs (He, Chao, Suzuki 2008).
//!
//! Two pixels are neighbours if they share an edge. The memory is that of one row and of the regions.

use std::ops::Range;

/// A connected region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Its label.
    pub label: u8,
    /// Pixels.
    pub area: u64,
    /// Columns that it touches.
    pub columns: Range<usize>,
    /// Rows that it touches.
    pub rows: Range<usize>,
    /// Its first pixel in reading order: column and row.
    pub first: (usize, usize),
}

/// Pixels of a row with one label.
#[derive(Clone, Debug)]
pub(crate) struct LabelRun {
    /// Its columns.
    pub columns: Range<usize>,
    /// Its label.
    pub label: u8,
    /// Its region, which may later be joined to another one: see [`Components::numbers`].
    pub region: usize,
}

/// Finds the regions of a label map that comes row by row.
#[derive(Debug)]
pub(crate) struct Components {
    /// Regions of this label are ignored.
    background: u8,
    /// Of the row before.
    above: Vec<LabelRun>,
    /// Regions found so far; some have been joined to others, see `parent`.
    regions: Vec<Region>,
    /// Union-find: a root is its own parent, and older than what belongs to it.
    parent: Vec<usize>,
    rows: usize,
}

impl Components {
    /// Regions of all labels but `background`.
    pub fn new(background: u8) -> Self {
        Self { background, above: Vec::new(), regions: Vec::new(), parent: Vec::new(), rows: 0 }
    }

    fn root(&mut self, mut region: usize) -> usize {
        while self.parent[region] != region {
            // Halves the path on the way.
            self.parent[region] = self.parent[self.parent[region]];
            region = self.parent[region];
        }
        region
    }

    /// Takes the next row.
    pub fn row(&mut self, labels: &[u8]) {
        let y = self.rows;
        let mut runs: Vec<LabelRun> = Vec::new();
        let above = std::mem::take(&mut self.above);
        let mut first_above = 0;
        let mut start = 0;
        for same in labels.chunk_by(|a, b| a == b) {
            let (label, columns) = (same[0], start..start + same.len());
            start = columns.end;
            if label == self.background {
                continue;
            }
            while above.get(first_above).is_some_and(|run| run.columns.end <= columns.start) {
                first_above += 1;
            }
            let mut region = None;
            for run in above[first_above..].iter().take_while(|run| run.columns.start < columns.end) {
                if run.label == label {
                    let other = self.root(run.region);
                    region = Some(match region {
                        None => other,
                        Some(known) => self.join(known, other),
                    });
                }
            }
            let region = region.unwrap_or_else(|| {
                self.parent.push(self.regions.len());
                let (columns, first) = (columns.clone(), (columns.start, y));
                self.regions.push(Region { label, area: 0, columns, rows: y..y + 1, first });
                self.regions.len() - 1
            });
            let known = &mut self.regions[region];
            known.area += columns.len() as u64;
            known.columns = known.columns.start.min(columns.start)..known.columns.end.max(columns.end);
            known.rows.end = y + 1;
            runs.push(LabelRun { columns, label, region });
        }
        self.above = runs;
        self.rows += 1;
    }

    /// Makes two roots one; the older one, which also begins first, stays.
    fn join(&mut self, a: usize, b: usize) -> usize {
        if a == b {
            return a;
        }
        let (old, young) = (a.min(b), a.max(b));
        self.parent[young] = old;
        let part = self.regions[young].clone();
        let whole = &mut self.regions[old];
        whole.area += part.area;
        whole.columns = whole.columns.start.min(part.columns.start)..whole.columns.end.max(part.columns.end);
        whole.rows = whole.rows.start.min(part.rows.start)..whole.rows.end.max(part.rows.end);
        old
    }

    /// Rows taken so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The runs of the last row, those of the background left out.
    pub fn runs(&self) -> &[LabelRun] {
        &self.above
    }

    /// For each region that runs refer to, the number of the final region that it belongs to, and the label of each
    /// number. Regions are numbered in the order of their first pixels.
    pub fn numbers(mut self) -> (Vec<usize>, Vec<u8>) {
        let mut numbers = vec![0; self.parent.len()];
        let mut labels = Vec::new();
        for region in 0..numbers.len() {
            let root = self.root(region);
            if root == region {
                numbers[region] = labels.len();
                labels.push(self.regions[region].label);
            } else {
                // A root is older than what belongs to it, so that its number is known.
                numbers[region] = numbers[root];
            }
        }
        (numbers, labels)
    }

    /// The regions in the order of their first pixels.
    pub fn finish(self) -> Vec<Region> {
        let roots = self.parent.iter().enumerate().map(|(region, &parent)| region == parent);
        self.regions.into_iter().zip(roots).filter_map(|(region, root)| root.then_some(region)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn regions(labels: &[u8], width: usize) -> Vec<Region> {
        let mut components = Components::new(0);
        labels.chunks_exact(width).for_each(|row| components.row(row));
        components.finish()
    }

    /// By flooding from each pixel, the obvious way.
    fn flooded(labels: &[u8], width: usize) -> Vec<Region> {
        let height = labels.len() / width;
        let mut seen = vec![false; labels.len()];
        let mut regions = Vec::new();
        for at in 0..labels.len() {
            if labels[at] == 0 || seen[at] {
                continue;
            }
            let first = (at % width, at / width);
            let mut region = Region {
                label: labels[at],
                area: 0,
                columns: first.0..first.0 + 1,
                rows: first.1..first.1 + 1,
                first,
            };
            let mut open = vec![at];
            seen[at] = true;
            while let Some(at) = open.pop() {
                let (x, y) = (at % width, at / width);
                region.area += 1;
                region.columns = region.columns.start.min(x)..region.columns.end.max(x + 1);
                region.rows = region.rows.start.min(y)..region.rows.end.max(y + 1);
                let mut visit = |next: usize| {
                    if labels[next] == region.label && !seen[next] {
                        seen[next] = true;
                        open.push(next);
                    }
                };
                if x > 0 {
                    visit(at - 1)
                }
                if x + 1 < width {
                    visit(at + 1)
                }
                if y > 0 {
                    visit(at - width)
                }
                if y + 1 < height {
                    visit(at + width)
                }
            }
            regions.push(region);
        }
        regions
    }

    #[test]
    fn arms_that_meet_below_are_one() {
        let labels = [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1];
        let found = regions(&labels, 5);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].area, found[0].columns.clone(), found[0].rows.clone()), (11, 0..5, 0..3));
    }

    proptest! {
        #[test]
        fn as_flooding_finds_them(
            width in 1usize..12, labels in proptest::collection::vec(0u8..3, 1..140),
        ) {
            let labels = &labels[..labels.len() / width * width];
            prop_assert_eq!(regions(labels, width), flooded(labels, width));
        }
    }
}
