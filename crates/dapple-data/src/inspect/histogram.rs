//! How sizes and aspect ratios are distributed.

use dapple_base::Size;
use serde::Serialize;

/// One bar of a histogram: images with `from <= value < to`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// The lower end.
    pub from: f64,
    /// The upper end.
    pub to: f64,
    /// The images.
    pub images: usize,
}

/// Sides in pixels between the bars: steps of a third of an octave that are easy to read.
const SIDES: [f64; 20] = [
    0.0, 64.0, 100.0, 128.0, 160.0, 200.0, 256.0, 320.0, 400.0, 512.0, 640.0, 800.0, 1024.0, 1280.0, 1600.0,
    2048.0, 2560.0, 4096.0, 8192.0, 65536.0,
];

/// Ratios of width to height between the bars.
const RATIOS: [f64; 14] = [0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.45, 1.65, 2.0, 2.5, 1e6];

/// Images by the longer side.
pub(super) fn size_histogram(sizes: impl Iterator<Item = Size>) -> Vec<Bin> {
    histogram(&SIDES, sizes.map(|size| size.width.max(size.height) as f64))
}

/// Images by width over height.
pub(super) fn aspect_histogram(sizes: impl Iterator<Item = Size>) -> Vec<Bin> {
    histogram(&RATIOS, sizes.map(|size| size.width as f64 / size.height as f64))
}

/// The bars from the first to the last that has an image.
fn histogram(edges: &[f64], values: impl Iterator<Item = f64>) -> Vec<Bin> {
    let mut bins: Vec<Bin> =
        edges.windows(2).map(|edge| Bin { from: edge[0], to: edge[1], images: 0 }).collect();
    let last = bins.len() - 1;
    for value in values {
        let bin = edges.partition_point(|edge| *edge <= value).saturating_sub(1).min(last);
        bins[bin].images += 1;
    }
    let first = bins.iter().position(|bin| bin.images > 0).unwrap_or(0);
    let end = bins.iter().rposition(|bin| bin.images > 0).map_or(0, |last| last + 1);
    bins[first..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_in_one_bar() {
        let sizes = [(10, 10), (100, 50), (127, 1), (128, 128), (100_000, 1)];
        let bins = size_histogram(sizes.map(|(width, height)| Size { height, width }).into_iter());
        assert_eq!(bins.iter().map(|bin| bin.images).sum::<usize>(), 5);
        assert_eq!((bins[0].images, bins[2].images, bins[3].images), (1, 2, 1));
        assert!(aspect_histogram([].into_iter()).is_empty());
    }
}
