//! Boundary overlaps of label maps of two classes.
//!
//! One bit of each label tells the classes apart, another one the ignore label. These bits are packed to planes, from
//! which all else follows without looking at the bytes again.

use crate::bitplane::Grid;
use crate::interior::interior;
use crate::lanes::{Lanes, Work};
use crate::overlap::Overlap;
use crate::pack::pack_bit;

/// Two label maps of the classes 0 and 1, with the ignore label for two `BITS`.
pub(crate) struct TwoClasses<'a, const BITS: usize> {
    pub(crate) prediction: &'a [u8],
    pub(crate) truth: &'a [u8],
    pub(crate) grid: Grid,
    pub(crate) distance: usize,
    /// The bits (0 to 7) that tell labels apart: bit 0, and one that only the ignore label has.
    pub(crate) bits: [u32; BITS],
}

impl<const BITS: usize> Work for TwoClasses<'_, BITS> {
    /// Of both classes. `None` if there is a further label for which there is no bit.
    type Output = Option<[Overlap; 2]>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Option<[Overlap; 2]> {
        let mut memory = vec![0; (2 * BITS + 5) * self.grid.words()];
        let (prediction, memory) = memory.split_at_mut((BITS + 1) * self.grid.words());
        let (truth, scratch) = memory.split_at_mut((BITS + 1) * self.grid.words());
        let prediction = self.planes(lanes, self.prediction, prediction, scratch)?;
        let truth = self.planes(lanes, self.truth, truth, scratch)?;

        let [mut background, mut foreground] = [Overlap::default(); 2];
        for word in 0..self.grid.words() {
            let scored = !truth.ignored(word);
            let in_prediction = scored & !prediction.ignored(word) & !prediction.interior[word];
            let in_truth = scored & !truth.interior[word];
            let (predicted, labelled) = (prediction.bits[0][word], truth.bits[0][word]);
            count(&mut background, in_prediction & !predicted, in_truth & !labelled);
            count(&mut foreground, in_prediction & predicted, in_truth & labelled);
        }
        Some([background, foreground])
    }
}

#[inline(always)]
fn count(overlap: &mut Overlap, predicted: u64, labelled: u64) {
    overlap.predicted += u64::from(predicted.count_ones());
    overlap.labelled += u64::from(labelled.count_ones());
    overlap.intersection += u64::from((predicted & labelled).count_ones());
}

impl<const BITS: usize> TwoClasses<'_, BITS> {
    /// `memory` has `BITS + 1` planes, `scratch` three.
    #[inline(always)]
    fn planes<'m>(
        &self,
        lanes: impl Lanes,
        labels: &[u8],
        memory: &'m mut [u64],
        scratch: &mut [u64],
    ) -> Option<LabelPlanes<'m, BITS>> {
        let (grid, words) = (self.grid, self.grid.words());
        let mut planes = memory.chunks_exact_mut(words);
        let mut bits = [(); BITS].map(|()| planes.next().expect("there are so many planes"));
        let in_interior = planes.next().expect("and one more");
        let mut union = [0; 64];
        for (plane, &bit) in bits.iter_mut().zip(&self.bits) {
            for (row, words) in labels.chunks_exact(grid.width).zip(plane.chunks_exact_mut(grid.row())) {
                pack_bit(lanes, row, bit, words, &mut union);
            }
        }
        if BITS == 1 && union.iter().any(|&labels| labels > 1) {
            return None;
        }
        let (same_as_right, scratch) = scratch.split_at_mut(words);
        let (same_as_below, scratch) = scratch.split_at_mut(words);
        grid.same_as_right(&bits, same_as_right);
        grid.same_as_below(&bits, same_as_below);
        interior(grid, self.distance, same_as_right, same_as_below, scratch, in_interior);
        Some(LabelPlanes { bits, interior: in_interior })
    }
}

/// A label map in planes.
struct LabelPlanes<'m, const BITS: usize> {
    bits: [&'m mut [u64]; BITS],
    /// Pixels that are in no boundary region, and what is past the width.
    interior: &'m mut [u64],
}

impl<const BITS: usize> LabelPlanes<'_, BITS> {
    /// Which pixels of a word have the ignore label.
    #[inline(always)]
    fn ignored(&self, word: usize) -> u64 {
        self.bits.get(1).map_or(0, |ignored| ignored[word])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boundary_many::ManyLabels;
    use crate::lanes::{Portable, dispatch};

    proptest! {
        /// On both kinds of lanes, with and without an ignore label.
        #[test]
        fn two_classes_are_counted_as_many_are(
            (height, width) in (1..40usize, 1..200usize),
            distance in 0..12usize,
            ignore in prop_oneof![Just(None), (2..=255u8).prop_map(Some)],
            cells in proptest::collection::vec((0..3u8, 0..3u8), 64),
            cell in 1..40usize,
        ) {
            let label = |label: u8| if label == 2 { ignore.unwrap_or(1) } else { label };
            let cell = |at: usize| cells[(at / width / cell * 13 + at % width / cell) % 64];
            let prediction: Vec<u8> = (0..height * width).map(|at| label(cell(at).0)).collect();
            let truth: Vec<u8> = (0..height * width).map(|at| label(cell(at).1)).collect();
            let (prediction, truth, grid) = (&prediction[..], &truth[..], Grid { height, width });
            let many = || ManyLabels { prediction, truth, grid, ignore, distance };
            let expected = many().run(Portable)[..2].to_vec();
            prop_assert_eq!(&dispatch(many())[..2], &expected);
            match ignore {
                None => {
                    let two = || TwoClasses { prediction, truth, grid, distance, bits: [0] };
                    prop_assert_eq!(&two().run(Portable).unwrap()[..], &expected);
                    prop_assert_eq!(&dispatch(two()).unwrap()[..], &expected);
                }
                Some(label) => {
                    let two = || TwoClasses { prediction, truth, grid, distance, bits: [0, label.ilog2()] };
                    prop_assert_eq!(&two().run(Portable).unwrap()[..], &expected);
                    prop_assert_eq!(&dispatch(two()).unwrap()[..], &expected);
                }
            }
        }
    }
}
