//! Losses: the quantities that training minimizes.

use crate::{Shape, Target};
use dapple_base::InputFault;
use serde::{Deserialize, Serialize};

/// Labels and settings of a loss that do not fit the outputs or each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LossError {
    /// Not one label for each pixel.
    #[error("{labels} labels for {} pixels of logits {logits}", logits.pixels())]
    Labels {
        /// Labels given.
        labels: usize,
        /// Shape of the logits.
        logits: Shape,
    },
    /// A label without a channel.
    #[error("label {label} is not one of the {classes} classes and not the ignored label")]
    Label {
        /// The label.
        label: u8,
        /// Channels of the logits.
        classes: usize,
    },
    /// Softmax over one channel.
    #[error("cross-entropy needs a logit for each of two or more classes; use binary cross-entropy")]
    OneChannel,
    /// Not one weight for each class.
    #[error("{weights} class weights for {classes} classes")]
    ClassWeights {
        /// Weights given.
        weights: usize,
        /// Classes: the logits' channels or, for one channel, 2.
        classes: usize,
    },
    /// A boundary-aware loss without an output that learns boundaries.
    #[error("the boundary-aware loss needs an output of the network that learns boundaries; leave it out")]
    NoBoundaries,
    /// Boundaries for the primary output.
    #[error(
        "the network's first output is its prediction and learns the labels; give boundaries to another one"
    )]
    FirstOutput,
    /// Boundaries for an output of several channels.
    #[error("output {output} has {channels} channels; boundaries are learnt on one")]
    BoundaryChannels {
        /// Number of the output.
        output: usize,
        /// Its channels.
        channels: usize,
    },
    /// All labels of a byte occur.
    #[error(
        "the boundary-aware loss needs a label for pixels that it leaves out, but all 256 occur; leave it out"
    )]
    NoSpareLabel,
    /// The factor of a term is NaN or infinite.
    #[error("a loss term's weight is {0}; give a number")]
    Weight(f32),
    /// A term with another kind's setting.
    #[error("a loss term of kind {kind:?} has no `{name}`; leave it out")]
    ForeignSetting {
        /// The term's kind.
        kind: LossKind,
        /// The setting.
        name: &'static str,
    },
    /// A setting outside its range.
    #[error("a loss term's `{name}` is {value}; give {allowed}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f32,
        /// Its range, in words.
        allowed: &'static str,
    },
}

impl InputFault for LossError {
    fn is_input_fault(&self) -> bool {
        true
    }
}

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
    /// Focal loss (Lin et al. 2017, equation 4): `(1 - p)^gamma` times the cross-entropy, `p` being the probability of
    /// the truth; the mean that [`LossKind::CrossEntropy`] takes, for one channel that of
    /// [`LossKind::BinaryCrossEntropy`].
    Focal,
    /// `1 -` Tversky index (Salehi et al. 2017, equation 2): Dice with `alpha` for false positives and `beta` for false
    /// negatives, `(I + ½) / (I + alpha (P - I) + beta (G - I) + ½)`, over the classes that [`LossKind::Dice`] counts.
    /// With ½ for both it is Dice.
    Tversky,
    /// The Lovász extension of the Jaccard loss over the whole batch (Berman et al. 2018): Lovász-softmax (section 3.1)
    /// averaged over the classes that occur, for one channel the Lovász hinge (section 2.2). No class weights.
    Lovasz,
    /// Boundary loss (Kervadec et al. 2019, equation 5): the mean over labelled pixels of the sum over classes of
    /// probability times signed distance, in pixels, to the border of the class in the truth, negative inside (see
    /// [`signed_distance`](crate::signed_distance)). All classes that an image has; for one channel the foreground. It can
    /// be negative, and needs a region loss with it: `weight` 0.01 is the paper's. No class weights.
    Boundary,
    /// Cross-entropy over the share `keep` of the labelled pixels with the largest one, rounded up (online hard example
    /// mining, Shrivastava et al. 2016; for pixels: Wu et al. 2016, section 3.2), earlier pixels first among equals. One
    /// channel: binary cross-entropy. Class weights weigh the mean, not the choice.
    Ohem,
}

/// One addend of a loss. What only some kinds have is left out, or set for these kinds only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossTerm {
    /// Kind.
    pub kind: LossKind,
    /// Factor.
    pub weight: f32,
    /// Cross-entropy: the share of the truth that is spread evenly over all classes (Szegedy et al. 2016, section 7),
    /// 0 to below 1; 0 if left out. With class weights as PyTorch has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<f32>,
    /// Focal: the exponent, 0 or at least 1; 2 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f32>,
    /// Tversky: what false positives count, at least 0; 0.3 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f32>,
    /// Tversky: what false negatives count, at least 0; 0.7 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f32>,
    /// OHEM: the share of the pixels that count, above 0, at most 1; 0.25 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<f32>,
}

impl LossTerm {
    /// A term with its kind's usual settings.
    pub fn new(kind: LossKind, weight: f32) -> Self {
        Self { kind, weight, smoothing: None, gamma: None, alpha: None, beta: None, keep: None }
    }

    /// Share of the truth spread over the classes.
    pub fn smoothing(&self) -> f32 {
        self.smoothing.unwrap_or(0.0)
    }

    /// Focal loss's exponent.
    pub fn gamma(&self) -> f32 {
        self.gamma.unwrap_or(2.0)
    }

    /// Tversky's factors of false positives and false negatives.
    pub fn tversky(&self) -> [f32; 2] {
        [self.alpha.unwrap_or(0.3), self.beta.unwrap_or(0.7)]
    }

    /// OHEM's share of the pixels.
    pub fn keep(&self) -> f32 {
        self.keep.unwrap_or(0.25)
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`LossError::Weight`], [`LossError::ForeignSetting`] or [`LossError::Setting`].
    pub fn check(&self) -> Result<(), LossError> {
        let kind = self.kind;
        let settings = [
            ("smoothing", self.smoothing, LossKind::CrossEntropy, "0 to below 1"),
            ("gamma", self.gamma, LossKind::Focal, "0, or at least 1"),
            ("alpha", self.alpha, LossKind::Tversky, "at least 0"),
            ("beta", self.beta, LossKind::Tversky, "at least 0"),
            ("keep", self.keep, LossKind::Ohem, "above 0, at most 1"),
        ];
        if !self.weight.is_finite() {
            return Err(LossError::Weight(self.weight));
        }
        for (name, value, owner, allowed) in settings {
            let Some(value) = value else { continue };
            if kind != owner {
                return Err(LossError::ForeignSetting { kind, name });
            }
            let fits = match name {
                "smoothing" => (0.0..1.0).contains(&value),
                // Between 0 and 1 the gradient has no bound where the probability is 1.
                "gamma" => value == 0.0 || (1.0..=64.0).contains(&value),
                "keep" => value > 0.0 && value <= 1.0,
                _ => value.is_finite() && value >= 0.0,
            };
            if !fits {
                return Err(LossError::Setting { name, value, allowed });
            }
        }
        Ok(())
    }
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
    /// The truth of each output of the network in its order; the labels where the list ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_targets: Vec<Target>,
    /// Factor of the boundary-aware cross-entropy (Xu et al. 2023, section 3.4): that of the first output over the pixels that
    /// the output with [`Target::Boundaries`] takes for boundary. 0 without one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub boundary_aware: f32,
}

fn is_zero(factor: &f32) -> bool {
    *factor == 0.0
}

impl Loss {
    /// One kind with factor 1, no ignored label, no class weights.
    pub fn single(kind: LossKind) -> Self {
        Self::sum(&[(kind, 1.0)])
    }

    /// A weighted sum of kinds.
    pub fn sum(terms: &[(LossKind, f32)]) -> Self {
        let terms = terms.iter().map(|&(kind, weight)| LossTerm::new(kind, weight)).collect();
        Self {
            terms,
            ignore: None,
            class_weights: None,
            output_weights: Vec::new(),
            output_targets: Vec::new(),
            boundary_aware: 0.0,
        }
    }

    /// Checks labels `[n, h, w]` and settings against logits of a shape that learn the labels; [`Loss::parts`] does so for
    /// every output.
    ///
    /// # Errors
    /// The first misfit: the number of labels or class weights, a label outside the classes, a term's settings.
    pub fn check(&self, labels: &[u8], logits: Shape) -> Result<(), LossError> {
        if labels.len() != logits.pixels() {
            return Err(LossError::Labels { labels: labels.len(), logits });
        }
        let classes = logits.c.max(2);
        if let Some(weights) = &self.class_weights
            && weights.len() != classes
        {
            return Err(LossError::ClassWeights { weights: weights.len(), classes });
        }
        if logits.c == 1 && self.terms.iter().any(|t| t.kind == LossKind::CrossEntropy) {
            return Err(LossError::OneChannel);
        }
        self.terms.iter().try_for_each(LossTerm::check)?;
        let outside =
            |&label: &u8| Some(label) != self.ignore && logits.c > 1 && usize::from(label) >= logits.c;
        match labels.iter().copied().find(outside) {
            Some(label) => Err(LossError::Label { label, classes: logits.c }),
            None => Ok(()),
        }
    }

    /// The divisor of the mean that this loss is, over these labels `[n, h, w]` with logits of so many channels: the sum of the
    /// weights of the labelled pixels, or their number. The loss of a batch in parts is then the mean of the parts' losses,
    /// weighed by their divisors. `None` for a loss that is no such mean: terms with different divisors, and those that see the
    /// whole batch (overlaps, Lovász, OHEM, boundaries).
    pub fn divisor(&self, labels: &[u8], channels: usize) -> Option<f64> {
        let mut by_weight = self.terms.iter().map(|term| match term.kind {
            LossKind::CrossEntropy => Some(true),
            LossKind::Focal => Some(channels > 1),
            LossKind::BinaryCrossEntropy | LossKind::Boundary => Some(false),
            _ => None,
        });
        let first = by_weight.next()??;
        let plain = self.class_weights.is_none();
        let other_targets = self.boundary_aware != 0.0 || !self.output_targets.is_empty();
        if other_targets || !by_weight.all(|other| other.is_some_and(|other| plain || other == first)) {
            return None;
        }
        let weight = |label: u8| match &self.class_weights {
            Some(weights) if first => f64::from(weights.get(usize::from(label)).copied().unwrap_or(0.0)),
            _ => 1.0,
        };
        Some(labels.iter().filter(|label| Some(**label) != self.ignore).map(|label| weight(*label)).sum())
    }

    /// Factor of the network's output `index`.
    pub fn output_weight(&self, index: usize) -> f32 {
        self.output_weights.get(index).copied().unwrap_or(1.0)
    }
}
