//! The factors of all terms in the gradient of the logits.

use super::whole::Whole;

/// Everything that a pixel's gradient is made of.
pub(super) struct Slopes<'a> {
    pub whole: &'a Whole,
    /// Factors of the truth's and of all classes' `-log p`.
    pub nll: f32,
    pub smooth: f32,
    pub binary: f32,
    /// Exponent and factor.
    pub focal: Vec<(f32, f32)>,
    /// By the probability, outside and inside the truth of each class.
    pub overlap: Vec<[f32; 2]>,
    /// Of `whole`.
    pub factor: f32,
    /// The sum of the classes' weights.
    pub total: f32,
}
