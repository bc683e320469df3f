//! A node with the values that it reads.

use super::constant::{Constant, axis_of};
use super::refusal::{Refusal, refuse};
use super::value::{Map, Value};
use crate::proto::{AttributeProto, NodeProto};

/// A node with its inputs; optional ones that are left out are `None`.
pub(crate) struct Call<'a> {
    pub node: &'a NodeProto,
    pub inputs: Vec<Option<Value>>,
    /// Version of the standard's operator set.
    pub opset: i64,
}

impl Call<'_> {
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name() == name)
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name)?.i
    }

    pub fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name)?.f
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.attribute(name)?.s.as_deref()?).ok()
    }

    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// Two whole numbers of an attribute from 0 or 1 to 65536, or one for both where it is left out.
    pub fn pair(&self, name: &str, least: usize, default: usize) -> Result<[usize; 2], Refusal> {
        let Some(values) = self.ints(name).filter(|values| !values.is_empty()) else {
            return Ok([default; 2]);
        };
        match values {
            [a, b] => Ok([in_range(name, *a, least)?, in_range(name, *b, least)?]),
            _ => refuse(format!("{name} has {} values; only maps of two dimensions are read", values.len())),
        }
    }

    /// An input, if it is there.
    pub fn input(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index)?.as_ref()
    }

    /// An input that must be a known tensor, if it is there.
    pub fn known(&self, index: usize, name: &str) -> Result<Option<&Constant>, Refusal> {
        match self.input(index) {
            None => Ok(None),
            Some(Value::Known(constant)) => Ok(Some(constant)),
            Some(_) => refuse(format!("its {name} depends on the image")),
        }
    }

    /// An input that must be there and be a known tensor.
    pub fn needed(&self, index: usize, name: &str) -> Result<&Constant, Refusal> {
        self.known(index, name)?.ok_or_else(|| Refusal(format!("it has no {name}")))
    }

    /// Whole numbers of an attribute, or of an input in newer operator sets.
    pub fn list(&self, attribute: &str, index: usize) -> Result<Option<Vec<i64>>, Refusal> {
        if let Some(values) = self.ints(attribute).filter(|values| !values.is_empty()) {
            return Ok(Some(values.to_vec()));
        }
        match self.known(index, attribute)? {
            None => Ok(None),
            Some(constant) => match constant.as_ints() {
                Some(values) => Ok(Some(values.to_vec())),
                None => refuse(format!("its {attribute} are no whole numbers")),
            },
        }
    }

    /// An input that must be a map.
    pub fn map(&self, index: usize) -> Result<&Map, Refusal> {
        match self.input(index) {
            Some(Value::Map(map)) => Ok(map),
            Some(Value::Known(_)) => refuse("it reads a constant where only maps of the image are read"),
            Some(Value::Scores(_) | Value::Shares(_)) => refuse(
                "it reads scores of attention, of which only the softmax and its product with values are read",
            ),
            Some(Value::Positions(_)) => {
                refuse("it reads positions of maxima, which are read for unpooling only")
            }
            Some(Value::Gate { .. }) => refuse("Erf is read as a part of GELU only"),
            Some(Value::Never(_) | Value::Lost) | None => refuse("it has no input"),
        }
    }

    /// The axis of an attribute, counted from 0.
    pub fn axis(&self, default: i64, rank: usize) -> Result<usize, Refusal> {
        let axis = self.int("axis").unwrap_or(default);
        axis_of(axis, rank).ok_or_else(|| Refusal(format!("axis {axis} of {rank}")))
    }
}

/// A whole number of a model in the range that maps have.
pub(crate) fn in_range(name: &str, value: i64, least: usize) -> Result<usize, Refusal> {
    match usize::try_from(value) {
        Ok(value) if (least..=1 << 16).contains(&value) => Ok(value),
        _ => refuse(format!("{name} is {value}; {least} to 65536 can be read")),
    }
}
