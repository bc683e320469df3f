//! The terms of a loss, grouped by the sums that they share.

use dapple_graph::{Loss, LossKind, LossTerm};

/// A factor for each kind, or for each setting of it; 0 or nothing for kinds that the loss does not have.
pub(super) struct Terms {
    /// Of the truth's weighted `-log p`.
    pub nll: f64,
    /// Of the sum of all classes' (label smoothing).
    pub smooth: f64,
    pub binary: f64,
    /// Exponent and factor.
    pub focal: Vec<(f32, f64)>,
    pub overlaps: Vec<Overlap>,
    pub lovasz: f64,
    pub boundary: f64,
    /// Share of the pixels and factor.
    pub ohem: Vec<(f32, f64)>,
}

/// A Tversky loss; Dice is that of ½ and ½.
pub(super) struct Overlap {
    pub weight: f64,
    /// Weights of false positives and of false negatives.
    pub alpha: f64,
    pub beta: f64,
}

impl Terms {
    pub fn new(loss: &Loss, channels: usize) -> Self {
        let all = |kind| loss.terms.iter().filter(move |t| t.kind == kind);
        let total = |kind| -> f64 { all(kind).map(weight).sum() };
        let smoothing = |t: &LossTerm| f64::from(t.smoothing());
        let overlap = |t: &LossTerm| match t.kind {
            LossKind::Dice => Some(Overlap { weight: weight(t), alpha: 0.5, beta: 0.5 }),
            LossKind::Tversky => {
                let [alpha, beta] = t.tversky().map(f64::from);
                Some(Overlap { weight: weight(t), alpha, beta })
            }
            _ => None,
        };
        Self {
            nll: all(LossKind::CrossEntropy).map(|t| weight(t) * (1.0 - smoothing(t))).sum(),
            smooth: all(LossKind::CrossEntropy).map(|t| weight(t) * smoothing(t) / channels as f64).sum(),
            binary: total(LossKind::BinaryCrossEntropy),
            focal: all(LossKind::Focal).map(|t| (t.gamma(), weight(t))).collect(),
            overlaps: loss.terms.iter().filter_map(overlap).collect(),
            lovasz: total(LossKind::Lovasz),
            boundary: total(LossKind::Boundary),
            ohem: all(LossKind::Ohem).map(|t| (t.keep(), weight(t))).collect(),
        }
    }

    /// Whether some term is made of the softmax's logarithms.
    pub fn cross_entropy(&self) -> bool {
        self.nll != 0.0 || self.smooth != 0.0
    }

    /// Whether some term needs the order of a whole batch.
    pub fn ordered(&self) -> bool {
        self.lovasz != 0.0 || !self.ohem.is_empty()
    }

    /// Whether some term needs the order or the distances of a whole batch.
    pub fn whole(&self) -> bool {
        self.lovasz != 0.0 || self.boundary != 0.0 || !self.ohem.is_empty()
    }
}

fn weight(term: &LossTerm) -> f64 {
    f64::from(term.weight)
}
