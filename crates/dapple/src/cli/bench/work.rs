//! The timed work.

use std::path::Path;
use std::time::Instant;

use dapple::graph::{Inference, Loss, Shape, Tensor};
use safetensors::tensor::{Dtype, TensorView};

use super::subject::{Runner, Subject};
use crate::cli::failure::Failure;

/// Training steps, or inference, on one batch.
pub(super) struct Work {
    pub input: Tensor,
    pub loss: Loss,
    pub labels: Vec<u8>,
}

impl Work {
    /// Once each without counting, then rounds in which the subjects take turns.
    pub fn in_turns(&self, subjects: &mut [Subject], rounds: usize) -> Result<(), Failure> {
        for subject in subjects.iter_mut() {
            self.once(subject)?;
        }
        for _ in 0..rounds {
            for subject in subjects.iter_mut() {
                let start = Instant::now();
                self.once(subject)?;
                subject.seconds.push(start.elapsed().as_secs_f64());
            }
        }
        Ok(())
    }

    /// One training step, or one inference with its output.
    fn once(&self, subject: &mut Subject) -> Result<(), Failure> {
        match &mut subject.runner {
            Runner::Train(trainer) => {
                subject.losses.push(trainer.accumulate(&self.input, &self.labels, &self.loss, 1.0)? as f32);
                trainer.step(1e-4, None)?;
            }
            Runner::Infer(executor) => {
                let output = executor.infer(&self.input, Inference::Predict)?.into_iter().next();
                subject.output = subject.output.take().or(output);
            }
        }
        Ok(())
    }

    /// Writes the input with the first output or the losses.
    pub fn dump(&self, file: &Path, subject: &Subject) -> Result<(), Failure> {
        let le = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let dims = |s: Shape| vec![s.n, s.h, s.w, s.c];
        let (name, shape, result) = match &subject.output {
            Some(output) => ("output", dims(output.shape), le(&output.data)),
            None => ("losses", vec![subject.losses.len()], le(&subject.losses)),
        };
        let input_values = le(&self.input.data);
        let view = |shape, values| TensorView::new(Dtype::F32, shape, values).map_err(Failure::other);
        let tensors =
            [("input", view(dims(self.input.shape), &input_values)?), (name, view(shape, &result)?)];
        let bytes = safetensors::serialize(tensors, None).map_err(Failure::other)?;
        dapple_base::write_atomic(file, &bytes)?;
        Ok(())
    }
}

/// The middle value, the upper one of two.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Arbitrary pixels: a fixed sequence in -2 to 2 (Knuth's multiplicative hash).
pub(super) fn image(shape: Shape) -> Tensor {
    let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 4_194_304.0 - 2.0;
    Tensor::new(shape, (0..shape.len()).map(value).collect())
}

/// Squares of 16 pixels of all classes in turn.
pub(super) fn labels(shape: Shape, classes: usize) -> Vec<u8> {
    let label = |pixel: usize| ((pixel / shape.w % shape.h / 16 + pixel % shape.w / 16) % classes) as u8;
    (0..shape.pixels()).map(label).collect()
}
