//! The boundary F1 score (BF).
//!
//! Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013. Per image
//! and class: precision is the fraction of the prediction's contour within a distance `theta` of the truth's
//! contour, recall the other way round, BF their harmonic mean.

use crate::bitplane::Grid;
use crate::confusion::check_labels;
use crate::error::{MapKind, MetricsError, check_lengths};
use crate::lanes::{Lanes, Work, dispatch};
use crate::pack::pack_equal;

/// The tolerance `theta` as a fraction of the image diagonal.
pub const BF_TOLERANCE: f64 = 0.0075;

/// BF of every class of one image, for a tolerance of [`BF_TOLERANCE`] times the image diagonal (Euclidean).
///
/// A class's contour is its pixels with a 4-neighbour that is not the class or lies outside the image; pixels whose
/// truth is the ignore label leave both contours. A class absent from the truth has no score; one that is in the
/// truth only has 0. The usual mean is over the classes, then over the images.
///
/// ```
/// // 1 x 200 pixels: theta is 1.5, so a contour one pixel away matches and one two pixels away does not.
/// let mut truth = [0; 200];
/// truth[50] = 1;
/// truth[100] = 1;
/// let mut prediction = [0; 200];
/// prediction[51] = 1; // matches 50
/// prediction[102] = 1; // too far from 100
/// let bf = dapple_metrics::boundary_f1(&prediction, &truth, 1, 200, 3, None)?;
/// assert_eq!(bf[1], Some(0.5));
/// assert_eq!(bf[2], None);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// Maps that do not fit the size, labels that are neither a class nor the ignore label, and a number of classes
/// outside `1..=256`.
pub fn boundary_f1(
    prediction: &[u8],
    truth: &[u8],
    height: usize,
    width: usize,
    classes: usize,
    ignore: Option<u8>,
) -> Result<Vec<Option<f64>>, MetricsError> {
    if !(1..=256).contains(&classes) {
        return Err(MetricsError::ClassCount(classes));
    }
    check_lengths(prediction.len(), truth.len(), height, width)?;
    check_labels(MapKind::Prediction, prediction, width, classes, ignore)?;
    check_labels(MapKind::Truth, truth, width, classes, ignore)?;
    Ok(scores_of_checked(prediction, truth, height, width, classes, ignore))
}

/// [`boundary_f1`] of maps whose lengths and labels are known to be good.
pub(crate) fn scores_of_checked(
    prediction: &[u8],
    truth: &[u8],
    height: usize,
    width: usize,
    classes: usize,
    ignore: Option<u8>,
) -> Vec<Option<f64>> {
    let grid = Grid { height, width };
    let of = |labels| contours(labels, dispatch(ContourBits { labels, truth, grid, ignore }), grid);
    let (prediction, truth) = (of(prediction), of(truth));
    let theta = BF_TOLERANCE * ((height * height + width * width) as f64).sqrt();
    let half_widths = half_widths(theta);
    let mut plane = vec![0; grid.words()];
    let mut score = |prediction: &[Pixel], truth: &[Pixel]| {
        if truth.is_empty() {
            return None;
        }
        let true_positives = matched(prediction, truth, grid, &half_widths, &mut plane);
        let found = matched(truth, prediction, grid, &half_widths, &mut plane);
        if true_positives == 0 || found == 0 {
            return Some(0.0);
        }
        let precision = true_positives as f64 / prediction.len() as f64;
        let recall = found as f64 / truth.len() as f64;
        Some(2.0 * precision * recall / (precision + recall))
    };
    prediction.iter().zip(&truth).take(classes).map(|(prediction, truth)| score(prediction, truth)).collect()
}

/// Row and column.
type Pixel = (usize, usize);

/// The pixels of a plane by their labels, of which there are 256.
fn contours(labels: &[u8], plane: Vec<u64>, grid: Grid) -> Vec<Vec<Pixel>> {
    let mut contours = vec![Vec::new(); 256];
    for (y, words) in plane.chunks_exact(grid.row()).enumerate() {
        for (word, &bits) in words.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let x = word * 64 + bits.trailing_zeros() as usize;
                contours[usize::from(labels[y * grid.width + x])].push((y, x));
                bits &= bits - 1;
            }
        }
    }
    contours
}

/// Marks the pixels of a label map that have a 4-neighbour of another label or outside, except those of the ignore label
/// and those whose truth it is.
struct ContourBits<'a> {
    labels: &'a [u8],
    truth: &'a [u8],
    grid: Grid,
    ignore: Option<u8>,
}

impl Work for ContourBits<'_> {
    /// A plane.
    type Output = Vec<u64>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Vec<u64> {
        let (width, row) = (self.grid.width, self.grid.row());
        let ignored_row = self.ignore.map(|label| vec![label; width]);
        let mut plane = vec![0; self.grid.words()];
        let (mut right, mut above, mut below, mut ignored) =
            (vec![0; row], vec![0; row], vec![0; row], vec![0; row]);
        for (y, out) in plane.chunks_exact_mut(row).enumerate() {
            let labels = &self.labels[y * width..];
            let (here, next) = labels.split_at(width);
            pack_equal(lanes, &here[..width - 1], &here[1..], &mut right);
            std::mem::swap(&mut above, &mut below);
            match next.get(..width) {
                Some(next) => pack_equal(lanes, here, next, &mut below),
                None => below.fill(0),
            }
            let mut before = 0;
            for (word, out) in out.iter_mut().enumerate() {
                let left = right[word] << 1 | before >> 63;
                before = right[word];
                *out = !(left & right[word] & above[word] & below[word]);
            }
            if let Some(label) = &ignored_row {
                for labels in [here, &self.truth[y * width..][..width]] {
                    pack_equal(lanes, labels, label, &mut ignored);
                    for (out, ignored) in out.iter_mut().zip(&ignored) {
                        *out &= !ignored;
                    }
                }
            }
            out[row - 1] &= self.grid.pixels_of_last_word();
        }
        plane
    }
}

/// How far a disc of this radius reaches to the left and right, in its middle row and in each further one.
fn half_widths(radius: f64) -> Vec<usize> {
    let inside = |dy: usize, dx: usize| (dy * dy + dx * dx) as f64 <= radius * radius;
    let mut reach = radius as usize;
    (0..=reach)
        .map(|dy| {
            while !inside(dy, reach) {
                reach -= 1;
            }
            reach
        })
        .collect()
}

/// How many pixels of `from` have one of `to` within the disc. `plane` is zero before and after.
fn matched(from: &[Pixel], to: &[Pixel], grid: Grid, half_widths: &[usize], plane: &mut [u64]) -> usize {
    let (Some(&(top, _)), Some(&(bottom, _))) = (to.first(), to.last()) else { return 0 };
    let (row, reach) = (grid.row(), half_widths[0]);
    for &(y, x) in to {
        plane[y * row + x / 64] |= 1 << (x % 64);
    }
    let columns = near_columns(&plane[top * row..(bottom + 1) * row], row, reach);
    let near = |&&(y, x): &&Pixel| {
        let span = |reach: usize| (x.saturating_sub(reach), (x + reach).min(grid.width - 1));
        // Most pixels that are far have no pixel in the square around the disc.
        let columns = (y + reach).checked_sub(top).and_then(|at| columns.get(at * row..(at + 1) * row));
        if !columns.is_some_and(|columns| any_set(columns, span(reach))) {
            return false;
        }
        half_widths.iter().enumerate().any(|(dy, &reach)| {
            let in_row = |y: usize| any_set(&plane[y * row..(y + 1) * row], span(reach));
            y.checked_sub(dy).is_some_and(in_row) || (y + dy < grid.height && in_row(y + dy))
        })
    };
    let count = from.iter().filter(near).count();
    for &(y, x) in to {
        plane[y * row + x / 64] = 0;
    }
    count
}

/// Which columns have a set bit within `reach` rows, for each row of `words` and `reach` further ones above and below.
/// Windows of rows are doubled, as in [`Grid::and_along`].
fn near_columns(words: &[u64], row: usize, reach: usize) -> Vec<u64> {
    let mut near = vec![0; words.len() + 4 * reach * row];
    near[2 * reach * row..][..words.len()].copy_from_slice(words);
    let mut next = near.clone();
    let (mut covered, length) = (1, 2 * reach + 1);
    while covered < length {
        let step = covered.min(length - covered);
        for ((out, word), later) in next.iter_mut().zip(&near).zip(&near[step * row..]) {
            *out = word | later;
        }
        std::mem::swap(&mut near, &mut next);
        covered += step;
    }
    near.truncate(words.len() + 2 * reach * row);
    near
}

/// Whether a row has a set bit from `first` to `last`.
#[inline(always)]
fn any_set(words: &[u64], (first, last): (usize, usize)) -> bool {
    let (from, to) = (u64::MAX << (first % 64), u64::MAX >> (63 - last % 64));
    match (first / 64, last / 64) {
        (at, end) if at == end => words[at] & from & to != 0,
        (at, end) => {
            words[at] & from != 0 || words[end] & to != 0 || words[at + 1..end].iter().any(|&word| word != 0)
        }
    }
}
