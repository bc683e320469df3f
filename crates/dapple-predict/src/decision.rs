//! From probabilities to labels, and how sure they are.

/// The label of pixels whose most probable class is not above the threshold, where there are more than two classes.
pub const UNDECIDED: u8 = 255;

/// Appends the label of each pixel of `probabilities`, `[pixels, classes]`: the most probable class, the first of equals.
/// Of two classes the second is chosen where its probability is above `threshold` (½ by default).
pub(crate) fn decide(probabilities: &[f32], classes: usize, threshold: Option<f32>, labels: &mut Vec<u8>) {
    if classes == 2 {
        let threshold = threshold.unwrap_or(0.5);
        labels.extend(probabilities.as_chunks::<2>().0.iter().map(|p| u8::from(p[1] > threshold)));
        return;
    }
    labels.extend(probabilities.chunks_exact(classes).map(|p| {
        let best = (1..classes).fold(0, |best, class| if p[class] > p[best] { class } else { best });
        // A network has at most 256 classes.
        if threshold.is_some_and(|t| p[best] <= t) { UNDECIDED } else { best as u8 }
    }));
}

/// Appends the uncertainty of each pixel: the entropy of its probabilities over that of ignorance, 0 (sure) to 1.
///
/// Probabilities of sigmoids, which need not add up to 1, are divided by their sum first.
pub(crate) fn uncertainty(probabilities: &[f32], classes: usize, out: &mut Vec<f32>) {
    let most = (classes as f32).ln();
    out.extend(probabilities.chunks_exact(classes).map(|p| {
        let sum: f32 = p.iter().sum();
        let entropy: f32 =
            p.iter().map(|&p| p / sum.max(f32::MIN_POSITIVE)).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum();
        (entropy / most).clamp(0.0, 1.0)
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(probabilities: &[f32], classes: usize, threshold: Option<f32>) -> Vec<u8> {
        let mut labels = Vec::new();
        decide(probabilities, classes, threshold, &mut labels);
        labels
    }

    #[test]
    fn two_classes_by_threshold() {
        let probabilities = [0.4, 0.6, 0.5, 0.5, 0.1, 0.9];
        assert_eq!(labels(&probabilities, 2, None), [1, 0, 1]);
        assert_eq!(labels(&probabilities, 2, Some(0.8)), [0, 0, 1]);
    }

    #[test]
    fn many_classes_may_stay_undecided() {
        let probabilities = [0.2, 0.5, 0.3, 0.4, 0.2, 0.4];
        assert_eq!(labels(&probabilities, 3, None), [1, 0]);
        assert_eq!(labels(&probabilities, 3, Some(0.45)), [1, UNDECIDED]);
    }

    #[test]
    fn uncertainty_is_entropy() {
        let mut out = Vec::new();
        uncertainty(&[0.5, 0.5, 1.0, 0.0, 0.0, 0.0], 2, &mut out);
        assert!((out[0] - 1.0).abs() < 1e-6 && out[1] == 0.0 && out[2] == 0.0, "{out:?}");
    }
}
