//! How often classes occur, and weights of the loss that make up for rare ones.

/// Pixel counts of every class over a set of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassStatistics {
    /// The pixels of each class.
    pub pixels: Vec<u64>,
    /// For each class, all pixels of the images in which it occurs, ignored ones included.
    pub pixels_where_present: Vec<u64>,
}

impl ClassStatistics {
    /// Statistics of no image.
    pub fn new(classes: usize) -> Self {
        Self { pixels: vec![0; classes], pixels_where_present: vec![0; classes] }
    }

    /// Adds an image of `total` pixels that has `count` pixels of each `(label, count)`; a label occurs at most once.
    ///
    /// # Panics
    /// If a label is not a class.
    pub fn add_image(&mut self, total: u64, counts: impl Iterator<Item = (u8, u64)>) {
        for (label, n) in counts {
            self.pixels[usize::from(label)] += n;
            self.pixels_where_present[usize::from(label)] += total;
        }
    }

    /// Median-frequency class weights: `median(freq) / freq(c)` with `freq(c)` the pixels of class `c` over all pixels
    /// of the images in which `c` occurs.
    ///
    /// The median is over the classes that occur (the mean of the middle two for an even number); a class that occurs
    /// nowhere gets weight 0, having no pixel to weigh. Eigen and Fergus, "Predicting Depth, Surface Normals and Semantic
    /// Labels", ICCV 2015, section 4.3; used by SegNet (Badrinarayanan et al., TPAMI 2017, section 3.1).
    pub fn median_frequency_weights(&self) -> Vec<f32> {
        let frequency = |(&n, &total): (&u64, &u64)| if total == 0 { 0.0 } else { n as f64 / total as f64 };
        let frequencies: Vec<f64> =
            self.pixels.iter().zip(&self.pixels_where_present).map(frequency).collect();
        let mut present: Vec<f64> = frequencies.iter().copied().filter(|&f| f > 0.0).collect();
        present.sort_by(f64::total_cmp);
        let middle = present.len() / 2;
        let median = match present.len() {
            0 => 0.0,
            n if n % 2 == 1 => present[middle],
            _ => (present[middle - 1] + present[middle]) / 2.0,
        };
        frequencies.iter().map(|&f| if f > 0.0 { (median / f) as f32 } else { 0.0 }).collect()
    }
}
