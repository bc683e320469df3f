//! Tensors that are known when a model is read: its weights, and whatever follows from the size of the input.

use crate::proto::DataType;
use std::sync::Arc;

/// Most elements of one tensor.
pub(crate) const MOST_ELEMENTS: usize = 1 << 31;

/// Most elements that a tensor without elements would have if its sides of zero were one.
const MOST_EMPTY: usize = 1 << 25;

/// A known tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub dims: Vec<usize>,
    /// ONNX's type of the elements, of which quantized integers keep theirs.
    pub kind: DataType,
    pub data: Data,
}

/// Elements in row-major order. All kinds of fractions are `f32`, all kinds of whole numbers and truths `i64`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Floats(Arc<Vec<f32>>),
    Ints(Arc<Vec<i64>>),
}

impl Constant {
    pub fn floats(dims: Vec<usize>, values: Vec<f32>) -> Self {
        Self { dims, kind: DataType::Float, data: Data::Floats(Arc::new(values)) }
    }

    pub fn ints(dims: Vec<usize>, values: Vec<i64>) -> Self {
        Self { dims, kind: DataType::Int64, data: Data::Ints(Arc::new(values)) }
    }

    pub fn truths(dims: Vec<usize>, values: Vec<i64>) -> Self {
        Self { kind: DataType::Bool, ..Self::ints(dims, values) }
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Ints(values) => values.len(),
        }
    }

    pub fn is_float(&self) -> bool {
        matches!(self.data, Data::Floats(_))
    }

    /// The elements as fractions.
    pub fn to_floats(&self) -> Arc<Vec<f32>> {
        match &self.data {
            Data::Floats(values) => Arc::clone(values),
            Data::Ints(values) => Arc::new(values.iter().map(|&value| value as f32).collect()),
        }
    }

    /// The elements as numbers of double precision.
    pub fn to_exact(&self) -> Vec<f64> {
        match &self.data {
            Data::Floats(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Data::Ints(values) => values.iter().map(|&value| value as f64).collect(),
        }
    }

    /// Elements of the same kind in another shape.
    pub fn like(&self, dims: Vec<usize>, values: Vec<f64>) -> Self {
        let data = match &self.data {
            Data::Floats(_) => Data::Floats(Arc::new(values.iter().map(|&value| value as f32).collect())),
            Data::Ints(_) => Data::Ints(Arc::new(values.iter().map(|&value| value as i64).collect())),
        };
        Self { dims, kind: self.kind, data }
    }

    /// The elements as whole numbers, if they are.
    pub fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Ints(values) => Some(values),
            Data::Floats(_) => None,
        }
    }

    /// The only element, as a fraction.
    pub fn scalar(&self) -> Option<f32> {
        match &self.data {
            Data::Floats(values) if values.len() == 1 => Some(values[0]),
            Data::Ints(values) if values.len() == 1 => Some(values[0] as f32),
            _ => None,
        }
    }

    /// The same elements at these places, in another shape. `None` for a place that is not there.
    pub fn gathered(&self, dims: Vec<usize>, places: &[usize]) -> Option<Self> {
        let data = match &self.data {
            Data::Floats(values) => Data::Floats(Arc::new(
                places.iter().map(|&at| values.get(at).copied()).collect::<Option<_>>()?,
            )),
            Data::Ints(values) => {
                Data::Ints(Arc::new(places.iter().map(|&at| values.get(at).copied()).collect::<Option<_>>()?))
            }
        };
        Some(Self { dims, kind: self.kind, data })
    }

    /// The same elements in another shape of as many.
    pub fn with_dims(&self, dims: Vec<usize>) -> Self {
        Self { dims, ..self.clone() }
    }
}

/// The number of elements of a shape; `None` for more than [`MOST_ELEMENTS`], and for sides so long that only a side of zero
/// makes them few.
pub(crate) fn count(dims: &[usize]) -> Option<usize> {
    let bound = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim.max(1)))?;
    let most = if dims.contains(&0) { MOST_EMPTY } else { MOST_ELEMENTS };
    (bound <= most).then(|| dims.iter().product())
}

/// Elements from one position of an axis to the next.
pub(crate) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis]);
    }
    strides
}

/// An axis that may be counted from the end.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let from = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(from).ok().filter(|&axis| axis < rank)
}
