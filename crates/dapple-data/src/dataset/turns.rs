//! Whether masks lie on images as they are stored or as they are shown, where EXIF data turn the images.
//!
//! Sizes tell it of images that are turned by a quarter and are not square; of all others the size of the mask is the
//! same in both cases. They follow those whose size tells; without any, the borders of the classes are compared with
//! those in the images.

use image::metadata::Orientation;

use crate::dataset::survey::{PairSurvey, Turn};
use crate::error::{DataError, Result};
use crate::format::found::{Notes, Record};
use crate::image::decode::decode_image_as;
use crate::image::orientation::UPRIGHT;
use crate::image::raster::{Channels, Raster};
use crate::mask::label_map::LabelMap;
use crate::parallel::in_parallel;

/// The most pairs that are compared.
const COMPARED: usize = 64;

/// The images are looked at about this large, in pixels a side.
const SIDE: usize = 192;

/// How many times clearer the borders must be one way than the other, on average.
const CLEARER: f64 = 1.2;

/// The share of the pairs that must agree.
const AGREEMENT: f64 = 0.75;

/// The labels of a sample, turned.
pub(super) type Labels<'a> = dyn Fn(&Record, Orientation) -> Result<LabelMap> + Sync + 'a;

/// Decides the open turns of a data set, and says so.
///
/// # Errors
/// [`DataError::MaskValues`] that names both ways, where nothing tells.
pub(super) fn decide(
    root: &std::path::Path,
    surveyed: &mut [(Record, PairSurvey)],
    labels: &Labels<'_>,
    notes: &mut Notes,
) -> Result<()> {
    let open: Vec<usize> = (0..surveyed.len()).filter(|&i| open_turn(&surveyed[i]).is_some()).collect();
    let Some(&first) = open.first() else { return Ok(()) };
    let by_size = |upright: bool| {
        let is = |turn: Turn| matches!(turn, Turn::BySize(turn) if (turn == UPRIGHT) == upright);
        surveyed.iter().filter(|(_, survey)| is(survey.turn)).count()
    };
    let (stored, shown) = (by_size(false), by_size(true));
    let (upright, reason) = match (stored, shown) {
        (0, 1..) => (true, format!("as the sizes of {shown} other masks show")),
        (1.., 0) => (false, format!("as the sizes of {stored} other masks show")),
        _ => match by_borders(surveyed, &open, labels) {
            Evidence::Clear { upright, pairs } => {
                (upright, format!("as the borders in {pairs} of the images show"))
            }
            Evidence::NoDifference => return Ok(()),
            Evidence::Unclear => {
                let problem = format!(
                    "EXIF data turn {} images, such as {}, and neither sizes nor borders tell how their masks lie: on the \
                     image as its file stores it, or on the upright image; give the mask orientation \
                     (--mask-orientation as-image or upright)",
                    open.len(),
                    surveyed[first].0.image.display()
                );
                return Err(DataError::MaskValues { path: root.to_owned(), problem });
            }
        },
    };
    let (way, option) = if upright {
        ("lie on the upright images", "as-image")
    } else {
        ("are turned with the images", "upright")
    };
    notes.warn(format!(
        "EXIF data turn {} images without changing their size: their masks {way}, {reason} (otherwise give \
         --mask-orientation {option})",
        open.len()
    ));
    for i in open {
        if let (Some(turn), false) = (open_turn(&surveyed[i]), upright) {
            surveyed[i].1.turn = Turn::Known(turn);
        }
    }
    Ok(())
}

fn open_turn((_, survey): &(Record, PairSurvey)) -> Option<Orientation> {
    if let Turn::Open(turn) = survey.turn { Some(turn) } else { None }
}

enum Evidence {
    Clear {
        upright: bool,
        pairs: usize,
    },
    Unclear,
    /// All masks are the same both ways.
    NoDifference,
}

/// Compares the borders of both readings with those of the images.
fn by_borders(surveyed: &[(Record, PairSurvey)], open: &[usize], labels: &Labels<'_>) -> Evidence {
    let step = open.len().div_ceil(COMPARED);
    let chosen: Vec<usize> = open.iter().copied().step_by(step).collect();
    let compared = in_parallel(chosen.len(), |i| compare(&surveyed[chosen[i]], labels));
    // A damaged image is found, and named, when it is read.
    let compared: Vec<Option<[f64; 2]>> = compared.into_iter().flatten().collect();
    let clear: Vec<[f64; 2]> = compared.iter().copied().flatten().collect();
    if clear.is_empty() {
        return if compared.is_empty() { Evidence::Unclear } else { Evidence::NoDifference };
    }
    let sums: [f64; 2] = std::array::from_fn(|way| clear.iter().map(|c| c[way]).sum());
    let upright = sums[0] > sums[1];
    let wins = clear.iter().filter(|c| c[0] != c[1] && (c[0] > c[1]) == upright).count();
    let ratio = sums[usize::from(!upright)] / sums[usize::from(upright)].max(f64::MIN_POSITIVE);
    if ratio >= CLEARER && wins as f64 >= AGREEMENT * clear.len() as f64 {
        Evidence::Clear { upright, pairs: wins }
    } else {
        Evidence::Unclear
    }
}

/// How clear the image's borders are at those of the mask, upright and turned with the image; `None` if both masks are
/// the same.
fn compare((record, survey): &(Record, PairSurvey), labels: &Labels<'_>) -> Result<Option<[f64; 2]>> {
    let Turn::Open(turn) = survey.turn else { return Ok(None) };
    let (upright, turned) = (labels(record, UPRIGHT)?, labels(record, turn)?);
    if upright == turned {
        return Ok(None);
    }
    let image = decode_image_as(&record.image, Channels::Grey)?;
    Ok(Some([clearness(&image, &upright), clearness(&image, &turned)]))
}

/// The mean difference of the image's greys across borders between labels, over that at all places.
fn clearness(image: &Raster, labels: &LabelMap) -> f64 {
    let stride = (image.width.max(image.height) / SIDE).max(1);
    let (columns, rows) = (image.width / stride, image.height / stride);
    let at = |x: usize, y: usize| y * stride * image.width + x * stride;
    let (mut border, mut borders, mut all, mut places) = (0.0, 0_u64, 0.0, 0_u64);
    let mut add = |a: usize, b: usize| {
        let difference = f64::from(image.data[a].abs_diff(image.data[b]));
        (all, places) = (all + difference, places + 1);
        if labels.labels[a] != labels.labels[b] {
            (border, borders) = (border + difference, borders + 1);
        }
    };
    for y in 0..rows {
        for x in 0..columns {
            if x + 1 < columns {
                add(at(x, y), at(x + 1, y));
            }
            if y + 1 < rows {
                add(at(x, y), at(x, y + 1));
            }
        }
    }
    let mean = |sum: f64, count: u64| sum / count.max(1) as f64;
    // A grey level of noise, so that flat images do not divide by nothing.
    mean(border, borders) / (mean(all, places) + 1.0)
}
