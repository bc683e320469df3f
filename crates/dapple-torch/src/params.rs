//! Parameters as flat buffers, and as libtorch takes them in a pass.

use crate::transfer::{extent, upload};
use dapple_graph::{ParamId, ParamSpec, State};
use tch::{Device, Kind, TchError, Tensor};

/// Values of all parameters, laid out as in [`State`].
pub(crate) struct Params {
    pub specs: Vec<ParamSpec>,
    /// Trainable, `[values]`.
    pub values: Tensor,
    /// Running statistics, `[statistics]`.
    pub statistics: Tensor,
}

impl Params {
    pub fn new(state: &State, device: Device) -> Result<Self, TchError> {
        Ok(Self {
            specs: state.specs.clone(),
            values: upload(&state.values, device)?,
            statistics: upload(&state.statistics, device)?,
        })
    }

    /// The parameters for one pass. With `low`, weights are there in that kind too.
    pub fn views(&self, low: Option<Kind>) -> Result<Views, TchError> {
        // Shares its memory: what the pass is differentiated by.
        let leaf = self.values.f_detach()?.f_set_requires_grad(true)?;
        let low = match low {
            Some(kind) => Some(self.cut(&leaf.f_to_kind(kind)?, true)?),
            None => None,
        };
        let values = self.cut(&leaf, true)?;
        let statistics = self.cut(&self.statistics, false)?;
        Ok(Views { leaf, values, low, statistics })
    }

    /// A flat buffer cut into parameters of their shapes; `None` for those in the other buffer. Autograd joins their
    /// gradients in one step, as it would not those of single slices.
    fn cut(&self, flat: &Tensor, trainable: bool) -> Result<Vec<Option<Tensor>>, TchError> {
        let own = |spec: &&ParamSpec| spec.role.trainable() == trainable;
        let sizes: Vec<i64> = self.specs.iter().filter(own).map(|spec| extent(spec.len())).collect();
        if sizes.is_empty() {
            return Ok(self.specs.iter().map(|_| None).collect());
        }
        let mut parts = flat.f_split_with_sizes(sizes, 0)?.into_iter();
        let shaped = |spec: &ParamSpec| match own(&spec) {
            true => {
                let shape: Vec<i64> = spec.shape.iter().map(|&e| extent(e)).collect();
                parts.next().expect("one for each").f_view_(shape).map(Some)
            }
            false => Ok(None),
        };
        self.specs.iter().map(shaped).collect()
    }
}

/// The parameters in a pass.
pub(crate) struct Views {
    /// The flat buffer that gradients are taken by.
    pub leaf: Tensor,
    values: Vec<Option<Tensor>>,
    low: Option<Vec<Option<Tensor>>>,
    statistics: Vec<Option<Tensor>>,
}

impl Views {
    /// A parameter in single precision.
    pub fn get(&self, id: ParamId) -> &Tensor {
        let view = self.values[id.0].as_ref().or(self.statistics[id.0].as_ref());
        view.expect("a parameter is in one of the two buffers")
    }

    /// A trainable parameter in the pass's own precision.
    pub fn low(&self, id: ParamId) -> &Tensor {
        let low = self.low.as_ref().and_then(|low| low[id.0].as_ref());
        low.unwrap_or_else(|| self.get(id))
    }
}
