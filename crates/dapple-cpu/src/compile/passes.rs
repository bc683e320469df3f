//! The passes of the compiler, in order.

use super::int8::Integers;
use super::{backward, check, forward, place, recompute, uses};
use crate::layout::Layout;
use crate::plan::{Budget, Plan, Purpose};
use crate::settings::Convolution;
use dapple_graph::Graph;

/// The plan of a graph, whose convolutions with `integers` compute in them, in inference. One for training that is larger
/// than the budget computes feature maps again instead of keeping them; where that does not suffice, it is the smallest
/// there is.
pub(crate) fn compile(
    graph: &Graph,
    layout: &Layout,
    purpose: Purpose,
    convolution: Convolution,
    budget: Budget,
    integers: Option<&Integers>,
) -> Plan {
    let uses = uses::of(graph, purpose);
    let lowered = forward::lower(graph, uses, layout, purpose, convolution, integers);
    let draft = backward::append(lowered);
    check::draft(&draft, graph);
    let draft = recompute::within(draft, graph, budget);
    check::draft(&draft, graph);
    place::settle(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;
    use dapple_graph::fold::fold_batch_norm;
    use dapple_graph::{Affine, Conv2d, GraphError, Interpolation, MaxPool, Quantization, Shape, State};

    fn graph() -> Result<Graph, GraphError> {
        let mut g = Graph::new(Shape::new(1, 24, 24, 16));
        let x = g.conv2d("conv", g.input(), &Conv2d::new(16, 3).padding(1).bias(false))?;
        let x = g.batch_norm("bn", x)?;
        let x = g.relu(x)?;
        let x = g.max_pool(x, &MaxPool::new(2, 2))?;
        let x = g.conv2d("logits", x, &Conv2d::new(2, 1))?;
        g.output("logits", x)?;
        Ok(g)
    }

    fn plan(purpose: Purpose, values: usize) -> Plan {
        let graph = graph().expect("the shapes fit");
        let budget = Budget { values, threads: 1 };
        compile(&graph, &Layout::new(&graph), purpose, Convolution::Winograd, budget, None)
    }

    fn names(plan: &Plan) -> [Vec<&'static str>; 2] {
        let (forward, backward) = plan.steps.split_at(plan.forward);
        [forward, backward].map(|steps| steps.iter().map(|step| step.kernel.name()).collect())
    }

    #[test]
    fn a_block_becomes_its_kernels() {
        let train = Purpose::Train { input_gradient: false };
        let [forward, backward] = names(&plan(train, usize::MAX));
        assert_eq!(forward, ["conv3x3", "batch norm", "max pool", "conv"]);
        let wanted = [
            "conv weight gradient",
            "bias gradient",
            "conv data gradient",
            "scatter",
            "batch norm gradient",
            "conv3x3 weight gradient",
        ];
        assert_eq!(backward, wanted);
        let infer = Purpose::Infer { first_only: true, sample: false };
        assert_eq!(names(&plan(infer, usize::MAX)), [forward, Vec::new()]);
    }

    #[test]
    fn a_small_budget_repeats_forward_steps_in_the_backward_pass() {
        let train = Purpose::Train { input_gradient: true };
        let (whole, small) = (plan(train, usize::MAX), plan(train, 0));
        assert_eq!(names(&whole)[0], names(&small)[0]);
        assert!(small.steps.len() >= whole.steps.len() && small.values(1) <= whole.values(1));
    }

    #[test]
    fn quantized_convolutions_hand_on_bytes_where_nothing_else_reads() -> Result<(), GraphError> {
        let mut g = Graph::new(Shape::new(1, 12, 12, 3));
        let x = g.conv2d("first", g.input(), &Conv2d::new(16, 3).padding(1))?;
        let skip = g.relu(x)?;
        let x = g.max_pool(skip, &MaxPool::new(2, 2))?;
        let x = g.conv2d("second", x, &Conv2d::new(32, 3).padding(1).bias(false))?;
        let x = g.batch_norm("norm", x)?;
        let x = g.relu(x)?;
        let x = g.resize(x, skip, Interpolation::Nearest)?;
        let x = g.concat(&[skip, x])?;
        let x = g.conv2d("third", x, &Conv2d::new(16, 3).padding(1))?;
        let y = g.conv2d("depthwise", x, &Conv2d::new(16, 3).padding(1).groups(16))?;
        let x = g.add(x, y)?;
        let x = g.conv2d("logits", x, &Conv2d::new(2, 1))?;
        g.output("logits", x)?;
        let (g, state) = fold_batch_norm(&g, &State::init(&g, 1))?;
        let weights = g.nodes().iter().filter_map(|node| Quantization::weight_of(&g, node));
        let names = weights.map(|weight| g.param(weight).name.clone()).enumerate();
        // No two convolutions read the same kind of bytes.
        let kind = |number: usize| Affine { scale: 0.1 + number as f32, zero: 0 };
        let inputs = names.map(|(number, name)| (name, kind(number))).collect();
        let integers = Integers::new(&g, &state, &Quantization { inputs }, Level::Portable);
        let budget = Budget { values: usize::MAX, threads: 1 };
        let infer = Purpose::Infer { first_only: true, sample: false };
        let integers = Some(&integers);
        let plan = compile(&g, &Layout::new(&g), infer, Convolution::Winograd, budget, integers);
        let wanted = [
            "quantize",
            "int8 conv",
            "int8 max pool",
            "int8 conv",
            "int8 nearest",
            "int8 conv",
            "int8 depthwise",
            "int8 conv",
        ];
        assert_eq!(names_of(&plan), wanted);
        // The third convolution's numbers are those of the sum as well; all other maps are bytes alone.
        let targets: Vec<usize> = plan.steps.iter().map(|step| step.kernel.targets().len()).collect();
        assert_eq!(targets, [0, 0, 0, 0, 0, 1, 0, 1]);
        Ok(())
    }

    fn names_of(plan: &Plan) -> Vec<&'static str> {
        plan.steps.iter().map(|step| step.kernel.name()).collect()
    }
}
