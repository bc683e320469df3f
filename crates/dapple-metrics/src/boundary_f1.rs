//! The boundary F1 score (BF).
//!
//! Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013. Per image
//! and class: precision is the fraction of the prediction's contour within a distance `theta` of the truth's
//! contour, recall the other way round, BF their harmonic mean.

use crate::confusion::check_labels;
use crate::contour::contour;
use crate::error::{MapKind, MetricsError, check_lengths};

/// The tolerance `theta` as a fraction of the image diagonal.
pub const BF_TOLERANCE: f64 = 0.0075;

/// A pixel on no contour.
const NONE: u16 = u16::MAX;

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
    let on_contour = |labels: &[u8]| -> Vec<u16> {
        let marks = contour(labels, height, width);
        let scored = |label: u8, truth: u8| Some(truth) != ignore && Some(label) != ignore;
        labels
            .iter()
            .zip(truth)
            .zip(marks)
            .map(|((&label, &truth), mark)| if mark && scored(label, truth) { label.into() } else { NONE })
            .collect()
    };
    let (prediction, truth) = (on_contour(prediction), on_contour(truth));
    let theta = BF_TOLERANCE * ((height * height + width * width) as f64).sqrt();
    let disc = disc(theta);
    let precision = matched(&prediction, &truth, (height, width), &disc);
    let recall = matched(&truth, &prediction, (height, width), &disc);
    (precision.iter().zip(&recall))
        .take(classes)
        .map(|(&(true_positives, predicted), &(found, labelled))| {
            if labelled == 0 {
                return None;
            }
            if true_positives == 0 || found == 0 {
                return Some(0.0);
            }
            let (precision, recall) =
                (true_positives as f64 / predicted as f64, found as f64 / labelled as f64);
            Some(2.0 * precision * recall / (precision + recall))
        })
        .collect()
}

/// The offsets (rows, columns) within a radius, the nearest first.
fn disc(radius: f64) -> Vec<(isize, isize)> {
    let reach = radius as isize;
    let squared = |&(dy, dx): &(isize, isize)| dy * dy + dx * dx;
    let mut offsets: Vec<_> = (-reach..=reach)
        .flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx)))
        .filter(|offset| squared(offset) as f64 <= radius * radius)
        .collect();
    offsets.sort_by_key(squared);
    offsets
}

/// For every label: the contour pixels of `from` that have one of `to` within the disc, and all contour pixels of
/// `from`.
fn matched(
    from: &[u16],
    to: &[u16],
    (height, width): (usize, usize),
    disc: &[(isize, isize)],
) -> Vec<(u64, u64)> {
    let mut counts = vec![(0, 0); 256];
    for (pixel, &label) in from.iter().enumerate().filter(|&(_, &label)| label != NONE) {
        let (y, x) = (pixel / width, pixel % width);
        let found = disc.iter().any(|&(dy, dx)| {
            let y = y.checked_add_signed(dy).filter(|&y| y < height);
            let x = x.checked_add_signed(dx).filter(|&x| x < width);
            y.zip(x).is_some_and(|(y, x)| to[y * width + x] == label)
        });
        let (matched, all) = &mut counts[usize::from(label)];
        *matched += u64::from(found);
        *all += 1;
    }
    counts
}
