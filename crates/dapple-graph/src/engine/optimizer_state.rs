//! The optimizer's memory.

/// The optimizer's memory: with the parameters, everything that the next step depends on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Steps taken.
    pub steps: u64,
    /// One flat buffer a slot, laid out like [`State::values`](crate::State::values).
    pub slots: Vec<Vec<f32>>,
}
