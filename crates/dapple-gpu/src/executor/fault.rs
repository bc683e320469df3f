//! Where numbers stop being numbers: a pass whose every value and gradient is looked at.

use super::GpuExecutor;
use crate::flat::read;
use crate::loss;
use dapple_graph::{EngineError, Fault, FaultKind, Loss, Mode, Op, ParamId, Tensor};

impl GpuExecutor {
    pub(super) fn first_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        let name = self.engine.name.clone();
        let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        if let Some(fault) = Fault::of_parameters(&self.exported(&self.parameters)?) {
            return Ok(Some(fault));
        }
        let graph = self.graph(input.shape)?;
        let fault = |node: usize, kind| {
            let place = graph.nodes()[node].name.clone();
            Ok(Some(Fault { place, kind }))
        };
        let images = self.upload(input)?;
        let leaves = self.leaves(true);
        let trace = self.pass(&graph, &leaves, images, Mode::Train, true);
        for (node, value) in trace.values.iter().enumerate() {
            if let Some(value) = value
                && !finite(&read(value.clone().inner(), &name)?)
            {
                return fault(node, FaultKind::Output);
            }
        }
        let outputs = trace.outputs(&graph, Mode::Train);
        let Some(total) = loss::loss(&outputs, labels, loss, &self.engine.device, &name)? else {
            return Ok(None);
        };
        if !finite(&read(total.clone().inner(), &name)?) {
            return Ok(Some(Fault { place: String::new(), kind: FaultKind::Loss }));
        }
        if !total.is_tracked() {
            return Ok(None);
        }
        let mut gradients = total.backward();
        for (index, node) in graph.nodes().iter().enumerate().rev() {
            for (_, edge) in trace.edges.iter().filter(|(reader, _)| *reader == index) {
                if let Some(gradient) = edge.grad_remove(&mut gradients)
                    && !finite(&read(gradient, &name)?)
                {
                    return fault(index, FaultKind::Gradient);
                }
            }
            for id in parameters(&node.op) {
                if let Some(gradient) = leaves[id.0].grad_remove(&mut gradients)
                    && !finite(&read(gradient, &name)?)
                {
                    return fault(index, FaultKind::Gradient);
                }
            }
        }
        Ok(None)
    }
}

/// The trained parameters of an operation.
fn parameters(op: &Op) -> Vec<ParamId> {
    match op {
        Op::Conv2d { weight, bias, .. } | Op::ConvTranspose2d { weight, bias, .. } => {
            std::iter::once(*weight).chain(*bias).collect()
        }
        Op::BatchNorm { gamma, beta, .. }
        | Op::LayerNorm { gamma, beta, .. }
        | Op::GroupNorm { gamma, beta, .. } => vec![*gamma, *beta],
        Op::Scale { factor } => vec![*factor],
        _ => Vec::new(),
    }
}
