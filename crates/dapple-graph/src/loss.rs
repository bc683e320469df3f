//! What training minimises.

use serde::{Deserialize, Serialize};

/// One kind of loss between logits `[n, h, w, k]` and a label map `[n, h, w]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Softmax cross-entropy over `k >= 2` classes: the mean over the labelled pixels, weighted by the
    /// class weights (sum of `weight * loss` over sum of weights, as PyTorch has it).
    CrossEntropy,
    /// Binary cross-entropy on logits. One channel: label 1 against the rest; more channels: one against
    /// the rest for each class. Mean over labelled pixels and channels; class weights multiply.
    BinaryCrossEntropy,
    /// `1 - Dice` (Milletari et al. 2016 with unsquared sums): softmax for `k >= 2`, sigmoid for one
    /// channel; `(2 I + 1) / (P + G + 1)` per class over the whole batch, mean over the classes that occur
    /// in the labels (for one channel: the foreground, always).
    Dice,
}

/// One addend of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossTerm {
    /// Kind.
    pub kind: LossKind,
    /// Factor.
    pub weight: f32,
}

/// A weighted sum of losses, taken for every output of the network and summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Addends.
    pub terms: Vec<LossTerm>,
    /// Pixels of this label count nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<u8>,
    /// A weight for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f32>>,
    /// A factor for each output of the network in its order; 1 where the list ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_weights: Vec<f32>,
}

impl Loss {
    /// One kind with factor 1, no ignored label, no class weights.
    pub fn single(kind: LossKind) -> Self {
        Self::sum(&[(kind, 1.0)])
    }

    /// A weighted sum of kinds.
    pub fn sum(terms: &[(LossKind, f32)]) -> Self {
        let terms = terms.iter().map(|&(kind, weight)| LossTerm { kind, weight }).collect();
        Self { terms, ignore: None, class_weights: None, output_weights: Vec::new() }
    }

    /// Factor of the network's output `index`.
    pub fn output_weight(&self, index: usize) -> f32 {
        self.output_weights.get(index).copied().unwrap_or(1.0)
    }
}
