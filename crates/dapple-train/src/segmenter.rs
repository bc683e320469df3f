//! Using a model: from an image of any size to labels and probabilities of that size.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dapple_data::{Classes, InputSettings, Raster};
use dapple_graph::{Engine, Executor, Mode, Shape, Tensor};
use dapple_nets::Activation;
use dapple_nets::checkpoint::{ModelCard, ModelFile};

use crate::model::{classes_of, input_of, load_model};
use crate::{TrainError, decide};

/// A model ready to predict. It may be shared between threads, which then take turns with the network.
pub struct Segmenter {
    card: ModelCard,
    input: InputSettings,
    executor: Mutex<Box<dyn Executor>>,
}

impl Segmenter {
    /// Loads a model file, or the best model of a run's folder.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] if it cannot be read or is no model, [`TrainError::Engine`] from the engine.
    pub fn load(run_or_file: &Path, engine: &dyn Engine) -> Result<Self, TrainError> {
        Self::new(load_model(run_or_file)?, engine)
    }

    /// A model on an engine.
    ///
    /// # Errors
    /// [`TrainError::Engine`] from the engine, [`TrainError::Data`] for a model that takes no images.
    pub fn new(model: ModelFile, engine: &dyn Engine) -> Result<Self, TrainError> {
        let input = input_of(&model.card)?;
        let executor = engine.load(Arc::new(model.card.network.clone()), &model.state, None)?;
        Ok(Self { card: model.card, input, executor: Mutex::new(executor) })
    }

    /// What the model says of itself.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Names and colours of its classes.
    pub fn classes(&self) -> Classes {
        classes_of(&self.card)
    }

    /// Predicts one image: it is resized to the network's input as in training, and the logits are resized back to the
    /// image's size, bilinearly.
    ///
    /// # Errors
    /// [`TrainError::Engine`] from the engine.
    pub fn predict(&self, image: &Raster) -> Result<Prediction, TrainError> {
        let InputSettings { height, width, channels, .. } = self.input;
        let input = Tensor::new(Shape::new(1, height, width, channels), self.input.prepare(image.clone())?);
        // A panic of another thread in the engine leaves nothing behind that a forward pass reads.
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = executor.forward(&input, Mode::Predict)?;
        Ok(Prediction {
            logits: outputs.swap_remove(0),
            activation: self.card.network.activation,
            classes: self.card.network.classes,
            width: image.width,
            height: image.height,
        })
    }
}

/// What a model predicts for one image, at the image's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// At the network's size; brought to the image's size row by row where it is asked for.
    logits: Tensor,
    activation: Activation,
    classes: usize,
    width: usize,
    height: usize,
}

impl Prediction {
    /// Width of the image in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height of the image in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The class of every pixel, `[height, width]`.
    pub fn labels(&self) -> Vec<u8> {
        let mut labels = Vec::with_capacity(self.width * self.height);
        self.for_each_row(|row| labels.extend(decide::labels(row)));
        labels
    }

    /// The probability of one class at every pixel, `[height, width]`, 0 to 1.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn probability(&self, class: usize) -> Vec<f32> {
        assert!(class < self.classes, "class {class} of {}", self.classes);
        let mut map = Vec::with_capacity(self.width * self.height);
        self.for_each_row(|row| {
            map.extend(
                decide::probabilities(row, self.activation).chunks_exact(self.classes).map(|p| p[class]),
            );
        });
        map
    }

    /// The logits of each of the image's rows, `[1, 1, width, k]`, interpolated between pixel centres.
    fn for_each_row(&self, mut on_row: impl FnMut(&Tensor)) {
        let Shape { h, w, c, .. } = self.logits.shape;
        let columns: Vec<Between> = (0..self.width).map(|x| Between::of(x, self.width, w)).collect();
        let source = |y: usize| &self.logits.data[y * w * c..][..w * c];
        let mut blended = vec![0.0; w * c];
        let mut row = Tensor::zeros(Shape::new(1, 1, self.width, c));
        for y in 0..self.height {
            let rows = Between::of(y, self.height, h);
            for (to, (a, b)) in blended.iter_mut().zip(source(rows.first).iter().zip(source(rows.second))) {
                *to = a + (b - a) * rows.share;
            }
            for (to, column) in row.data.chunks_exact_mut(c).zip(&columns) {
                let (a, b) = (&blended[column.first * c..][..c], &blended[column.second * c..][..c]);
                for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
                    *to = a + (b - a) * column.share;
                }
            }
            on_row(&row);
        }
    }
}

/// A position between two neighbouring samples.
struct Between {
    first: usize,
    second: usize,
    /// The second one's share.
    share: f32,
}

impl Between {
    /// Where the centre of pixel `index` of `size` lies among `samples`, at the edges on the outermost one.
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

    fn prediction(logits: Tensor, width: usize, height: usize) -> Prediction {
        Prediction { logits, activation: Activation::Sigmoid, classes: 2, width, height }
    }

    #[test]
    fn a_segmenter_may_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Segmenter>();
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
        let mut rows = Vec::new();
        prediction(logits, 4, 3).for_each_row(|row| rows.push(row.data.clone()));
        assert_eq!(rows, vec![vec![0.0, 1.0, 3.0, 4.0]; 3]);
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
