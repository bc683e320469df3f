//! One output's logits with the truth about their pixels.

use crate::flat::upload;
use crate::ops::Map;
use burn_tensor::{Device, Int, Tensor, TensorData, activation};
use dapple_graph::{EngineError, Loss, Shape};

/// Logits and labels, pixel by pixel: `[pixels, channels]` and `[pixels, 1]`.
pub(super) struct Truth<'a> {
    pub loss: &'a Loss,
    pub labels: &'a [u8],
    pub shape: Shape,
    pub logits: Tensor<2>,
    /// 1 for pixels that count, `[pixels, 1]`.
    pub counted: Tensor<2>,
    /// 1 where a pixel is of the class that a channel stands for, `[pixels, channels]`; of one channel, label 1 is.
    pub truth: Tensor<2>,
    /// Pixels that count.
    pub labelled: usize,
    /// Of these, how many are of each channel's class.
    pub occurring: Vec<usize>,
    pub device: &'a Device,
    /// The device's name.
    pub name: &'a str,
}

impl<'a> Truth<'a> {
    pub fn new(
        logits: Map,
        labels: &'a [u8],
        loss: &'a Loss,
        device: &'a Device,
        name: &'a str,
    ) -> Result<Self, EngineError> {
        let [n, h, w, c] = logits.dims();
        let shape = Shape::new(n, h, w, c);
        loss.check(labels, shape)?;
        let pixels = shape.pixels();
        let number = |&label: &u8| if Some(label) == loss.ignore { -1 } else { i32::from(label) };
        let numbers: Vec<i32> = labels.iter().map(number).collect();
        let numbers: Tensor<2, Int> = Tensor::from_data(TensorData::new(numbers, [pixels, 1]), device);
        let counted = numbers.clone().greater_equal_scalar(0).float();
        let truth = match c {
            1 => numbers.equal_scalar(1).float(),
            _ => numbers.equal(Tensor::<1, Int>::arange(0..c as i64, device).reshape([1, c])).float(),
        };
        let mut truth = Self {
            loss,
            labels,
            shape,
            logits: logits.reshape([pixels, c]),
            counted,
            truth,
            labelled: 0,
            occurring: vec![0; c],
            device,
            name,
        };
        let mut occurring = vec![0; c];
        let mut labelled = 0;
        for (_, label) in truth.labelled() {
            labelled += 1;
            (0..c).filter(|k| truth.is_truth(*k, label)).for_each(|k| occurring[k] += 1);
        }
        (truth.labelled, truth.occurring) = (labelled, occurring);
        Ok(truth)
    }

    /// Pixels that count, with their labels.
    pub fn labelled(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        self.labels.iter().copied().enumerate().filter(|(_, label)| Some(*label) != self.loss.ignore)
    }

    /// Whether a label is the truth of channel `k`.
    pub fn is_truth(&self, k: usize, label: u8) -> bool {
        if self.shape.c == 1 { label == 1 } else { usize::from(label) == k }
    }

    /// Whether a channel's class is one that region losses average over.
    pub fn occurs(&self, k: usize) -> bool {
        self.shape.c == 1 || self.occurring[k] > 0
    }

    /// How many do.
    pub fn classes(&self) -> usize {
        (0..self.shape.c).filter(|&k| self.occurs(k)).count()
    }

    /// The weight of a label's pixel.
    pub fn weight(&self, label: u8) -> f32 {
        let class = if self.shape.c == 1 { usize::from(label == 1) } else { usize::from(label) };
        self.loss.class_weights.as_ref().map_or(1.0, |weights| weights[class])
    }

    /// The weights of the channels, `[1, channels]`; for one channel, nothing to speak of.
    pub fn channel_weights(&self) -> Tensor<2> {
        let weights = match &self.loss.class_weights {
            Some(weights) if self.shape.c > 1 => weights.clone(),
            _ => vec![1.0; self.shape.c],
        };
        upload(weights, [1, self.shape.c], self.device)
    }

    /// The weights of the pixels, 0 for those that do not count, `[pixels, 1]`.
    pub fn pixel_weights(&self) -> Tensor<2> {
        if self.loss.class_weights.is_none() {
            return self.counted.clone();
        }
        let mut weights = vec![0.0; self.labels.len()];
        self.labelled().for_each(|(pixel, label)| weights[pixel] = self.weight(label));
        self.of_pixels(weights, 1)
    }

    /// The sum of the pixels' weights.
    pub fn total_weight(&self) -> f64 {
        match self.loss.class_weights {
            None => self.labelled as f64,
            Some(_) => self.labelled().map(|(_, label)| f64::from(self.weight(label))).sum(),
        }
    }

    /// Values of pixels as a constant, `[pixels, columns]`.
    pub fn of_pixels(&self, values: Vec<f32>, columns: usize) -> Tensor<2> {
        upload(values, [self.labels.len(), columns], self.device)
    }

    /// Softmax, or the sigmoid of one channel.
    pub fn probabilities(&self) -> Tensor<2> {
        match self.shape.c {
            1 => activation::sigmoid(self.logits.clone()),
            _ => activation::softmax(self.logits.clone(), 1),
        }
    }

    /// Logarithms of the softmax.
    pub fn log_probabilities(&self) -> Tensor<2> {
        activation::log_softmax(self.logits.clone(), 1)
    }

    /// `-log p` of each channel's truth against the rest.
    pub fn binary(&self) -> Tensor<2> {
        softplus(self.logits.clone()) - self.truth.clone() * self.logits.clone()
    }

    /// `-log p` of each pixel's truth, `[pixels, 1]`.
    pub fn negative_log(&self) -> Tensor<2> {
        match self.shape.c {
            1 => self.binary(),
            _ => -(self.truth.clone() * self.log_probabilities()).sum_dim(1),
        }
    }

    /// Sums over pixels, `[channels]`: row by row first, so that no sum in fp32 is long.
    pub fn sum(&self, values: Tensor<2>) -> Tensor<1> {
        let Shape { n, h, w, .. } = self.shape;
        let [_, columns] = values.dims();
        values.reshape([n * h, w, columns]).sum_dim(1).sum_dim(0).reshape([columns])
    }
}

/// `log(1 + exp(z))` without overflow, and with its gradient at 0.
fn softplus(z: Tensor<2>) -> Tensor<2> {
    -activation::log_sigmoid(-z)
}
