//! Layer norms that an exporter has written as means, differences and roots.

use super::call::Call;
use super::constant::Constant;
use crate::proto::NodeProto;
use std::collections::HashMap;

/// A decomposed layer norm without its scale and shift.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decomposed {
    /// Name of the value that is normalized.
    pub input: String,
    pub axes: Vec<i64>,
    pub eps: f32,
}

/// Where values come from: the nodes that make them, and the constants by name.
pub(crate) struct Sources<'a> {
    pub makers: HashMap<&'a str, &'a NodeProto>,
    pub constants: &'a dyn Fn(&str) -> Option<Constant>,
}

impl Sources<'_> {
    fn made_by(&self, value: &str, op: &str) -> Option<&NodeProto> {
        self.makers.get(value).copied().filter(|node| node.op_type() == op)
    }

    fn number(&self, value: &str) -> Option<f32> {
        (self.constants)(value)?.scalar()
    }

    /// The axes of a mean that keeps them.
    fn mean_of(&self, value: &str) -> Option<(String, Vec<i64>)> {
        let node = self.made_by(value, "ReduceMean")?;
        let call = Call { node, inputs: Vec::new(), opset: 0 };
        if call.int("keepdims") == Some(0) {
            return None;
        }
        let axes = match call.ints("axes").filter(|axes| !axes.is_empty()) {
            Some(axes) => axes.to_vec(),
            None => (self.constants)(node.input.get(1)?)?.as_ints()?.to_vec(),
        };
        Some((node.input.first()?.clone(), axes))
    }

    /// `value - mean(value)`.
    fn centred(&self, value: &str) -> Option<(String, Vec<i64>)> {
        let node = self.made_by(value, "Sub")?;
        let [input, mean] = node.input.as_slice() else { return None };
        let (of, axes) = self.mean_of(mean)?;
        (of == *input).then_some((of, axes))
    }

    /// The decomposed layer norm that a division ends: `d / sqrt(mean(d^2) + eps)` with `d = x - mean(x)`.
    pub fn layer_norm(&self, node: &NodeProto) -> Option<Decomposed> {
        if node.op_type() != "Div" {
            return None;
        }
        let [difference, deviation] = node.input.as_slice() else { return None };
        let (input, axes) = self.centred(difference)?;
        let root = self.made_by(deviation, "Sqrt")?;
        let sum = self.made_by(root.input.first()?, "Add")?;
        let [a, b] = sum.input.as_slice() else { return None };
        let (variance, eps) = match (self.number(a), self.number(b)) {
            (None, Some(eps)) => (a, eps),
            (Some(eps), None) => (b, eps),
            _ => return None,
        };
        let (square, of) = self.mean_of(variance)?;
        let squared = if let Some(power) = self.made_by(&square, "Pow") {
            let [base, exponent] = power.input.as_slice() else { return None };
            (self.number(exponent)? == 2.0).then(|| base.clone())?
        } else {
            let product = self.made_by(&square, "Mul")?;
            let [left, right] = product.input.as_slice() else { return None };
            (left == right).then(|| left.clone())?
        };
        let (other, more) = self.centred(&squared)?;
        (other == input && axes == of && axes == more).then_some(Decomposed { input, axes, eps })
    }
}
