//! Settings of the loss.

use dapple_data::ClassStatistics;
use dapple_graph::{Loss, LossKind, LossTerm};
use dapple_nets::registry::NetworkEntry;
use serde::{Deserialize, Serialize};

use super::edits;
use super::kind::{Kind, Range, Word};
use super::setting::{Flag, Group, Setting, number, settings, table, word};

/// The weights of classes that have a name.
const WEIGHTINGS: &[Word] = &[("none", ""), ("median-frequency", "")];
/// The kinds of terms, as files name them.
const KINDS: &[Word] = &[
    ("cross-entropy", ""),
    ("binary-cross-entropy", ""),
    ("dice", ""),
    ("focal", ""),
    ("tversky", ""),
    ("lovasz", ""),
    ("boundary", ""),
    ("ohem", ""),
];

settings! {
    /// The loss: the sum of the terms, taken for every output of the network and summed.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct LossConfig: LOSS("loss.", Group::Loss) {
        /// Weights of the classes (median-frequency: from the training masks).
        ///
        /// Median frequency over frequency: Eigen and Fergus 2015, section 4.3. A list has a number for each class.
        class_weights: ClassWeights = Setting::of(Kind::WordOrNumbers(WEIGHTINGS, Range::from(0.0)))
            .auto()
            .example("[1.0, 4.0]")
            .flag(
                Flag::new("class-weights", "WEIGHTS").help(
                    "Weights of the classes in the loss: none, median-frequency, or numbers separated by commas",
                ),
            ),
        /// Factor of the loss for each output of the network, 1 where the list ends.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        output_weights: Vec<f32> = Setting::of(Kind::Numbers(Range::from(0.0)))
            .unset("1 for each output")
            .example("[1.0, 0.5]")
            .flag(
                Flag::new("output-weights", "FACTORS").help(
                    "Deep supervision: a factor of the loss for each output of the network, separated by commas",
                ),
            ),
        /// Factor of the cross-entropy over the pixels that the output of boundaries takes for boundary.
        ///
        /// Boundary-aware cross-entropy (Xu et al. 2023, section 3.4), of the first output; pixels count whose boundary has a
        /// probability above 0.8.
        #[serde(default, skip_serializing_if = "is_zero")]
        boundary_aware: f32 = number(Range::from(0.0)).unset("0").example("1.0").flag(
            Flag::new("boundary-aware", "FACTOR")
                .help("Factor of PIDNet's cross-entropy over pixels that it takes for boundary; 0 for none"),
        ),
        /// Terms of the loss, one table each.
        terms: Vec<LossTerm> = table().flag(
            Flag::new("loss", "LOSS")
                .help(
                    "ce (cross-entropy), bce (binary cross-entropy), dice, focal, tversky, lovasz, boundary, ohem, or sums \
                     such as ce+dice, focal+lovasz, ce+0.01*boundary",
                )
                .by(edits::loss)
                .also(&["network.activation"]),
        ),
    }
}

settings! {
    const TERMS("loss.terms.", Group::Loss) {
        /// Kind of the term.
        kind = word(KINDS).example("\"dice\""),
        /// Factor of the term.
        weight = number(Range::from(0.0)).default("1").example("0.5"),
        /// cross-entropy: share of the truth that is spread over all classes.
        ///
        /// Szegedy et al. 2016, section 7; with class weights as PyTorch has it.
        smoothing = number(Range::from(0.0).below(1.0)).unset("0").example("0.1").flag(
            Flag::new("label-smoothing", "SHARE")
                .help("Cross-entropy: share of the truth that is spread over all classes, 0.1 for example")
                .by(edits::label_smoothing),
        ),
        /// focal: the exponent, 0 or at least 1.
        gamma = number(Range::from(0.0).to(64.0)).unset("2").example("1.0"),
        /// tversky: weight of false positives.
        alpha = number(Range::from(0.0)).unset("0.3").example("0.5"),
        /// tversky: weight of false negatives.
        beta = number(Range::from(0.0)).unset("0.7").example("0.5"),
        /// ohem: share of the pixels that count, those with the largest loss.
        keep = number(Range::above(0.0).to(1.0)).unset("0.25").example("0.5"),
    }
}

/// All settings of the loss.
pub(super) const TABLES: [&[Setting]; 2] = [LOSS, TERMS];

fn is_zero(factor: &f32) -> bool {
    *factor == 0.0
}

/// Weights of the classes in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All alike.
    None,
    /// Median frequency over frequency, from the training masks (Eigen and Fergus 2015, section 4.3).
    MedianFrequency,
    /// A number for each class.
    #[serde(untagged)]
    Given(Vec<f32>),
}

impl LossConfig {
    /// The terms with factor 1 each and no class weights.
    pub fn sum_of(kinds: &[LossKind]) -> Self {
        let terms = kinds.iter().map(|&kind| LossTerm::new(kind, 1.0)).collect();
        Self { class_weights: ClassWeights::None, output_weights: Vec::new(), boundary_aware: 0.0, terms }
    }

    /// The loss of a network with the class weights as numbers; `statistics` are those of the training masks.
    pub fn resolve(&self, network: &NetworkEntry, ignore: Option<u8>, statistics: &ClassStatistics) -> Loss {
        let class_weights = match &self.class_weights {
            ClassWeights::None => None,
            ClassWeights::MedianFrequency => Some(statistics.median_frequency_weights()),
            ClassWeights::Given(weights) => Some(weights.clone()),
        };
        Loss {
            terms: self.terms.clone(),
            ignore,
            class_weights,
            output_weights: self.output_weights.clone(),
            output_targets: network.output_targets.to_vec(),
            boundary_aware: self.boundary_aware,
        }
    }
}
