//! The first NaN or infinite value of a pass, in which each value and each gradient is checked.

use super::TorchTrainer;
use super::trainer::is_finite;
use crate::failure::Failure;
use crate::transfer::download;
use dapple_graph::engine::build;
use dapple_graph::{Fault, FaultKind, Loss, Tensor as Map};
use tch::Tensor;

impl TorchTrainer {
    pub(super) fn first_fault(
        &mut self,
        input: &Map,
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Fault>, Failure> {
        let state = self.executor.exported(&self.executor.params.values, &self.executor.params.statistics)?;
        if let Some(fault) = Fault::of_parameters(&state) {
            return Ok(Some(fault));
        }
        let graph = build(self.executor.network.as_ref(), input.shape)?;
        let fault = |node: usize, kind| {
            let place = graph.nodes()[node].name.clone();
            Ok(Some(Fault { place, kind }))
        };
        let mut first: Option<usize> = None;
        let mut values: Vec<(usize, Tensor)> = Vec::new();
        let taped = self.tape(input, |node, value| {
            if first.is_none() && !is_finite(value)? {
                first = Some(node);
            }
            if value.requires_grad() {
                values.push((node, value.shallow_clone()));
            }
            Ok(())
        })?;
        if let Some(node) = first {
            return fault(node, FaultKind::Output);
        }
        let Some(total) = self.executor.loss(&taped.outputs, &taped.shapes, labels, loss)? else {
            return Ok(None);
        };
        if !total.f_double_value(&[])?.is_finite() {
            return Ok(Some(Fault::of_loss()));
        }
        if !total.requires_grad() {
            return Ok(None);
        }
        let wanted: Vec<&Tensor> = values.iter().map(|(_, value)| value).chain([&taped.leaf]).collect();
        let gradients = Tensor::f_run_backward(&[total], &wanted, false, false)?;
        // Gradients flow from the last node to the first.
        for ((node, _), gradient) in values.iter().zip(&gradients).rev() {
            if gradient.defined() && !is_finite(gradient)? {
                return fault(*node, FaultKind::Gradient);
            }
        }
        // Of a parameter, where those of all values are finite.
        let all = gradients.last().expect("the parameters' is the last");
        if all.defined() && !is_finite(all)? {
            let all = download(all)?;
            let specs = self.executor.params.specs.iter().filter(|spec| spec.role.trainable());
            let mut wrong =
                specs.filter(|s| !all[s.offset..s.offset + s.len()].iter().all(|v| v.is_finite()));
            if let Some(spec) = wrong.next() {
                let place = spec.name.rsplit_once('.').map_or(spec.name.as_str(), |(layer, _)| layer);
                return Ok(Some(Fault { place: place.to_owned(), kind: FaultKind::Gradient }));
            }
        }
        Ok(None)
    }
}
