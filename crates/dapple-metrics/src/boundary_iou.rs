//! Boundary IoU.
//!
//! Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
//! Evaluation", CVPR 2021. The boundary region of a mask is the mask minus its erosion by `d` steps of a
//! 3 x 3 square, with zeros outside the image: its pixels within Chebyshev distance `d` of a zero or of the outside.
//!
//! Each class of a label map is a mask of its own, but one pass serves them all. A pixel is *interior* to its class
//! exactly if the `(2d + 1)`² window around it lies in the image and has one label throughout, which is found on bits,
//! 64 pixels at once, in a time that hardly depends on `d`.

use crate::bitplane::Grid;
use crate::boundary_many::{Interior, ManyLabels};
use crate::boundary_two::TwoClasses;
use crate::confusion::check_labels;
use crate::error::{MapKind, MetricsError, check_lengths};
use crate::lanes::dispatch;
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
    let grid = Grid { height, width };
    let interior = dispatch(Interior { labels, grid, distance });
    let pixel = |row: &[u64], x: usize| row[x / 64] >> (x % 64) & 1 == 0;
    Ok(interior.chunks_exact(grid.row()).flat_map(|row| (0..width).map(move |x| pixel(row, x))).collect())
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
    let grid = Grid { height, width };
    // Two classes are checked where they are packed, unless there is something wrong.
    if classes == 2
        && let Some(overlaps) = two_classes(prediction, truth, grid, ignore, None, distance)
    {
        return Ok(overlaps);
    }
    check_labels(MapKind::Prediction, prediction, width, classes, ignore)?;
    check_labels(MapKind::Truth, truth, width, classes, ignore)?;
    Ok(overlaps_of_checked(prediction, truth, grid, classes, ignore, distance))
}

/// [`boundary_overlaps`] of maps whose lengths and labels are known to be good.
pub(crate) fn overlaps_of_checked(
    prediction: &[u8],
    truth: &[u8],
    grid: Grid,
    classes: usize,
    ignore: Option<u8>,
    distance: usize,
) -> Vec<Overlap> {
    let of_two = |third| two_classes(prediction, truth, grid, ignore, third, distance);
    let few = if classes <= 2 { of_two(None).or_else(|| of_two(ignore)) } else { None };
    let mut overlaps =
        few.unwrap_or_else(|| dispatch(ManyLabels { prediction, truth, grid, ignore, distance }).to_vec());
    overlaps.truncate(classes);
    overlaps
}

/// The overlaps of the classes 0 and 1 if there is no label but these and `third`, which is larger and ignored.
fn two_classes(
    prediction: &[u8],
    truth: &[u8],
    grid: Grid,
    ignore: Option<u8>,
    third: Option<u8>,
    distance: usize,
) -> Option<Vec<Overlap>> {
    let mut overlaps = match third {
        None => dispatch(TwoClasses { prediction, truth, grid, distance, bits: [0] })?,
        // It has a bit that 0 and 1 lack.
        Some(label) => {
            let bits = [0, label.checked_ilog2().filter(|&bit| bit > 0)?];
            dispatch(TwoClasses { prediction, truth, grid, distance, bits })?
        }
    };
    if let Some(overlap) = ignore.and_then(|label| overlaps.get_mut(usize::from(label))) {
        *overlap = Overlap::default();
    }
    Some(overlaps.to_vec())
}
