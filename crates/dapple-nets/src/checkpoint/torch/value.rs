//! The values of a parsed pickle.

use crate::checkpoint::dtype::Dtype;

/// Index of a value in its [`Pickle`].
pub(super) type Id = usize;

/// A value of a pickle. Containers hold ids, so that shared and even cyclic structures are harmless.
#[derive(Debug)]
pub(super) enum Value {
    /// `None`, a Boolean, a float, bytes: anything that tensors do not need.
    Other,
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    /// A list or a set.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Name(Name),
    /// A class or function by its name. It is never called.
    Unknown(String),
    /// An object of an unknown class: the id of its name, and that of its attributes, if it has any.
    Object {
        class: Id,
        attributes: Option<Id>,
    },
    Storage(Storage),
    Tensor(Tensor),
}

/// A known name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name {
    /// `OrderedDict` and others that behave like it.
    Dict,
    RebuildTensor,
    RebuildParameter,
    /// Calls another function for a subclass of tensors.
    RebuildFromType,
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
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict" | "defaultdict" | "Counter")
            | ("builtins" | "__builtin__", "dict") => Some(Self::Dict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Some(Self::RebuildParameter)
            }
            ("torch._tensor", "_rebuild_from_type_v2") => Some(Self::RebuildFromType),
            ("torch", "Size") => Some(Self::Size),
            ("torch", class) => Dtype::of_torch_storage(class).map(Self::Storage),
            _ => None,
        }
    }
}
