//! Values that no network can use.

use crate::{Graph, Op, State};
use std::fmt;

/// A parameter's value that no network can use.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsound {
    /// The parameter.
    pub parameter: String,
    /// Index of the value in it.
    pub index: usize,
    /// The value: NaN, infinite, or a negative variance.
    pub value: f32,
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, value, .. } = self;
        let why = if value.is_finite() { "a variance is never negative" } else { "no network can use it" };
        write!(f, "its value {index} (counted from 0) is {value}; {why}")
    }
}

impl State {
    /// The first value of a network's state that is NaN or infinite, or a running variance so far below zero that its
    /// batch norm would take the root of a negative number. Variances of foreign weights that were shifted to another
    /// `eps` may lie a little below zero.
    pub fn find_unsound(&self, graph: &Graph) -> Option<Unsound> {
        let mut lowest = vec![f32::NEG_INFINITY; self.specs.len()];
        for node in graph.nodes() {
            if let Op::BatchNorm { var, norm, .. } = &node.op
                && let Some(lowest) = lowest.get_mut(var.0)
            {
                *lowest = lowest.max(-norm.eps);
            }
        }
        lowest.iter().enumerate().find_map(|(parameter, &lowest)| {
            let values = self.slice(parameter);
            let index = values.iter().position(|value| !value.is_finite() || *value <= lowest)?;
            let parameter = self.specs[parameter].name.clone();
            Some(Unsound { parameter, index, value: values[index] })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2d, Shape};

    #[test]
    fn nan_infinite_values_and_negative_variances_are_found() {
        let mut graph = Graph::new(Shape::new(1, 4, 4, 3));
        let conv = graph.conv2d("conv", graph.input(), &Conv2d::new(5, 3)).expect("the kernel fits");
        let norm = graph.batch_norm("bn", conv).expect("the name is new");
        graph.output("logits", norm).expect("the node is of this graph");
        let sound = State::init(&graph, 3);
        assert_eq!(sound.find_unsound(&graph), None);
        let cases = [
            ("conv.weight", f32::NAN),
            ("bn.bias", f32::INFINITY),
            ("bn.running_mean", f32::NEG_INFINITY),
            ("bn.running_var", -0.5),
        ];
        for (name, value) in cases {
            let mut state = sound.clone();
            let mut values = state.get(name).expect("it has this parameter").to_vec();
            values[2] = value;
            state.set(name, &values).expect("as many values");
            let found = state.find_unsound(&graph).unwrap_or_else(|| panic!("{name} is unsound"));
            assert_eq!((found.parameter.as_str(), found.index), (name, 2));
        }
        // Any other value may be negative, and a variance almost.
        let mut state = sound.clone();
        state.set("bn.running_mean", &[-9.0; 5]).expect("as many values");
        state.set("bn.running_var", &[-5e-6; 5]).expect("as many values");
        assert_eq!(state.find_unsound(&graph), None);
    }
}
