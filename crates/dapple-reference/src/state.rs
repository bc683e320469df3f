//! Parameters in `f64`.

use dapple_graph::{ParamId, ParamSpec, State};

/// The values of a network's parameters in `f64`, laid out as [`State`] has them.
#[derive(Clone, Debug, PartialEq)]
pub struct State64 {
    /// Places, shapes and roles of the parameters.
    pub specs: Vec<ParamSpec>,
    /// Trainable values.
    pub values: Vec<f64>,
    /// Running statistics.
    pub statistics: Vec<f64>,
}

impl State64 {
    /// Values of one parameter.
    ///
    /// # Panics
    /// For an id of another graph.
    pub fn slice(&self, id: ParamId) -> &[f64] {
        let spec = &self.specs[id.0];
        let buffer = if spec.role.trainable() { &self.values } else { &self.statistics };
        &buffer[spec.offset..spec.offset + spec.len()]
    }
}

impl From<&State> for State64 {
    fn from(state: &State) -> Self {
        let widen = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
        Self {
            specs: state.specs.clone(),
            values: widen(&state.values),
            statistics: widen(&state.statistics),
        }
    }
}
