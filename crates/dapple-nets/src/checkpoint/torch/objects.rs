//! The objects of a pickle: tensors and their storages as data, everything else opaque.

use super::stack::Machine;
use super::value::{Id, Name, Storage, Tensor, Value};
use std::io::BufRead;

/// Greatest number of axes, more than those of any parameter. Many tensors can share a shape, and each copies it.
const MAX_AXES: usize = 8;

/// Greatest length of the key of a storage and of a name, which are copied likewise.
const MAX_KEY: usize = 64;

impl<R: BufRead> Machine<'_, R> {
    /// A class or function by its name.
    pub fn name(&mut self, module: &str, name: &str) -> Result<(), String> {
        let unknown = || format!("{module}.{name}").chars().take(MAX_KEY).collect();
        self.push(Name::of(module, name).map_or_else(|| Value::Unknown(unknown()), Value::Name))
    }

    /// Calls one of the known names; the result of any other call is opaque.
    pub fn call(&mut self, callee: Id, arguments: Id) -> Result<(), String> {
        let Value::Tuple(arguments) = &self.values[arguments] else {
            return Err("the arguments of a call are not a tuple".into());
        };
        let name = match self.values[callee] {
            Value::Name(name) => name,
            Value::Unknown(_) | Value::Object { .. } => {
                return self.push(Value::Object { class: callee, attributes: None });
            }
            _ => return Err("the pickle calls something without a name".into()),
        };
        match (name, &arguments[..]) {
            (Name::Dict, []) => self.push(Value::Dict(Vec::new())),
            // Pairs, or the factory of a defaultdict; a dictionary that is copied stays itself.
            (Name::Dict, &[first, ..]) => match self.values[first] {
                Value::Dict(_) => self.push_again(first),
                _ => {
                    let dict = self.pairs(first)?;
                    self.push(Value::Dict(dict))
                }
            },
            (Name::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                if !matches!(self.values[storage], Value::Storage(_)) {
                    return self.push(Value::Other);
                }
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let tensor = Tensor { storage, offset: self.size(offset)?, shape, strides };
                self.push(Value::Tensor(tensor))
            }
            (Name::RebuildFromType, &[function, _, arguments, ..])
                if !matches!(self.values[function], Value::Name(Name::RebuildFromType)) =>
            {
                self.call(function, arguments)
            }
            (Name::RebuildParameter, &[inner, ..]) | (Name::Size, &[inner]) => self.push_again(inner),
            (name, arguments) => Err(format!("{name:?} is called with {} arguments", arguments.len())),
        }
    }

    /// Gives the object on the top its attributes, which only those of unknown classes keep.
    pub fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let target = self.top()?;
        if let Value::Object { attributes, .. } = &mut self.values[target] {
            *attributes = Some(state);
        }
        Ok(())
    }

    /// A persistent id: `("storage", class, key, device, elements)`. Others are opaque, and so are elements of types that
    /// no weights have.
    pub fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.values[id] else { return self.push(Value::Other) };
        let Some((&[kind, class, key, _, len], view)) = parts.split_first_chunk() else {
            return self.push(Value::Other);
        };
        let (Ok("storage"), Value::Name(Name::Storage(dtype))) = (self.as_text(kind), &self.values[class])
        else {
            return self.push(Value::Other);
        };
        // Written until PyTorch 0.4 for storages that are a part of another one.
        if view.iter().any(|&view| !matches!(self.values[view], Value::Other)) {
            return Err(
                "a storage is a view of another one; save the state dict again with a newer PyTorch".into()
            );
        }
        let key = self.as_text(key)?;
        if key.len() > MAX_KEY {
            return Err("a storage's key is too long".into());
        }
        let storage = Storage { key: key.to_owned(), dtype: *dtype, len: self.size(len)? };
        self.push(Value::Storage(storage))
    }

    fn size(&self, id: Id) -> Result<usize, String> {
        match self.values[id] {
            Value::Int(v) => usize::try_from(v).map_err(|_| format!("a size is {v}")),
            _ => Err("a size is not an integer".into()),
        }
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, String> {
        match &self.values[id] {
            Value::Tuple(items) if items.len() <= MAX_AXES => {
                items.iter().map(|&item| self.size(item)).collect()
            }
            Value::Tuple(items) => Err(format!("a tensor has {} axes", items.len())),
            _ => Err("a shape is not a tuple".into()),
        }
    }
}
