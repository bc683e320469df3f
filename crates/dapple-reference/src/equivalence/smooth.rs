//! A network's smooth twin.

use crate::replay::rebuild;
use dapple_graph::{Graph, GraphError, Network, Op, Pointwise, Shape};
use std::sync::Arc;

/// A network with sigmoid-weighted linear units in place of ReLUs and their hard relatives.
///
/// Of some 100 000 ReLUs, a few read values that are zero within rounding, whose gradient is rightly the one or the other.
/// The twin has the same structure without kinks, so that two engines' gradients can be compared to rounding.
pub struct Smooth(pub Arc<dyn Network>);

impl Network for Smooth {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let smooth = |op: &Op| match op {
            Op::Relu | Op::Pointwise(Pointwise::Relu6 | Pointwise::HardSwish) => {
                Op::Pointwise(Pointwise::Silu)
            }
            Op::Pointwise(Pointwise::HardSigmoid) => Op::Pointwise(Pointwise::Sigmoid),
            op => op.clone(),
        };
        rebuild(&self.0.build(input)?, input, &smooth)
    }

    fn example_input(&self) -> Shape {
        self.0.example_input()
    }
}
