//! Where labels disagree with a head that has not seen them.

use dapple_base::Size;
use serde::Serialize;

use super::proposal::Proposal;
use crate::store::UNLABELLED;

/// How much the labels of an image disagree with what other images teach, and where most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// The photograph.
    pub id: String,
    /// One less the mean IoU of the classes that labels or proposal have, over the labelled pixels.
    pub disagreement: f64,
    /// Left edge of the largest region of doubt, in pixels of the photograph.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

/// Compares the labels of a photograph of `size` with a proposal; both are at the proposal's size. Regions count by their pixels,
/// and by how sure the proposal is.
pub fn disagreement(id: &str, labels: &[u8], proposal: &Proposal, size: Size) -> Disagreement {
    let mut counts = [[0_u64; 2]; 256];
    let mut wrong = vec![0_u32; labels.len()];
    for (place, (&label, &found)) in labels.iter().zip(&proposal.labels).enumerate() {
        if label == UNLABELLED {
            continue;
        }
        counts[usize::from(label)][1] += 1;
        if label == found {
            counts[usize::from(label)][0] += 1;
        } else {
            counts[usize::from(found)][1] += 1;
            wrong[place] = 256 - u32::from(proposal.uncertainty[place]);
        }
    }
    let present: Vec<f64> = counts
        .iter()
        .filter(|[_, union]| *union > 0)
        .map(|[both, union]| *both as f64 / *union as f64)
        .collect();
    let mean = present.iter().sum::<f64>() / present.len().max(1) as f64;
    let [left, top, right, bottom] = heaviest(&mut wrong, proposal.width);
    let scaled = |at: usize, from: usize, to: usize| at * to / from.max(1);
    let (x, y) = (scaled(left, proposal.width, size.width), scaled(top, proposal.height, size.height));
    Disagreement {
        id: id.to_owned(),
        disagreement: if present.is_empty() { 0.0 } else { 1.0 - mean },
        x,
        y,
        width: scaled(right, proposal.width, size.width) - x,
        height: scaled(bottom, proposal.height, size.height) - y,
    }
}

/// Left, top, right and bottom of the connected region with the largest sum; all 0 without any. The weights are used up.
fn heaviest(weights: &mut [u32], width: usize) -> [usize; 4] {
    let height = weights.len() / width.max(1);
    let mut best = (0_u64, [0; 4]);
    let mut open = Vec::new();
    for start in 0..weights.len() {
        if weights[start] == 0 {
            continue;
        }
        let (mut sum, mut bounds) = (0_u64, [usize::MAX, usize::MAX, 0, 0]);
        let mut visit = |place: usize, weights: &mut [u32], open: &mut Vec<usize>| {
            let weight = std::mem::take(&mut weights[place]);
            if weight > 0 {
                sum += u64::from(weight);
                let (x, y) = (place % width, place / width);
                let [left, top, right, bottom] = bounds;
                bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
                open.push(place);
            }
        };
        visit(start, &mut *weights, &mut open);
        while let Some(place) = open.pop() {
            let (x, y) = (place % width, place / width);
            if x > 0 {
                visit(place - 1, &mut *weights, &mut open);
            }
            if x + 1 < width {
                visit(place + 1, &mut *weights, &mut open);
            }
            if y > 0 {
                visit(place - width, &mut *weights, &mut open);
            }
            if y + 1 < height {
                visit(place + width, &mut *weights, &mut open);
            }
        }
        if sum > best.0 {
            best = (sum, bounds);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_region_is_found_and_unlabelled_pixels_do_not_count() {
        let labels = [[0, 0, 0, 0, 255], [0, 1, 1, 0, 255], [0, 1, 1, 0, 255], [1, 0, 0, 0, 255]].concat();
        let proposal = Proposal { width: 5, height: 4, labels: vec![0; 20], uncertainty: vec![0; 20] };
        let found = disagreement("a", &labels, &proposal, Size { height: 8, width: 10 });
        assert_eq!((found.x, found.y, found.width, found.height), (2, 2, 4, 4));
        // Background 11 of 16, the other class 0 of 5.
        assert!((found.disagreement - (1.0 - 11.0 / 16.0 / 2.0)).abs() < 1e-9, "{}", found.disagreement);
        let same = Proposal { labels, ..proposal };
        let none = disagreement("a", &same.labels.clone(), &same, Size { height: 4, width: 5 });
        assert_eq!((none.disagreement, none.width), (0.0, 0));
    }
}
