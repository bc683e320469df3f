//! The values of a parsed pickle.

use crate::checkpoint::dtype::Dtype;

/// Index of a value in its [`Pickle`].
pub(super) type Id = usize;

/// A value of a pickle. Containers hold ids, so that shared and even cyclic structures are harmless.
#[derive(Debug)]
pub(super) enum Value {
    /// `None`, a Boolean or a float, which tensors do not need.
    Other,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name),
    Storage(Storage),
    Tensor(Tensor),
}

/// A known name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    Storage(Dtype),
}

/// Reference to stored elements.
#[derive(Debug)]
pub(super) struct Storage {
    pub key: String,
    pub dtype: Dtype,
    /// Number of elements.
    pub len: usize,
}

/// A view of a storage, extents and strides in elements; not yet checked against the storage.
#[derive(Debug)]
pub(super) struct Tensor {
    pub storage: Id,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A parsed pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    pub values: Vec<Value>,
    pub root: Id,
}

impl Name {
    /// The name, if state dicts need it.
    pub(super) fn of(module: &str, name: &str) -> Result<Self, String> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "Size") => Some(Self::Size),
            ("torch", class) => Dtype::of_torch_storage(class).map(Self::Storage),
            _ => None,
        };
        known.ok_or_else(|| {
            format!(
                "the file needs `{module}.{name}`, which is not loaded for safety; save the weights alone: \
                 torch.save(model.state_dict(), path)"
            )
        })
    }
}
