//! Facts about the data.

use dapple_data::{Dataset, Size, Split};

use crate::error::TrainError;
use dapple_model::spread;

/// Masks that are examined for thin structures.
const MASKS: usize = 24;

/// The data.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFacts {
    /// Training images.
    pub train_images: usize,
    /// Validation images.
    pub val_images: usize,
    /// Classes, the background included.
    pub classes: usize,
    /// Median height and width of the images.
    pub size: (usize, usize),
    /// Share of the labelled pixels of each class.
    pub shares: Vec<f64>,
    /// Median width of regions outside an image's most frequent class, in pixels of the median image: twice the area over
    /// the number of border pixels. `None` without such regions.
    pub thickness: Option<f64>,
}

impl DataFacts {
    /// The facts about data with that division; sizes, shares and widths are those of the training samples.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a mask that cannot be read and a division of other data, [`TrainError::Config`] without a
    /// training sample.
    pub fn of(dataset: &Dataset, split: &Split) -> Result<Self, TrainError> {
        let indices = split.indices(dataset)?;
        let samples = &indices.train[..];
        if samples.is_empty() {
            return Err(TrainError::Config("there is no training image".into()));
        }
        let median_of = |side: fn(Size) -> usize| {
            let mut sides: Vec<usize> = samples.iter().map(|&i| side(dataset.size(i))).collect();
            sides.sort_unstable();
            sides[sides.len() / 2]
        };
        let size = (median_of(|size| size.height), median_of(|size| size.width));
        let pixels = dataset.class_statistics(samples).pixels;
        let all = pixels.iter().sum::<u64>().max(1) as f64;
        let mut widths = Vec::new();
        for sample in spread(samples, MASKS) {
            let map = dataset.labels(sample)?;
            let scale = size.0.min(size.1) as f64 / map.height.min(map.width).max(1) as f64;
            let width = thickness(&map.labels, map.width, dataset.ignore());
            widths.extend(width.map(|width| width * scale));
        }
        widths.sort_by(f64::total_cmp);
        Ok(Self {
            train_images: samples.len(),
            val_images: indices.val.len(),
            classes: dataset.classes().len(),
            size,
            shares: pixels.iter().map(|&n| n as f64 / all).collect(),
            thickness: (!widths.is_empty()).then(|| widths[widths.len() / 2]),
        })
    }

    /// The smallest share of the classes that occur, with its class.
    pub fn rarest(&self) -> Option<(usize, f64)> {
        let present = self.shares.iter().copied().enumerate().filter(|(_, share)| *share > 0.0);
        present.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Mean width of everything but the most frequent label: a strip of width `w` and length `l` has `w l` pixels, of which
/// `2 l` lie at its border.
fn thickness(labels: &[u8], width: usize, ignore: Option<u8>) -> Option<f64> {
    let mut counts = [0usize; 256];
    let counted = |label: u8| Some(label) != ignore;
    labels.iter().filter(|&&label| counted(label)).for_each(|&label| counts[usize::from(label)] += 1);
    let background = (0..256).max_by_key(|&label| counts[label])?;
    let (mut area, mut border) = (0usize, 0usize);
    for (i, &label) in labels.iter().enumerate() {
        if usize::from(label) == background || !counted(label) {
            continue;
        }
        area += 1;
        let x = i % width;
        let differs = |inside: bool, j: usize| inside && labels[j] != label;
        let at_border = differs(x > 0, i.wrapping_sub(1))
            || differs(x + 1 < width, i + 1)
            || differs(i >= width, i.wrapping_sub(width))
            || differs(i + width < labels.len(), i + width);
        border += usize::from(at_border);
    }
    (border > 0).then(|| 2.0 * area as f64 / border as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_is_as_wide_as_it_is() {
        for wide in [1, 2, 4, 7] {
            let (width, height) = (20, 30);
            let strip = |i: usize| u8::from((5..5 + wide).contains(&(i % width)));
            let labels: Vec<u8> = (0..width * height).map(strip).collect();
            let found = thickness(&labels, width, None).expect("there is a strip");
            // One pixel is both borders of a line.
            assert_eq!(found, if wide == 1 { 2.0 } else { wide as f64 });
        }
        assert_eq!(thickness(&[0; 12], 4, None), None);
        assert_eq!(thickness(&[0, 0, 0, 255], 4, Some(255)), None);
    }
}
