//! Looking at all masks of a data set once: which values they have, how often, and what the values mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{DataError, Result};
use crate::image_file::{decode_image, image_size};
use crate::labels::{LabelCoding, decode_values};
use crate::layout::FilePair;

/// What is known of one pair after its mask was read.
#[derive(Debug, Clone)]
pub(crate) struct PairSurvey {
    pub width: usize,
    pub height: usize,
    /// How many pixels have each stored value.
    pub values: BTreeMap<u16, u64>,
}

/// Reads all masks and the sizes of all images on all cores, in the order of `pairs`.
///
/// With `decode_images` the images are decoded as well, so that damaged ones are found now and not while training.
pub(crate) fn survey(pairs: &[FilePair], decode_images: bool) -> Vec<Result<PairSurvey>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(pair) = pairs.get(i) else { return done };
            done.push((i, survey_pair(pair, decode_images)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get()).min(pairs.len());
    let mut all: Vec<(usize, Result<PairSurvey>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Vec<_>>| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect()
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, survey)| survey).collect()
}

fn survey_pair(pair: &FilePair, decode_images: bool) -> Result<PairSurvey> {
    let (image_width, image_height) = if decode_images {
        let image = decode_image(&pair.image, 3)?;
        (image.width as u32, image.height as u32)
    } else {
        image_size(&pair.image)?
    };
    let mask = decode_values(&pair.mask)?;
    if (mask.width, mask.height) != (image_width as usize, image_height as usize) {
        return Err(DataError::SizeMismatch {
            image: pair.image.clone(),
            image_width,
            image_height,
            mask: pair.mask.clone(),
            mask_width: mask.width as u32,
            mask_height: mask.height as u32,
        });
    }
    let mut values = BTreeMap::new();
    for run in mask.values.chunk_by(|a, b| a == b) {
        *values.entry(run[0]).or_insert(0) += run.len() as u64;
    }
    Ok(PairSurvey { width: mask.width, height: mask.height, values })
}

/// Decides what the values of the masks mean and how many classes there are.
///
/// `values` are those of all masks, `classes` and `coding` what the user said, if anything. `root` is named in errors.
pub(crate) fn decide_coding(
    root: &Path,
    mut values: BTreeSet<u16>,
    ignore: Option<u8>,
    classes: Option<usize>,
    coding: Option<LabelCoding>,
) -> Result<(LabelCoding, usize)> {
    if let Some(ignore) = ignore {
        values.remove(&u16::from(ignore));
    }
    let two = match values.iter().copied().collect::<Vec<_>>()[..] {
        [background, foreground] => Some(LabelCoding::Binary { background, foreground }),
        _ => None,
    };
    let found = values.last().map_or(0, |&largest| usize::from(largest) + 1);
    match (coding, classes) {
        (Some(LabelCoding::Indices), None) => Ok((LabelCoding::Indices, found.clamp(2, 256))),
        (Some(coding), classes) => Ok((coding, classes.unwrap_or(2))),
        (None, Some(2)) if found > 2 && two.is_some() => Ok((two.unwrap_or(LabelCoding::Indices), 2)),
        (None, Some(classes)) => Ok((LabelCoding::Indices, classes)),
        (None, None) => match two {
            Some(_) if found == 2 => Ok((LabelCoding::Indices, 2)),
            Some(binary) => Ok((binary, 2)),
            // The value 255 is a foreground, an ignore label or the top of a soft mask, hardly ever a class.
            None if found > 2 && found < 256 && 2 * values.len() >= found => {
                Ok((LabelCoding::Indices, found))
            }
            None => Err(DataError::MaskValues { path: root.to_owned(), problem: problem(&values) }),
        },
    }
}

/// Says why `values` are not taken for classes without a further word.
fn problem(values: &BTreeSet<u16>) -> String {
    let shown: Vec<_> = values.iter().take(12).map(u16::to_string).collect();
    let more =
        if values.len() > shown.len() { format!(", … ({} in all)", values.len()) } else { String::new() };
    let list = shown.join(", ") + &more;
    if values.len() < 2 {
        return format!(
            "all masks have the one value {list}, so that there is nothing to learn; check the masks, \
             or give the number of classes if the others are only missing here"
        );
    }
    let soft = values.len() > 32;
    let advice = if soft && (values.contains(&255) || values.contains(&65535)) {
        "they look like soft or JPEG-compressed masks: give a threshold (128, say), or save them as PNG"
    } else if values.contains(&255) {
        "255 usually marks pixels without a label: make it the ignore label, or give the number of classes"
    } else {
        "give the number of classes if they are class indices, or save the masks with the values 0, 1, 2, …"
    };
    format!(
        "the masks have the values {list}, neither two values nor 0, 1, 2, … without large gaps; {advice}"
    )
}
