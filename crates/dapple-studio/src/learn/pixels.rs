//! The labelled pixels that a head learns from.

use dapple_base::Size;

use super::maps::Maps;
use crate::store::{Mask, UNLABELLED};

/// The most pixels of a class in an image that are learnt from: neighbours tell little that is new.
const MOST_OF_IMAGE: usize = 500;

/// The least of them, where there are many images.
const LEAST_OF_IMAGE: usize = 40;

/// The most pixels of a class in all images.
const MOST_OF_ALL: usize = 4000;

/// The labels of an image at the size at which it is looked at: that of the labelled pixels that fall into one of its pixels, and
/// none where these differ. So the thinnest stroke on the largest image is seen.
pub fn working_labels(mask: &Mask, size: Size) -> Vec<u8> {
    let mut labels = vec![UNLABELLED; size.height * size.width];
    // Where labels of several classes meet.
    let mut mixed = Vec::new();
    let columns: Vec<usize> = (0..mask.width).map(|x| x * size.width / mask.width).collect();
    for (y, row) in mask.labels.chunks_exact(mask.width).enumerate() {
        let at = y * size.height / mask.height * size.width;
        for (&label, column) in row.iter().zip(&columns) {
            if label != UNLABELLED {
                let to = &mut labels[at + column];
                if *to == UNLABELLED {
                    *to = label;
                } else if *to != label {
                    mixed.push(at + column);
                }
            }
        }
    }
    mixed.into_iter().for_each(|place| labels[place] = UNLABELLED);
    labels
}

/// The most pixels of a class that are taken of an image where so many images are learnt from.
pub fn pixels_of_image(images: usize) -> usize {
    (2 * MOST_OF_ALL / images.max(1).next_power_of_two()).clamp(LEAST_OF_IMAGE, MOST_OF_IMAGE)
}

/// A labelled pixel: its place in the order of choice, its label, and its features.
#[derive(Clone, Debug, PartialEq)]
struct Pixel {
    order: u64,
    label: u8,
    features: Vec<f32>,
}

/// The labelled pixels of one image that are learnt from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pixels(Vec<Pixel>);

impl Pixels {
    /// Chooses `most` pixels of each class by an order that depends on the image and the place alone, so that those chosen before
    /// stay when others are labelled.
    pub fn choose(maps: &Maps, labels: &[u8], id: &str, most: usize) -> Self {
        let seed = id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut of_class: Vec<Vec<(u64, usize)>> = vec![Vec::new(); usize::from(UNLABELLED)];
        for (place, &label) in labels.iter().enumerate().filter(|(_, label)| **label != UNLABELLED) {
            of_class[usize::from(label)].push((mixed(seed ^ place as u64), place));
        }
        let mut pixels = Vec::new();
        for (label, mut places) in (0..=u8::MAX).zip(of_class) {
            if places.len() > most {
                places.select_nth_unstable(most);
                places.truncate(most);
            }
            places.sort_unstable();
            for (order, place) in places {
                let mut features = Vec::with_capacity(maps.features());
                maps.append((place % maps.width, place / maps.width), &mut features);
                pixels.push(Pixel { order, label, features });
            }
        }
        Self(pixels)
    }

    /// What would have been chosen with a smaller `most`: the first of each class in their order.
    pub(super) fn fewer(&self, most: usize) -> Self {
        let mut counts = [0_usize; 256];
        let first = |pixel: &&Pixel| {
            let count = &mut counts[usize::from(pixel.label)];
            *count += 1;
            *count <= most
        };
        Self(self.0.iter().filter(first).cloned().collect())
    }
}

/// Scatters the bits of a number (Steele et al. 2014, SplitMix64's finalizer).
pub(super) fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The pixels of all images, class by class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool<'a> {
    /// The features of the pixels of each class.
    pub(super) classes: Vec<Vec<&'a [f32]>>,
}

impl<'a> Pool<'a> {
    /// Gathers the pixels of images into so many classes.
    pub fn of(images: impl IntoIterator<Item = &'a Pixels>, classes: usize) -> Self {
        let mut ordered: Vec<Vec<(u64, &[f32])>> = vec![Vec::new(); classes];
        for pixel in images.into_iter().flat_map(|pixels| &pixels.0) {
            if let Some(class) = ordered.get_mut(usize::from(pixel.label)) {
                class.push((pixel.order, pixel.features.as_slice()));
            }
        }
        let kept = ordered.into_iter().map(|mut pixels| {
            pixels.sort_by_key(|(order, _)| *order);
            pixels.truncate(MOST_OF_ALL);
            pixels.into_iter().map(|(_, features)| features).collect()
        });
        Self { classes: kept.collect() }
    }

    /// The number of classes that have pixels.
    pub fn present(&self) -> usize {
        self.classes.iter().filter(|pixels| !pixels.is_empty()).count()
    }

    /// The number of features of a pixel; 0 without pixels.
    pub(super) fn features(&self) -> usize {
        self.classes.iter().flatten().next().map_or(0, |features| features.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::maps::Level;
    use super::*;

    #[test]
    fn thin_strokes_are_seen_and_meeting_classes_are_not() {
        let mut mask = Mask::empty(Size { height: 8, width: 8 });
        mask.labels[3] = 1;
        (mask.labels[8 * 7], mask.labels[8 * 7 + 1]) = (0, 1);
        let labels = working_labels(&mask, Size { height: 2, width: 2 });
        assert_eq!(labels, [1, 255, 255, 255]);
        assert_eq!(working_labels(&mask, Size { height: 8, width: 8 }), mask.labels);
        // The last of 255 classes is one like any other.
        let last = Mask { width: 3, height: 1, labels: vec![254, 254, 0] };
        assert_eq!(working_labels(&last, Size { height: 1, width: 3 }), [254, 254, 0]);
        // Small images are looked at enlarged.
        let tiny = Mask { width: 1, height: 1, labels: vec![1] };
        assert_eq!(working_labels(&tiny, Size { height: 2, width: 2 }), [1, 255, 255, 255]);
    }

    #[test]
    fn chosen_pixels_stay_when_others_are_labelled() {
        let side = 64;
        let level = Level {
            width: side,
            height: side,
            channels: 1,
            data: (0..side * side).map(|v| v as f32).collect(),
        };
        let maps = Maps { width: side, height: side, levels: vec![level] };
        let mut labels = vec![UNLABELLED; side * side];
        labels[..900].fill(1);
        let few = Pixels::choose(&maps, &labels, "a.jpg", 500);
        assert_eq!(few.0.len(), 500);
        labels[900..1000].fill(0);
        let more = Pixels::choose(&maps, &labels, "a.jpg", 500);
        let ones = |pixels: &Pixels| pixels.0.iter().filter(|p| p.label == 1).cloned().collect::<Vec<_>>();
        assert_eq!(ones(&few), ones(&more));
        let pool = Pool::of([&more], 3);
        assert_eq!((pool.present(), pool.features(), pool.classes[0].len()), (2, 1, 100));
        for most in [1, 40, 100, 499] {
            assert_eq!(more.fewer(most), Pixels::choose(&maps, &labels, "a.jpg", most), "{most}");
        }
        assert_eq!([1, 16, 20, 5000].map(pixels_of_image), [500, 500, 250, 40]);
    }
}
