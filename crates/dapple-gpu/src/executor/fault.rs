//! The first NaN or infinite value of a pass, in which each value and each gradient is checked.

use super::GpuTrainer;
use crate::flat::read;
use crate::loss;
use dapple_graph::{EngineError, Fault, FaultKind, Loss, Mode, ParamId, Tensor};

impl GpuTrainer {
    pub(super) fn first_fault(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, EngineError> {
        let name = self.executor.card.name.clone();
        let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        if let Some(fault) = Fault::of_parameters(&self.executor.exported(&self.executor.parameters)?) {
            return Ok(Some(fault));
        }
        let graph = self.executor.graph(input.shape)?;
        let fault = |node: usize, kind| {
            let place = graph.nodes()[node].name.clone();
            Ok(Some(Fault { place, kind }))
        };
        let images = self.executor.upload(input)?;
        let leaves = self.executor.leaves(true);
        let trace = self.executor.pass(&graph, &leaves, images, Mode::Train, true);
        for (node, value) in trace.values.iter().enumerate() {
            if let Some(value) = value
                && !finite(&read(value.clone().inner(), &name)?)
            {
                return fault(node, FaultKind::Output);
            }
        }
        let outputs = trace.outputs(&graph, Mode::Train);
        let Some(total) = loss::loss(&outputs, labels, loss, &self.executor.card.device, &name)? else {
            return Ok(None);
        };
        if !finite(&read(total.clone().inner(), &name)?) {
            return Ok(Some(Fault::of_loss()));
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
            let trained = |id: &ParamId| graph.param(*id).role.trainable();
            for id in node.op.params().into_iter().filter(trained) {
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
