//! Images that occur twice, exactly or nearly: between parts they make scores too good.
//!
//! Near duplicates have nearly the same difference hash: the image is shrunk to 9 x 8 grey values and each is compared
//! with its right neighbour, which gives 64 bits that survive resizing, compression and changes of brightness.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde::Serialize;

use crate::dataset::samples::Dataset;
use crate::error::Result;
use crate::image::raster::Raster;
use crate::image::resize::{Window, resize_image};

/// How two images are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// All pixels are equal.
    Exact,
    /// They look the same.
    Near,
}

/// Two images that are alike.
#[derive(Debug, Clone, Serialize)]
pub struct Duplicate {
    /// The name of one sample.
    pub first: String,
    /// The name of the other.
    pub second: String,
    /// How they are alike.
    pub kind: DuplicateKind,
    /// Whether they are in different official parts.
    pub across_parts: bool,
    #[serde(skip)]
    pub(super) indices: [usize; 2],
}

/// The most pairs that are listed.
const LIST_LIMIT: usize = 1000;

/// Hashes of near duplicates differ in at most this many bits.
const NEAR_BITS: u32 = 3;

/// Images with fewer differences than this are flat, so that their hash says nothing.
const LEAST_CONTRAST: u64 = 24;

/// The hashes of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint {
    pixels: u64,
    hash: u64,
    flat: bool,
}

impl Fingerprint {
    /// Of a grey image.
    pub fn of(image: &Raster) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        (image.width, image.height, &image.data).hash(&mut hasher);
        let small = resize_image(image, Window::FULL, 8, 9);
        let mut hash = 0;
        let mut contrast = 0;
        for row in small.data.chunks_exact(9) {
            for pair in row.windows(2) {
                hash = hash << 1 | u64::from(pair[0] < pair[1]);
                contrast += u64::from(pair[0].abs_diff(pair[1]));
            }
        }
        Ok(Self { pixels: hasher.finish(), hash, flat: contrast < LEAST_CONTRAST })
    }
}

/// All pairs of images that are alike, those across parts first, at most [`LIST_LIMIT`].
pub(super) fn find_duplicates(dataset: &Dataset, prints: &[Fingerprint]) -> Vec<Duplicate> {
    let mut pairs: HashMap<[usize; 2], DuplicateKind> = HashMap::new();
    for bucket in buckets(prints.iter().map(|print| print.pixels)) {
        // One of many equal images stands for them all.
        pairs.extend(bucket.windows(2).map(|pair| ([pair[0], pair[1]], DuplicateKind::Exact)));
    }
    // Two hashes that differ in three bits agree in at least one of four sixteen-bit words.
    for word in 0..4 {
        for bucket in buckets(prints.iter().map(|print| print.hash >> (16 * word) & 0xffff)) {
            for (i, &a) in bucket.iter().enumerate() {
                for &b in bucket[i + 1..].iter().take(LIST_LIMIT) {
                    let different = (prints[a].hash ^ prints[b].hash).count_ones();
                    if different <= NEAR_BITS
                        && !prints[a].flat
                        && !prints[b].flat
                        && pairs.len() < 100 * LIST_LIMIT
                    {
                        pairs.entry([a, b]).or_insert(DuplicateKind::Near);
                    }
                }
            }
        }
    }
    let duplicate = |([a, b], kind): ([usize; 2], DuplicateKind)| Duplicate {
        first: dataset.name(a).to_owned(),
        second: dataset.name(b).to_owned(),
        kind,
        across_parts: dataset.part(a) != dataset.part(b),
        indices: [a, b],
    };
    let mut duplicates: Vec<Duplicate> = pairs.into_iter().map(duplicate).collect();
    duplicates.sort_by_key(|d| (!d.across_parts, d.kind == DuplicateKind::Near, d.indices));
    duplicates.truncate(LIST_LIMIT);
    duplicates
}

/// The positions of equal values, for values that occur more than once.
fn buckets(values: impl Iterator<Item = u64>) -> Vec<Vec<usize>> {
    let mut buckets: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, value) in values.enumerate() {
        buckets.entry(value).or_default().push(index);
    }
    buckets.into_values().filter(|bucket| bucket.len() > 1).collect()
}
