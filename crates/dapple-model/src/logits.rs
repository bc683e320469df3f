//! The logits of one image, resized to the image's size row by row.

use dapple_graph::{Shape, Tensor};
use dapple_nets::Activation;

use crate::decide;

/// The logits of a network for one image; labels and probabilities are at the image's size.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageLogits {
    /// At the network's size; resized to the image's size row by row on request.
    pub(crate) logits: Tensor,
    pub(crate) activation: Activation,
    pub(crate) classes: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl ImageLogits {
    /// Width of the image in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height of the image in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The function that turns the logits into probabilities.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Mixes in the logits of another image with the weight `share`, 0 to 1; logits of another shape are ignored.
    pub fn blend(&mut self, other: &Self, share: f32) {
        if self.logits.shape == other.logits.shape {
            let pairs = self.logits.data.iter_mut().zip(&other.logits.data);
            pairs.for_each(|(own, other)| *own += (other - *own) * share);
        }
    }

    /// The class of every pixel, `[height, width]`.
    pub fn labels(&self) -> Vec<u8> {
        let mut labels = Vec::with_capacity(self.width * self.height);
        let mut rows = self.rows();
        (0..self.height).for_each(|y| labels.extend(decide::labels(rows.row(y))));
        labels
    }

    /// The probability of one class at every pixel, `[height, width]`, 0 to 1.
    ///
    /// # Panics
    /// If the class does not exist.
    pub fn probability(&self, class: usize) -> Vec<f32> {
        assert!(class < self.classes, "class {class} of {}", self.classes);
        let mut map = Vec::with_capacity(self.width * self.height);
        let mut rows = self.rows();
        for y in 0..self.height {
            let probabilities = decide::probabilities(rows.row(y), self.activation);
            map.extend(probabilities.chunks_exact(self.classes).map(|p| p[class]));
        }
        map
    }

    /// The logits of the image's rows.
    pub fn rows(&self) -> LogitRows<'_> {
        let Shape { w, c, .. } = self.logits.shape;
        LogitRows {
            image: self,
            columns: (0..self.width).map(|x| Between::of(x, self.width, w)).collect(),
            blended: vec![0.0; w * c],
            row: Tensor::zeros(Shape::new(1, 1, self.width, c)),
        }
    }
}

/// The logits of an image row by row, interpolated between pixel centres, in memory for one row.
#[derive(Debug)]
pub struct LogitRows<'a> {
    image: &'a ImageLogits,
    columns: Vec<Between>,
    /// A row of the image's height at the logits' width.
    blended: Vec<f32>,
    row: Tensor,
}

impl LogitRows<'_> {
    /// The logits of row `y`, `[1, 1, width, k]`.
    ///
    /// # Panics
    /// If the image has no such row.
    pub fn row(&mut self, y: usize) -> &Tensor {
        let ImageLogits { logits, height, .. } = self.image;
        assert!(y < *height, "row {y} of {height}");
        let Shape { h, w, c, .. } = logits.shape;
        let source = |y: usize| &logits.data[y * w * c..][..w * c];
        let rows = Between::of(y, *height, h);
        for (to, (a, b)) in self.blended.iter_mut().zip(source(rows.first).iter().zip(source(rows.second))) {
            *to = a + (b - a) * rows.share;
        }
        for (to, column) in self.row.data.chunks_exact_mut(c).zip(&self.columns) {
            let (a, b) = (&self.blended[column.first * c..][..c], &self.blended[column.second * c..][..c]);
            for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
                *to = a + (b - a) * column.share;
            }
        }
        &self.row
    }
}

/// A position between two neighbouring samples.
#[derive(Debug)]
struct Between {
    first: usize,
    second: usize,
    /// The second one's share.
    share: f32,
}

impl Between {
    /// The position of the centre of pixel `index` of `size` among `samples`, clamped to the outermost ones.
    fn of(index: usize, size: usize, samples: usize) -> Self {
        let at = (index as f64 + 0.5) * samples as f64 / size as f64 - 0.5;
        let at = at.clamp(0.0, (samples - 1) as f64);
        let first = at as usize;
        Self { first, second: (first + 1).min(samples - 1), share: (at - first as f64) as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(logits: Tensor, width: usize, height: usize) -> ImageLogits {
        ImageLogits { logits, activation: Activation::Sigmoid, classes: 2, width, height }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let logits = Tensor::new(Shape::new(1, 2, 2, 1), vec![-1.0, 2.0, 3.0, -4.0]);
        assert_eq!(prediction(logits, 2, 2).labels(), [0, 1, 1, 0]);
    }

    #[test]
    fn logits_are_interpolated_between_pixel_centres() {
        // Centres of four pixels lie at -1/4, 1/4, 3/4 and 5/4 of two samples; the ends are held.
        let logits = Tensor::new(Shape::new(1, 1, 2, 1), vec![0.0, 4.0]);
        let prediction = prediction(logits, 4, 3);
        let mut rows = prediction.rows();
        for y in 0..3 {
            assert_eq!(rows.row(y).data, [0.0, 1.0, 3.0, 4.0]);
        }
    }

    #[test]
    fn probabilities_of_two_classes_add_up() {
        let logits = Tensor::new(Shape::new(1, 1, 2, 1), vec![-3.0, 0.5]);
        let prediction = prediction(logits, 5, 2);
        let sums = prediction
            .probability(0)
            .iter()
            .zip(prediction.probability(1))
            .map(|(a, b)| a + b)
            .collect::<Vec<_>>();
        assert!(sums.len() == 10 && sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{sums:?}");
    }
}
