//! Overlapping tiles of an image, and the weights that blend their predictions.
//!
//! Along each side, tiles begin at multiples of [`ALIGN`], so that pooling falls on the same pixels as it would in the
//! whole image, and end at the image's border. A tile's prediction is weighted with a Gaussian of the distance to its centre
//! (as nnU-Net blends, Isensee et al. 2021), and has no weight within a margin of its inner edges, where the network sees
//! padding instead of the image. The weight of a pixel is the product of its weights along the sides.

use std::ops::Range;

/// Tiles begin at multiples of this: the largest factor by which a network of the registry shrinks its input.
pub const ALIGN: usize = 32;

/// How an image is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileGrid {
    /// Height and width of a tile in pixels.
    pub side: usize,
    /// Overlap of neighbours in pixels.
    pub overlap: usize,
    /// Whether tiles are resized as the images of the training were, so that things have the size they had there;
    /// otherwise networks see them at the image's own size.
    pub as_trained: bool,
}

impl From<(usize, usize)> for TileGrid {
    /// Side and overlap, at the image's own size.
    fn from((side, overlap): (usize, usize)) -> Self {
        Self { side, overlap, as_trained: false }
    }
}

/// The share of the overlap at an inner edge that has no weight.
const MARGIN: f32 = 0.375;

/// Standard deviation of the weights over the side of a tile.
const SIGMA: f32 = 0.125;

/// Tiles along one side of an image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cuts {
    /// In order; they cover the side, neighbours overlap.
    pub spans: Vec<Range<usize>>,
    /// The weight of each pixel of each span.
    pub weights: Vec<Vec<f32>>,
}

impl Cuts {
    /// Cuts a side of `size` pixels into tiles of at most `side` that overlap by at least `overlap`, which is at most half
    /// of it. The weights of all tiles at a pixel add up to 1.
    pub fn new(size: usize, side: usize, overlap: usize) -> Self {
        let side = side.next_multiple_of(ALIGN);
        let step = ((side - overlap) / ALIGN * ALIGN).max(ALIGN);
        let mut spans = Vec::new();
        let mut start = 0;
        while start + side < size {
            spans.push(start..start + side);
            start += step;
        }
        // The last one reaches the border and still begins at a multiple.
        let last = (size.saturating_sub(side)).next_multiple_of(ALIGN).min(start);
        spans.push(last..size);

        let mut weights: Vec<Vec<f32>> =
            spans.iter().map(|span| raw_weights(span, size, side, overlap)).collect();
        let mut sums = vec![0.0; size];
        for (span, weights) in spans.iter().zip(&weights) {
            sums[span.clone()].iter_mut().zip(weights).for_each(|(sum, w)| *sum += w);
        }
        for (span, weights) in spans.iter().zip(&mut weights) {
            weights.iter_mut().zip(&sums[span.clone()]).for_each(|(w, sum)| *w /= sum);
        }
        Self { spans, weights }
    }

    /// The first pixel that tiles after the `index`-th one cover: those before it are final.
    pub fn final_after(&self, index: usize) -> usize {
        self.spans.get(index + 1).map_or(self.spans[index].end, |next| next.start)
    }
}

fn raw_weights(span: &Range<usize>, size: usize, side: usize, overlap: usize) -> Vec<f32> {
    let margin = (MARGIN * overlap as f32) as usize;
    let middle = (span.start + span.end) as f32 / 2.0 - 0.5;
    let sigma = SIGMA * side as f32;
    let counts = |at: usize| {
        (span.start == 0 || at >= span.start + margin) && (span.end == size || at + margin < span.end)
    };
    let weight = |at: usize| {
        let distance = (at as f32 - middle) / sigma;
        if counts(at) { (-0.5 * distance * distance).exp() } else { 0.0 }
    };
    span.clone().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_side_is_one_tile() {
        let cuts = Cuts::new(100, 128, 32);
        assert_eq!(cuts.spans, vec![std::ops::Range { start: 0, end: 100 }]);
        assert!(cuts.weights[0].iter().all(|&w| w == 1.0));
    }

    proptest! {
        #[test]
        fn tiles_cover_overlap_align_and_sum_to_one(
            size in 1usize..3000, steps in 2usize..20, share in 0.0f32..0.5,
        ) {
            let side = ALIGN * steps;
            let overlap = (side as f32 * share) as usize;
            let cuts = Cuts::new(size, side, overlap);
            prop_assert_eq!(cuts.spans[0].start, 0);
            prop_assert_eq!(cuts.spans.last().map(|s| s.end), Some(size));
            for (a, b) in cuts.spans.iter().zip(&cuts.spans[1..]) {
                prop_assert!(a.start < b.start && a.end >= b.start + overlap, "{:?}", cuts.spans);
            }
            let mut sums = vec![0.0f32; size];
            for (span, weights) in cuts.spans.iter().zip(&cuts.weights) {
                prop_assert!(span.start % ALIGN == 0 && span.len() <= side && !span.is_empty());
                prop_assert!(size <= side || span.len() > side - ALIGN);
                sums[span.clone()].iter_mut().zip(weights).for_each(|(s, w)| *s += w);
            }
            prop_assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5), "{:?}", cuts.spans);
        }
    }
}
