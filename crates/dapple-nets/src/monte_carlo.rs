//! Predictions of networks with dropout, with their uncertainty. Gal and Ghahramani, "Dropout as a Bayesian
//! Approximation", ICML 2016; Kendall, Badrinarayanan and Cipolla, "Bayesian SegNet", BMVC 2017, section 3,
//! <https://arxiv.org/abs/1511.02680>.

use crate::config::Activation;
use dapple_graph::{EngineError, Executor, Inference, Shape, Tensor};

/// Statistics of several passes with dropout.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Mean probabilities `[n, h, w, logits]`.
    pub mean: Tensor,
    /// Variance of the probabilities `[n, h, w, 1]`, the mean over the channels.
    pub uncertainty: Tensor,
}

/// Runs the network `samples` times with dropout, and takes mean and variance of the probabilities of its first output.
/// The samples are those that follow the executor's dropout state, so that they can be repeated.
///
/// # Errors
/// As [`Executor::infer`], and for no samples.
pub fn monte_carlo(
    executor: &mut dyn Executor,
    input: &Tensor,
    samples: usize,
    activation: Activation,
) -> Result<Sampled, EngineError> {
    let mut sums: Option<(Shape, Vec<f64>, Vec<f64>)> = None;
    for _ in 0..samples {
        let mut logits = executor.infer(input, Inference::Sample)?.swap_remove(0);
        probabilities(&mut logits, activation);
        let (_, sum, squares) = sums.get_or_insert_with(|| {
            (logits.shape, vec![0.0; logits.data.len()], vec![0.0; logits.data.len()])
        });
        for ((sum, square), &value) in sum.iter_mut().zip(squares).zip(&logits.data) {
            *sum += f64::from(value);
            *square += f64::from(value) * f64::from(value);
        }
    }
    let (shape, sum, squares) =
        sums.ok_or_else(|| EngineError::Input("at least one sample is needed".into()))?;
    let count = samples as f64;
    let mean: Vec<f64> = sum.iter().map(|v| v / count).collect();
    let variance = |pixel: (&[f64], &[f64])| {
        let each = pixel.0.iter().zip(pixel.1).map(|(square, mean)| (square / count - mean * mean).max(0.0));
        (each.sum::<f64>() / shape.c as f64) as f32
    };
    let channels = shape.c.max(1);
    let uncertainty = squares.chunks(channels).zip(mean.chunks(channels)).map(variance).collect();
    Ok(Sampled {
        uncertainty: Tensor::new(shape.with_channels(1), uncertainty),
        mean: Tensor::new(shape, mean.iter().map(|&v| v as f32).collect()),
    })
}

/// Logits to probabilities, in place.
fn probabilities(logits: &mut Tensor, activation: Activation) {
    match activation {
        Activation::Sigmoid => logits.data.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp())),
        Activation::Softmax => {
            for pixel in logits.data.chunks_mut(logits.shape.c.max(1)) {
                let largest = pixel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                pixel.iter_mut().for_each(|v| *v = (*v - largest).exp());
                let sum: f32 = pixel.iter().sum();
                pixel.iter_mut().for_each(|v| *v /= sum);
            }
        }
    }
}
