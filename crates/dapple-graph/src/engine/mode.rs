//! The modes of a forward pass.

/// How a graph is run forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Batch norm takes the batch's statistics and updates the running ones; dropout drops; the backward pass's inputs
    /// are kept. All outputs.
    Train,
    /// Batch norm takes its running statistics. All outputs.
    Eval,
    /// As `Eval`, but the first output only; whatever can be folded or left out is.
    Predict,
    /// As `Eval`, but dropout drops: each pass is a sample of the network (Monte Carlo dropout, Gal and Ghahramani
    /// 2016; Bayesian SegNet, Kendall et al. 2017).
    Sample,
}

impl Mode {
    /// Whether dropout drops, and so takes a position in its stream of random numbers.
    pub fn drops(self) -> bool {
        matches!(self, Self::Train | Self::Sample)
    }
}

/// The modes of a forward pass without gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inference {
    /// [`Mode::Eval`].
    Eval,
    /// [`Mode::Predict`].
    Predict,
    /// [`Mode::Sample`].
    Sample,
}

impl From<Inference> for Mode {
    fn from(inference: Inference) -> Self {
        match inference {
            Inference::Eval => Self::Eval,
            Inference::Predict => Self::Predict,
            Inference::Sample => Self::Sample,
        }
    }
}
