//! The circumstances of a pass and the value of a node.

use crate::params::Views;
use dapple_graph::{DropoutState, Mode};
use tch::{Device, Kind, TchError, Tensor};

/// The circumstances of a pass.
pub(crate) struct Context<'a> {
    pub views: &'a Views,
    pub device: Device,
    pub mode: Mode,
    /// The kind that convolutions and attention are computed in, where it is not single precision.
    pub low: Option<Kind>,
    pub dropout: DropoutState,
}

/// A node's value.
pub(crate) struct Computed {
    pub value: Tensor,
    /// Of a pooling: where its maxima stood.
    pub positions: Option<Tensor>,
}

impl From<Tensor> for Computed {
    fn from(value: Tensor) -> Self {
        Self { value, positions: None }
    }
}

impl Context<'_> {
    /// Whether dropout drops.
    pub(super) fn drops(&self) -> bool {
        matches!(self.mode, Mode::Train | Mode::Sample)
    }

    /// A value in the kind that convolutions want.
    pub(super) fn lowered(&self, x: &Tensor) -> Result<Tensor, TchError> {
        x.f_to_kind(self.low.unwrap_or(Kind::Float))
    }
}

/// In channels-last memory, where a call has answered in another format.
pub(super) fn channels_last(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])
}
