//! Using a model: from an image of any size to labels and probabilities of that size.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dapple_data::{Classes, InputSettings, Raster};
use dapple_graph::{DropoutState, Engine, Executor, Mode, Network, Op, Shape, Tensor};
use dapple_nets::checkpoint::{ModelCard, ModelFile};
use dapple_nets::{Activation, NetConfig, monte_carlo};

use crate::model::{classes_of, input_of, load_model, load_models};
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

    /// Loads a model file, an ensemble's, or that of a run's folder: one segmenter for each model.
    ///
    /// # Errors
    /// As [`Segmenter::load`].
    pub fn load_all(run_or_file: &Path, engine: &dyn Engine) -> Result<Vec<Self>, TrainError> {
        load_models(run_or_file)?.into_iter().map(|model| Self::new(model, engine)).collect()
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

    /// What the network sees of an image.
    pub fn input(&self) -> InputSettings {
        self.input
    }

    /// Predicts one image: it is resized to the network's input as in training, and the logits are resized back to the
    /// image's size, bilinearly.
    ///
    /// # Errors
    /// [`TrainError::Engine`] from the engine.
    pub fn predict(&self, image: &Raster) -> Result<Prediction, TrainError> {
        let InputSettings { height, width, channels, .. } = self.input;
        let input = Tensor::new(Shape::new(1, height, width, channels), self.input.prepare(image.clone())?);
        Ok(self.prediction(self.logits(&input)?, image.width, image.height))
    }

    /// Runs the network on a batch of prepared inputs, `[n, h, w, channels]` of any size that it can take; gives the
    /// logits of its first output, `[n, h, w, k]`.
    ///
    /// # Errors
    /// [`TrainError::Engine`] from the engine.
    pub fn logits(&self, input: &Tensor) -> Result<Tensor, TrainError> {
        // A panic of another thread in the engine leaves nothing behind that a forward pass reads.
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outputs = executor.forward(input, Mode::Predict)?;
        Ok(outputs.swap_remove(0))
    }

    /// Whether the network has dropout, so that samples of it differ.
    ///
    /// # Errors
    /// [`TrainError::Graph`] for a network that cannot be built.
    pub fn has_dropout(&self) -> Result<bool, TrainError> {
        let network = &self.card.network;
        let graph = network.build(network.example_input())?;
        Ok(graph.nodes().iter().any(|node| matches!(node.op, Op::Dropout { rate, .. } if rate > 0.0)))
    }

    /// Runs the network `samples` times with dropout on a batch of prepared inputs, as [`monte_carlo`] does from a place in
    /// dropout's random numbers on; gives logits, `[n, h, w, k]`, whose probabilities are the means of the samples'.
    ///
    /// # Errors
    /// [`TrainError::Engine`] from the engine, and for no samples.
    pub fn sample(&self, input: &Tensor, samples: usize, from: DropoutState) -> Result<Tensor, TrainError> {
        let activation = self.card.network.activation;
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        executor.set_dropout_state(from);
        let sampled = monte_carlo(executor.as_mut(), input, samples, activation)?;
        Ok(decide::logits(sampled.mean, activation))
    }

    /// The prediction for an image of a size that the logits of one image, `[1, h, w, k]`, stand for.
    pub fn prediction(&self, logits: Tensor, width: usize, height: usize) -> Prediction {
        let NetConfig { activation, classes, .. } = self.card.network;
        Prediction { logits, activation, classes, width, height }
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

    /// What turns the logits into probabilities.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Mixes the logits with those of another prediction, which counts by `share`, 0 to 1; one whose logits are of another
    /// shape is left out.
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
    /// If there is no such class.
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
            prediction: self,
            columns: (0..self.width).map(|x| Between::of(x, self.width, w)).collect(),
            blended: vec![0.0; w * c],
            row: Tensor::zeros(Shape::new(1, 1, self.width, c)),
        }
    }
}

/// Gives the logits of an image row by row, interpolated between pixel centres, in memory for one row.
#[derive(Debug)]
pub struct LogitRows<'a> {
    prediction: &'a Prediction,
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
        let Prediction { logits, height, .. } = self.prediction;
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
