//! Boundary overlaps of label maps of any number of labels, in one pass for all of them.

use crate::bitplane::Grid;
use crate::interior::interior;
use crate::lanes::{Lanes, Work};
use crate::overlap::Overlap;
use crate::pack::pack_equal;

/// Two label maps.
pub(crate) struct ManyLabels<'a> {
    pub(crate) prediction: &'a [u8],
    pub(crate) truth: &'a [u8],
    pub(crate) grid: Grid,
    pub(crate) ignore: Option<u8>,
    pub(crate) distance: usize,
}

impl Work for ManyLabels<'_> {
    /// By label; that of the ignore label is empty.
    type Output = [Overlap; 256];

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> [Overlap; 256] {
        let (width, row) = (self.grid.width, self.grid.row());
        let mut memory = vec![0; 7 * self.grid.words()];
        let (prediction_bits, memory) = memory.split_at_mut(2 * self.grid.words());
        let (truth_bits, scratch) = memory.split_at_mut(2 * self.grid.words());
        let prediction_bits =
            LabelBits::new(lanes, self.prediction, self.grid, self.distance, prediction_bits, scratch);
        let truth_bits = LabelBits::new(lanes, self.truth, self.grid, self.distance, truth_bits, scratch);
        let ignored_row =
            self.ignore.filter(|label| self.truth.contains(label)).map(|label| vec![label; width]);

        // Indexed by label, so that the ignore label needs no test; it is emptied at the end.
        let mut overlaps = [Overlap::default(); 256];
        let (mut same, mut ignored) = (vec![0; row], vec![0; row]);
        let rows = self.prediction.chunks_exact(width).zip(self.truth.chunks_exact(width));
        for (y, (prediction, truth)) in rows.enumerate() {
            pack_equal(lanes, prediction, truth, &mut same);
            if let Some(label) = &ignored_row {
                pack_equal(lanes, truth, label, &mut ignored);
            }
            for word in 0..row {
                let at = y * row + word;
                let in_prediction = !ignored[word] & !prediction_bits.interior[at];
                let in_truth = !ignored[word] & !truth_bits.interior[at];
                let in_both = in_prediction & in_truth & same[word];
                for_each_run(truth_bits.same_as_right[at], in_truth, |first, run| {
                    let overlap = &mut overlaps[usize::from(truth[word * 64 + first])];
                    overlap.labelled += u64::from((in_truth & run).count_ones());
                    overlap.intersection += u64::from((in_both & run).count_ones());
                });
                for_each_run(prediction_bits.same_as_right[at], in_prediction, |first, run| {
                    let overlap = &mut overlaps[usize::from(prediction[word * 64 + first])];
                    overlap.predicted += u64::from((in_prediction & run).count_ones());
                });
            }
        }
        if let Some(label) = self.ignore {
            overlaps[usize::from(label)] = Overlap::default();
        }
        overlaps
    }
}

/// One label map, of which the interior is asked for.
pub(crate) struct Interior<'a> {
    pub(crate) labels: &'a [u8],
    pub(crate) grid: Grid,
    pub(crate) distance: usize,
}

impl Work for Interior<'_> {
    /// The plane of pixels that are in no boundary region, and what is past the width.
    type Output = Vec<u64>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Vec<u64> {
        let words = self.grid.words();
        let mut memory = vec![0; 5 * words];
        let (bits, scratch) = memory.split_at_mut(2 * words);
        LabelBits::new(lanes, self.labels, self.grid, self.distance, bits, scratch).interior.to_vec()
    }
}

/// Comparisons of a label map with itself.
struct LabelBits<'m> {
    /// Pixels equal to their right neighbour.
    same_as_right: &'m [u64],
    /// Pixels that are in no boundary region, and what is past the width.
    interior: &'m [u64],
}

impl<'m> LabelBits<'m> {
    /// `memory` has two planes, `scratch` three.
    #[inline(always)]
    fn new(
        lanes: impl Lanes,
        labels: &[u8],
        grid: Grid,
        distance: usize,
        memory: &'m mut [u64],
        scratch: &mut [u64],
    ) -> Self {
        let (width, row, words) = (grid.width, grid.row(), grid.words());
        let (same_as_right, in_interior) = memory.split_at_mut(words);
        let (right, scratch) = scratch.split_at_mut(words);
        let (below, scratch) = scratch.split_at_mut(words);
        for (labels, out) in labels.chunks_exact(width).zip(same_as_right.chunks_exact_mut(row)) {
            pack_equal(lanes, &labels[..width - 1], &labels[1..], out);
        }
        let (upper, last) = below.split_at_mut(words - row);
        let rows = labels.chunks_exact(width).zip(labels.chunks_exact(width).skip(1));
        for ((labels, below), out) in rows.zip(upper.chunks_exact_mut(row)) {
            pack_equal(lanes, labels, below, out);
        }
        last.fill(0);
        right.copy_from_slice(same_as_right);
        interior(grid, distance, right, below, scratch, in_interior);
        LabelBits { same_as_right, interior: in_interior }
    }
}

/// Calls `visit(first pixel, bits)` for each run of equal labels in a word that has a bit of `wanted`.
/// `same_as_right` has a bit for every pixel that equals its right neighbour.
#[inline(always)]
fn for_each_run(same_as_right: u64, wanted: u64, mut visit: impl FnMut(usize, u64)) {
    let mut left = wanted;
    while left != 0 {
        let first = left.trailing_zeros();
        // The run ends at the first pixel from here on that differs from its right neighbour.
        let last = first + (!same_as_right >> first).trailing_zeros().min(63 - first);
        let run = u64::MAX >> (63 - last) & u64::MAX << first;
        visit(first as usize, run);
        left &= !run;
    }
}
