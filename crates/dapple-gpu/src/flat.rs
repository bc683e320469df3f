//! Flat buffers of values on the device: parameters, statistics, gradients, the optimizer's memory.

use burn_tensor::{Device, Tensor, TensorData};
use dapple_graph::EngineError;
use std::ops::Range;

/// Values in one tensor; none where there are none, which devices have no buffers for.
#[derive(Clone)]
pub(crate) struct Flat(pub Option<Tensor<1>>);

impl Flat {
    /// A copy of these values on the device.
    pub fn new(values: &[f32], device: &Device) -> Self {
        Self((!values.is_empty()).then(|| upload(values.to_vec(), [values.len()], device)))
    }

    pub fn zeros(len: usize, device: &Device) -> Self {
        Self((len > 0).then(|| Tensor::zeros([len], device)))
    }

    /// The values, read back.
    ///
    /// # Errors
    /// If the device failed since the last reading.
    pub fn read(&self, device: &str) -> Result<Vec<f32>, EngineError> {
        self.0.as_ref().map_or(Ok(Vec::new()), |tensor| read(tensor.clone(), device))
    }

    /// A copy of a range that is not empty.
    pub fn cut(&self, range: Range<usize>) -> Option<Tensor<1>> {
        self.0.as_ref().map(|tensor| tensor.clone().slice([range]))
    }

    /// The function of each tensor of values, where there are any.
    pub fn map(&self, f: impl FnOnce(Tensor<1>) -> Tensor<1>) -> Self {
        Self(self.0.clone().map(f))
    }

    /// The function of two buffers of one length.
    pub fn with(&self, other: &Self, f: impl FnOnce(Tensor<1>, Tensor<1>) -> Tensor<1>) -> Self {
        Self(self.0.clone().zip(other.0.clone()).map(|(a, b)| f(a, b)))
    }

    /// With other values in some ranges, given in their order.
    pub fn replaced(&self, parts: Vec<(Range<usize>, Tensor<1>)>) -> Self {
        let Some(tensor) = &self.0 else { return self.clone() };
        let mut pieces = Vec::new();
        let mut next = 0;
        for (range, part) in parts {
            if range.start > next {
                pieces.push(tensor.clone().narrow(0, next, range.start - next));
            }
            next = range.end;
            pieces.push(part);
        }
        let len = tensor.dims()[0];
        if next < len {
            pieces.push(tensor.clone().narrow(0, next, len - next));
        }
        Self(Some(Tensor::cat(pieces, 0)))
    }
}

/// Values as a tensor on the device, without gradients.
pub(crate) fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor, row-major.
///
/// # Errors
/// If the device failed since the last reading.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>, device: &str) -> Result<Vec<f32>, EngineError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| EngineError::Device { device: device.into(), why: error.to_string() })
}

/// The sum of all values, row by row: long sums lose digits in fp32, and llvmpipe ends them early.
pub(crate) fn sum(values: Tensor<1>) -> Tensor<1> {
    const ROW: usize = 1024;
    let [len] = values.dims();
    let rows = len / ROW;
    if rows < 2 {
        return values.sum();
    }
    let whole = values.clone().narrow(0, 0, rows * ROW).reshape([rows, ROW]).sum_dim(1).sum();
    if rows * ROW == len { whole } else { whole + values.narrow(0, rows * ROW, len - rows * ROW).sum() }
}
