//! Boundary IoU.
//!
//! Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
//! Evaluation", CVPR 2021. The boundary region of a mask is the mask minus its erosion by `d` steps of a
//! 3 x 3 square, with zeros outside the image: its pixels within Chebyshev distance `d` of a zero or of the outside.
//!
//! Each class of a label map is a mask of its own, but one pass serves them all. A pixel is *interior* to its class
//! exactly if the `(2d + 1)`² window around it lies in the image and has one label throughout. That is so if every
//! pixel of the window's rows equals its right neighbour, and every pixel of its middle column the one below.
//! Comparisons and their conjunctions over windows are done on bits, 64 pixels at once.

use crate::bitplane::{BitPlane, pack_equal};
use crate::confusion::check_labels;
use crate::error::{MapKind, MetricsError, check_lengths};
use crate::overlap::Overlap;

/// The paper's boundary width as a fraction of the image diagonal.
pub const BOUNDARY_RATIO: f64 = 0.02;

/// The boundary width in pixels, `max(1, ratio * diagonal)` rounded to the nearest, halves to even.
///
/// ```
/// use dapple_metrics::{BOUNDARY_RATIO, boundary_distance};
/// assert_eq!(boundary_distance(224, 224, BOUNDARY_RATIO), 6); // 0.02 * 316.8 = 6.3
/// assert_eq!(boundary_distance(75, 100, BOUNDARY_RATIO), 2); // 2.5 rounds to the even 2
/// assert_eq!(boundary_distance(5, 5, BOUNDARY_RATIO), 1);
/// ```
pub fn boundary_distance(height: usize, width: usize, ratio: f64) -> usize {
    let (height, width) = (height as f64, width as f64);
    // The square root of the sum, not `hypot`: halves must fall as they do in the reference implementation.
    let distance = (ratio * (height * height + width * width).sqrt()).round_ties_even();
    distance.max(1.0) as usize
}

/// Marks the pixels of a row-major label map in the boundary region of their own class, whatever the class:
/// those within Chebyshev distance `distance` (0 counts as 1) of a pixel of another label or of the outside.
///
/// ```
/// // A column of ones in a 3 x 5 map: all is boundary except where the 3 x 3 square has one label.
/// let region = dapple_metrics::boundary_region(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], 3, 5, 1)?;
/// let interior: Vec<usize> = (0..15).filter(|&at| !region[at]).collect();
/// assert_eq!(interior, [6, 7]);
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// [`MetricsError::WrongLength`] or [`MetricsError::EmptyImage`] for a map that does not fit the size.
pub fn boundary_region(
    labels: &[u8],
    height: usize,
    width: usize,
    distance: usize,
) -> Result<Vec<bool>, MetricsError> {
    check_lengths(labels.len(), labels.len(), height, width)?;
    let interior = LabelBits::new(labels, height, width, distance).interior;
    Ok((0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| !interior.get(y, x)).collect())
}

/// The overlaps of the boundary regions of every class in one image, `classes` of them.
///
/// Each class is binarised first, the ignore label being "not the class"; then the pixels whose truth is the
/// ignore label leave the regions of both maps. Summed over a data set (see [`Overlap::merge`]) they give its
/// Boundary IoU. A class whose regions are both empty has none; if one is empty it is 0.
///
/// ```
/// use dapple_metrics::boundary_overlaps;
/// // Width 1: a 3 x 3 square of class 1 has eight boundary pixels; its centre alone one, and it is not shared.
/// let truth = [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0];
/// let mut prediction = [0; 25];
/// prediction[12] = 1;
/// let overlaps = boundary_overlaps(&prediction, &truth, 5, 5, 2, None, 1)?;
/// assert_eq!(<[u64; 3]>::from(overlaps[1]), [0, 1, 8]);
/// assert_eq!(overlaps[1].iou(), Some(0.0));
/// # Ok::<(), dapple_metrics::MetricsError>(())
/// ```
///
/// # Errors
/// Maps that do not fit the size, labels that are neither a class nor the ignore label, and a number of classes
/// outside `1..=256`.
pub fn boundary_overlaps(
    prediction: &[u8],
    truth: &[u8],
    height: usize,
    width: usize,
    classes: usize,
    ignore: Option<u8>,
    distance: usize,
) -> Result<Vec<Overlap>, MetricsError> {
    if !(1..=256).contains(&classes) {
        return Err(MetricsError::ClassCount(classes));
    }
    check_lengths(prediction.len(), truth.len(), height, width)?;
    check_labels(MapKind::Prediction, prediction, width, classes, ignore)?;
    check_labels(MapKind::Truth, truth, width, classes, ignore)?;
    Ok(overlaps_of_checked(prediction, truth, height, width, classes, ignore, distance))
}

/// [`boundary_overlaps`] of maps whose lengths and labels are known to be good.
pub(crate) fn overlaps_of_checked(
    prediction: &[u8],
    truth: &[u8],
    height: usize,
    width: usize,
    classes: usize,
    ignore: Option<u8>,
    distance: usize,
) -> Vec<Overlap> {
    let prediction_bits = LabelBits::new(prediction, height, width, distance);
    let truth_bits = LabelBits::new(truth, height, width, distance);
    let ignored_row = ignore.filter(|label| truth.contains(label)).map(|label| vec![label; width]);

    // Indexed by label, so that the ignore label needs no test; it is cut off at the end.
    let mut overlaps = [Overlap::default(); 256];
    let words = width.div_ceil(64);
    let (mut same, mut ignored) = (vec![0; words], vec![0; words]);
    for y in 0..height {
        let pixels = y * width..(y + 1) * width;
        let (prediction, truth) = (&prediction[pixels.clone()], &truth[pixels]);
        pack_equal(prediction, truth, &mut same);
        if let Some(label) = &ignored_row {
            pack_equal(truth, label, &mut ignored);
        }
        let (prediction_interior, truth_interior) =
            (prediction_bits.interior.row(y), truth_bits.interior.row(y));
        let prediction_runs = prediction_bits.same_as_right.row(y);
        let truth_runs = truth_bits.same_as_right.row(y);
        for word in 0..words {
            let scored = pixels_of_word(word, width) & !ignored[word];
            let in_prediction = scored & !prediction_interior[word];
            let in_truth = scored & !truth_interior[word];
            let in_both = in_prediction & in_truth & same[word];
            for_each_run(truth_runs[word], in_truth, |first, run| {
                let overlap = &mut overlaps[usize::from(truth[word * 64 + first])];
                overlap.labelled += u64::from((in_truth & run).count_ones());
                overlap.intersection += u64::from((in_both & run).count_ones());
            });
            for_each_run(prediction_runs[word], in_prediction, |first, run| {
                let overlap = &mut overlaps[usize::from(prediction[word * 64 + first])];
                overlap.predicted += u64::from((in_prediction & run).count_ones());
            });
        }
    }
    if let Some(label) = ignore {
        overlaps[usize::from(label)] = Overlap::default();
    }
    overlaps[..classes].to_vec()
}

/// Comparisons of a label map with itself.
struct LabelBits {
    /// Pixels equal to their right neighbour.
    same_as_right: BitPlane,
    /// Pixels whose `(2 distance + 1)`² window lies in the image and has one label.
    interior: BitPlane,
}

impl LabelBits {
    /// For a map of `height * width` pixels, both at least 1.
    fn new(labels: &[u8], height: usize, width: usize, distance: usize) -> Self {
        let mut same_as_right = BitPlane::zeros(height, width);
        for y in 0..height {
            let row = &labels[y * width..(y + 1) * width];
            pack_equal(&row[..width - 1], &row[1..], same_as_right.row_mut(y));
        }
        let mut interior = BitPlane::zeros(height, width);
        let distance = distance.max(1);
        // The window must fit into the image; a smaller one has no interior pixel.
        let Some(reach) = distance.checked_mul(2).filter(|&reach| reach < height.min(width)) else {
            return LabelBits { same_as_right, interior };
        };

        // `level`: the window's part in the pixel's row has one label. `columns`: and the pixel below has it too.
        let mut level = same_as_right.and_right(reach);
        level.move_right(distance);
        let mut columns = BitPlane::zeros(height, width);
        let mut same_as_below = vec![0; width.div_ceil(64)];
        for y in 0..height - 1 {
            let (here, below) = labels[y * width..(y + 2) * width].split_at(width);
            pack_equal(here, below, &mut same_as_below);
            for ((out, level), same) in columns.row_mut(y).iter_mut().zip(level.row(y)).zip(&same_as_below) {
                *out = level & same;
            }
        }
        let (to_end, from_start) = columns.and_down_blocks(reach);
        for y in distance..height - distance {
            let (top, bottom) = (to_end.row(y - distance), from_start.row(y + distance - 1));
            let window = top.iter().zip(bottom).zip(level.row(y + distance));
            for (out, ((top, bottom), last)) in interior.row_mut(y).iter_mut().zip(window) {
                *out = top & bottom & last;
            }
        }
        LabelBits { same_as_right, interior }
    }
}

/// The bits of a word that are pixels of the row.
fn pixels_of_word(word: usize, width: usize) -> u64 {
    let pixels = (width - word * 64).min(64);
    u64::MAX >> (64 - pixels)
}

/// Calls `visit(first pixel, bits)` for each run of equal labels in a word that has a bit of `wanted`.
/// `same_as_right` has a bit for every pixel that equals its right neighbour.
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
