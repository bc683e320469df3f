//! Which values of the images are black and white, decided from all of them.

use std::path::{Path, PathBuf};

use dapple_base::{SampleKind, TrainingImages, ValueRange};

use crate::error::{DataError, Result};
use crate::image::decode::{decode_stored, read_file};
use crate::image::reading::SourceImages;
use crate::parallel::in_parallel;

/// Images that are looked at, spread evenly over all.
const MOST_IMAGES: usize = 64;
/// Values of a channel of an image that are looked at, spread evenly over its pixels.
const MOST_VALUES: usize = 1 << 14;
/// The share of the values that may be clipped at either end.
const CLIPPED: f64 = 0.001;
/// The largest values of the scales that whole numbers, and others, are usually on.
const WHOLE_SCALES: [f64; 5] = [255.0, 1023.0, 4095.0, 16383.0, 65535.0];
const OTHER_SCALES: [f64; 3] = [1.0, 255.0, 65535.0];

/// The facts about an image file by its header.
#[derive(Debug, Clone)]
pub(crate) struct ImageFacts {
    pub path: PathBuf,
    pub values: SampleKind,
    pub bands: usize,
    /// Height and width.
    pub size: [usize; 2],
}

/// The facts about the images, and of which images the range was found.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub images: TrainingImages,
    /// As in [`Reading`](crate::Reading).
    pub source: Option<SourceImages>,
}

impl Values {
    /// Of images in memory, which have 8 bits.
    pub fn in_memory(bands: usize, sizes: Vec<[usize; 2]>) -> Self {
        let (values, range, size) = (SampleKind::BYTE, ValueRange::Type, median(sizes));
        Self { images: TrainingImages { values, range, bands, size }, source: None }
    }

    /// The range that was asked for, that of the training, or the one that the images suggest, which is said in
    /// `warnings`.
    ///
    /// # Errors
    /// [`DataError::Image`] for images that can be read in two ways.
    pub fn decide(
        root: &Path,
        images: &[ImageFacts],
        asked: Option<&ValueRange>,
        training: Option<&TrainingImages>,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let widest = images.iter().map(|image| image.values).max_by_key(|&kind| width(kind));
        let bands = images.iter().map(|image| image.bands).max().unwrap_or(3);
        let size = median(images.iter().map(|image| image.size).collect());
        let values = widest.unwrap_or(SampleKind::BYTE);
        let source = training.map(|of| SourceImages { values: of.values, bands: of.bands });
        let (range, source) = match (asked, training) {
            (Some(range), _) => (range.clone(), None),
            (None, Some(training)) => (training.range.clone(), source),
            (None, None) => (of_images(root, images, warnings)?, None),
        };
        Ok(Self { images: TrainingImages { values, range, bands, size }, source })
    }
}

/// Types in the order of the values that they hold.
fn width(kind: SampleKind) -> (u32, u32) {
    match kind {
        SampleKind::Uint(bits) => (0, bits),
        SampleKind::Int(bits) => (1, bits),
        SampleKind::Float(bits) => (2, bits),
    }
}

fn median(mut sizes: Vec<[usize; 2]>) -> [usize; 2] {
    sizes.sort_unstable_by_key(|&[height, width]| (height * width, height));
    sizes.get(sizes.len() / 2).copied().unwrap_or([1, 1])
}

/// The values of the images of one scale.
struct Scale {
    /// Their types.
    kinds: Vec<SampleKind>,
    images: usize,
    /// Of each channel, or of all together.
    spans: Vec<[f64; 2]>,
    /// The smallest and the largest value that was seen.
    extent: [f64; 2],
}

fn of_images(root: &Path, images: &[ImageFacts], warnings: &mut Vec<String>) -> Result<ValueRange> {
    let bytes = images.iter().filter(|image| image.values == SampleKind::BYTE).count();
    if bytes == images.len() {
        return Ok(ValueRange::Type);
    }
    // Whole numbers of several types are of one scale, and so are others, unless the values say otherwise.
    let is_float = |image: &&ImageFacts| matches!(image.values, SampleKind::Float(_));
    let deep = || images.iter().filter(|image| image.values != SampleKind::BYTE);
    let (floats, wholes): (Vec<_>, Vec<_>) = deep().partition(is_float);
    let scales: Vec<Scale> = [wholes, floats].into_iter().filter_map(|images| Scale::of(&images)).collect();
    let Some(first) = scales.first() else {
        // None can be decoded, which reading them will say.
        return Ok(ValueRange::Type);
    };
    let bytes_agree = first.spans.iter().all(|&span| span == [0.0, 255.0]);
    let by_type = |scale: &Scale| {
        scale
            .kinds
            .iter()
            .all(|kind| scale.spans.iter().all(|&span| kind.white() == Some(span[1]) && span[0] == 0.0))
    };
    let alike = scales.iter().all(|scale| scale.spans == first.spans) && (bytes == 0 || bytes_agree);
    if !alike && !scales.iter().all(by_type) {
        let mut found: Vec<String> = scales.iter().map(Scale::described).collect();
        if bytes > 0 {
            found.insert(0, format!("{bytes} of uint8"));
        }
        let problem = format!(
            "the images have values of different types ({}), which may be of one scale or each of its own; convert them to \
             one type, or say which values are black and white: --value-range type (each by its type) or --value-range \
             LOW..HIGH (all alike)",
            found.join(", ")
        );
        return Err(DataError::Image { path: root.to_owned(), problem });
    }
    let all_by_type = scales.iter().all(by_type);
    let range = if all_by_type { ValueRange::Type } else { ValueRange::Span(first.spans.clone()) };
    let shown = ValueRange::Span(first.spans.clone());
    let found: Vec<String> = scales.iter().map(Scale::described).collect();
    let ends = if first.spans.iter().all(|&span| is_scale(span)) {
        "a usual scale"
    } else {
        "all values but 0.1 % at each end"
    };
    warnings.push(format!(
        "the images have values of more than 8 bits ({}): {shown} ({ends}) become black to white, in the model too; \
         --value-range changes it",
        found.join(", ")
    ));
    Ok(range)
}

fn is_scale([low, high]: [f64; 2]) -> bool {
    low == 0.0 && WHOLE_SCALES.iter().chain(&OTHER_SCALES).any(|&scale| scale == high)
}

impl Scale {
    /// `None` if none of the images can be decoded.
    fn of(images: &[&ImageFacts]) -> Option<Self> {
        let chosen: Vec<&&ImageFacts> = match images.len() {
            0..=MOST_IMAGES => images.iter().collect(),
            count => (0..MOST_IMAGES).map(|i| &images[(2 * i + 1) * count / (2 * MOST_IMAGES)]).collect(),
        };
        let looked = in_parallel(chosen.len(), |index| {
            let path = &chosen[index].path;
            let (stored, _) = read_file(path).and_then(|bytes| decode_stored(&bytes, path)).ok()?;
            Some((stored.spread(MOST_VALUES), stored.extent()?))
        });
        let mut extent: Option<[f64; 2]> = None;
        let mut channels: Vec<Vec<f64>> = Vec::new();
        let bands = chosen.iter().map(|image| image.bands).max()?;
        // The colours of a photograph are of one range, channels of other kinds each of its own.
        let apart = !matches!(bands, 1 | 3) && chosen.iter().all(|image| image.bands == bands);
        channels.resize_with(if apart { bands } else { 1 }, Vec::new);
        for (values, found) in looked.into_iter().flatten() {
            for (band, values) in values.into_iter().enumerate() {
                channels[if apart { band } else { 0 }].extend(values);
            }
            let [low, high] = extent.get_or_insert(found);
            (*low, *high) = (low.min(found[0]), high.max(found[1]));
        }
        let extent = extent?;
        let whole = !chosen.iter().any(|image| matches!(image.values, SampleKind::Float(_)));
        let mut kinds: Vec<SampleKind> = images.iter().map(|image| image.values).collect();
        kinds.sort_unstable_by_key(|&kind| width(kind));
        kinds.dedup();
        let largest = (!apart).then_some(extent);
        let white = kinds[0].white().filter(|_| kinds.len() == 1);
        let spans = channels.into_iter().map(|values| span(values, largest, whole, white)).collect();
        Some(Self { kinds, images: images.len(), spans, extent })
    }

    fn described(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(SampleKind::to_string).collect();
        let [low, high] = self.extent;
        format!("{} of {} from {low} to {high}", self.images, kinds.join(" and "))
    }
}

/// The range of some values: the scale that they fill at least half of, or all but a few at each end. `extent` is that of
/// more values than these, `white` the largest of their type.
fn span(mut values: Vec<f64>, extent: Option<[f64; 2]>, whole: bool, white: Option<f64>) -> [f64; 2] {
    values.sort_unstable_by(f64::total_cmp);
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return [0.0, 1.0] };
    let [least, most] = extent.unwrap_or([first, last]);
    let clipped = (values.len() as f64 * CLIPPED) as usize;
    let [low, high] = [values[clipped], values[values.len() - 1 - clipped]];
    let scales: &[f64] = if whole { &WHOLE_SCALES } else { &OTHER_SCALES };
    let scale = scales.iter().copied().find(|&scale| most <= scale && least >= 0.0);
    match scale {
        Some(scale) if high - low >= scale / 2.0 => [0.0, scale],
        _ if high > low => [low, high],
        _ if most > least => [least, most],
        // All values are one.
        _ => white.or(scale).map_or([first - 1.0, first + 1.0], |white| [0.0, white]),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn scales_that_are_filled_are_kept_and_others_stretched() {
        let steps = |count: usize, low: f64, high: f64| -> Vec<f64> {
            (0..count).map(|i| low + (high - low) * i as f64 / (count - 1) as f64).collect()
        };
        assert_eq!(span(steps(500, 0.0, 250.0), None, true, None), [0.0, 255.0]);
        assert_eq!(span(steps(500, 3.0, 4000.0), None, true, None), [0.0, 4095.0]);
        assert_eq!(span(steps(500, 0.0, 60_000.0), None, true, None), [0.0, 65535.0]);
        assert_eq!(span(steps(500, 0.0, 0.9), None, false, None), [0.0, 1.0]);
        assert_eq!(span(steps(41, 1000.0, 1040.0), None, true, None), [1000.0, 1040.0]);
        assert_eq!(span(steps(500, -40.0, 20.0), None, false, None), [-40.0, 20.0]);
        assert_eq!(span(vec![7.0; 9], None, true, None), [0.0, 255.0]);
        assert_eq!(span(vec![7.0; 9], None, true, Some(65535.0)), [0.0, 65535.0]);
        assert_eq!(span(vec![-7.0; 9], None, true, None), [-8.0, -6.0]);
        // One hot pixel in ten thousand does not darken the others.
        let mut hot = steps(9999, 100.0, 140.0);
        hot.push(60_000.0);
        let [low, high] = span(hot, None, true, None);
        assert!((100.0..101.0).contains(&low) && (139.0..=140.0).contains(&high), "{low} {high}");
    }
}
