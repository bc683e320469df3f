//! One pass forward over a graph.

use crate::ops::{Context, compute};
use crate::plan::Plan;
use dapple_graph::Op;
use tch::{TchError, Tensor};

/// Computes the plan's nodes and returns its outputs. `look` sees every node's value as soon as it is there.
///
/// Values are let go behind their last reader; what gradients need of them, autograd keeps.
pub(crate) fn run(
    plan: &Plan,
    context: &Context<'_>,
    input: Tensor,
    mut look: impl FnMut(usize, &Tensor) -> Result<(), TchError>,
) -> Result<Vec<Tensor>, TchError> {
    let nodes = plan.graph.nodes();
    let mut values: Vec<Option<Tensor>> = nodes.iter().map(|_| None).collect();
    let mut positions: Vec<Option<Tensor>> = nodes.iter().map(|_| None).collect();
    look(0, &input)?;
    values[0] = Some(input);
    let is_output = |index: usize| plan.outputs.iter().any(|id| id.0 == index);
    for (index, node) in nodes.iter().enumerate().skip(1).filter(|(index, _)| plan.needed[*index]) {
        let inputs: Vec<&Tensor> =
            node.inputs.iter().map(|id| values[id.0].as_ref().expect("it has a reader still")).collect();
        let kept = match node.op {
            Op::MaxUnpool { pool } => positions[pool.0].as_ref(),
            _ => None,
        };
        let computed = compute(context, node, &inputs, kept)?;
        look(index, &computed.value)?;
        if plan.last_unpool[index].is_some() {
            positions[index] = computed.positions;
        }
        if plan.last_reader[index].is_some() || is_output(index) {
            values[index] = Some(computed.value);
        }
        for id in node.inputs.iter().filter(|id| plan.last_reader[id.0] == Some(index) && !is_output(id.0)) {
            values[id.0] = None;
        }
        if let Op::MaxUnpool { pool } = node.op
            && plan.last_unpool[pool.0] == Some(index)
        {
            positions[pool.0] = None;
        }
    }
    Ok(plan
        .outputs
        .iter()
        .map(|id| values[id.0].as_ref().expect("outputs are kept").shallow_clone())
        .collect())
}
