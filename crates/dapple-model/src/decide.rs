//! From logits to labels and probabilities.

use dapple_graph::Tensor;
use dapple_nets::Activation;

/// The label of every pixel of `logits` (`[n, h, w, k]`), `[n, h, w]`: the class with the highest logit, the lowest if
/// several are equal. A single logit is that of class 1, chosen where it is above 0, which is where its probability is above ½.
pub fn labels(logits: &Tensor) -> Vec<u8> {
    match logits.shape.c {
        1 => logits.data.iter().map(|&logit| u8::from(logit > 0.0)).collect(),
        classes => logits.data.chunks_exact(classes).map(highest).collect(),
    }
}

fn highest(logits: &[f32]) -> u8 {
    let mut best = 0;
    for (class, &logit) in logits.iter().enumerate() {
        if logit > logits[best] {
            best = class;
        }
    }
    // A network has at most 256 classes.
    best as u8
}

/// The probability of every class at every pixel, `[n, h, w, classes]`: softmax over the logits or sigmoid of each. A
/// single logit gives two classes; the background's probability is the complement.
pub fn probabilities(logits: &Tensor, activation: Activation) -> Vec<f32> {
    let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
    match (logits.shape.c, activation) {
        (1, _) => logits.data.iter().flat_map(|&logit| [sigmoid(-logit), sigmoid(logit)]).collect(),
        (_, Activation::Sigmoid) => logits.data.iter().map(|&logit| sigmoid(logit)).collect(),
        (classes, Activation::Softmax) => {
            let mut probabilities = logits.data.clone();
            probabilities.chunks_exact_mut(classes).for_each(softmax);
            probabilities
        }
    }
}

/// The logits of probabilities `[n, h, w, k]`, with as many values per pixel as the network has outputs: the inverse of [`probabilities`].
/// Probabilities are clamped to within 1e-7 of 0 and 1, so that logits stay finite.
pub fn logits(probabilities: Tensor, activation: Activation) -> Tensor {
    const LEAST: f32 = 1e-7;
    let Tensor { shape, mut data } = probabilities;
    for value in &mut data {
        let p = value.clamp(LEAST, 1.0 - LEAST);
        *value = match activation {
            Activation::Sigmoid => (p / (1.0 - p)).ln(),
            Activation::Softmax => p.ln(),
        };
    }
    Tensor::new(shape, data)
}

fn softmax(values: &mut [f32]) {
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (*v - highest).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::Shape;

    #[test]
    fn the_highest_logit_wins_and_the_first_of_equals() {
        let logits =
            Tensor::new(Shape::new(1, 1, 3, 3), vec![0.0, 2.0, 1.0, 5.0, 5.0, 5.0, -3.0, -2.0, -1.0]);
        assert_eq!(labels(&logits), [1, 0, 2]);
        let single = Tensor::new(Shape::new(1, 1, 3, 1), vec![-0.1, 0.0, 0.1]);
        assert_eq!(labels(&single), [0, 0, 1]);
    }

    #[test]
    fn logits_of_probabilities_give_them_again() {
        let wanted = [0.1, 0.7, 0.2, 0.0, 0.0, 1.0];
        for activation in [Activation::Sigmoid, Activation::Softmax] {
            let tensor = Tensor::new(Shape::new(1, 1, 2, 3), wanted.to_vec());
            let found = probabilities(&logits(tensor, activation), activation);
            assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?}");
        }
    }

    #[test]
    fn probabilities_by_hand() {
        let logits = Tensor::new(Shape::new(1, 1, 1, 2), vec![0.0, 3f32.ln()]);
        let close = |found: Vec<f32>, wanted: [f32; 2]| {
            assert!(
                found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-6),
                "{found:?} is not {wanted:?}"
            );
        };
        close(probabilities(&logits, Activation::Softmax), [0.25, 0.75]);
        close(probabilities(&logits, Activation::Sigmoid), [0.5, 0.75]);
        let single = Tensor::new(Shape::new(1, 1, 1, 1), vec![3f32.ln()]);
        close(probabilities(&single, Activation::Sigmoid), [0.25, 0.75]);
        // Large logits do not overflow.
        let large = Tensor::new(Shape::new(1, 1, 1, 2), vec![1e4, -1e4]);
        assert_eq!(probabilities(&large, Activation::Softmax), [1.0, 0.0]);
    }
}
