//! The place where a training became NaN or infinite.

use crate::State;

/// The first value that is NaN or infinite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The parameter, or the layer (a node of the graph).
    pub place: String,
    /// Kind of value.
    pub kind: FaultKind,
}

/// Kind of value that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A parameter's own values.
    Parameter,
    /// A layer's output in the forward pass.
    Output,
    /// The loss of outputs that are all finite.
    Loss,
    /// A gradient that a layer passes on or that its parameters get.
    Gradient,
}

impl Fault {
    /// The first trained parameter with a value that is not finite.
    pub fn of_parameters(state: &State) -> Option<Self> {
        let wrong = |index: &usize| state.slice(*index).iter().any(|v| !v.is_finite());
        let mut trained = (0..state.specs.len()).filter(|&index| state.specs[index].role.trainable());
        trained
            .find(wrong)
            .map(|index| Self { place: state.specs[index].name.clone(), kind: FaultKind::Parameter })
    }

    /// The loss of finite outputs.
    pub fn of_loss() -> Self {
        Self { place: String::new(), kind: FaultKind::Loss }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            FaultKind::Parameter => write!(f, "parameter `{}`", self.place),
            FaultKind::Output => write!(f, "the output of layer `{}`", self.place),
            FaultKind::Loss => write!(f, "the loss of finite outputs"),
            FaultKind::Gradient => write!(f, "the gradient at layer `{}`", self.place),
        }
    }
}
