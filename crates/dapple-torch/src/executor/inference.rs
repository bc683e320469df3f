//! A network with its parameters on a device of libtorch.

use crate::failure::{Attempt, Failure};
use crate::folded::Folded;
use crate::loss::Truth;
use crate::ops::Context;
use crate::params::Params;
use crate::pass;
use crate::transfer::{download, download_map, upload, upload_map};
use dapple_graph::engine::{build, check_input, check_state};
use dapple_graph::{
    DropoutState, EngineError, Executor, Inference, Loss, Mode, Network, Precision, Shape, State,
    Tensor as Map,
};
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// For errors that do not depend on a batch.
pub(super) const NO_BATCH: Shape = Shape::new(1, 1, 1, 1);

/// Runs a network.
pub(crate) struct TorchExecutor {
    pub(super) device: Device,
    pub(super) precision: Precision,
    pub(super) network: Arc<dyn Network>,
    pub(super) params: Params,
    /// Built when inference first needs it, dropped when parameters change.
    pub(super) folded: Option<Folded>,
    /// Of the next pass that drops.
    pub(super) dropout: DropoutState,
}

impl TorchExecutor {
    pub fn new(
        device: Device,
        precision: Precision,
        network: Arc<dyn Network>,
        state: &State,
    ) -> Result<Self, EngineError> {
        let input = network.example_input();
        let graph = network.build(input)?;
        check_state(graph.params(), state)?;
        let attempt = Attempt { device, network: network.as_ref(), input, training: None };
        let params = Params::new(state, device).map_err(|error| attempt.error(&error))?;
        Ok(Self { device, precision, params, folded: None, dropout: DropoutState::default(), network })
    }

    /// Runs what may fail in libtorch, and explains how it failed.
    pub(super) fn attempt<T>(
        &mut self,
        input: Shape,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, EngineError> {
        work(self).map_err(|failure| {
            let network = self.network.as_ref();
            Attempt { device: self.device, network, input, training: None }.explain(failure)
        })
    }

    /// The number format of convolutions and attention, where it is not single precision.
    pub(super) fn low(&self) -> Option<Kind> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => Some(Kind::BFloat16),
            Precision::Fp16 => Some(Kind::Half),
        }
    }

    /// Forward without gradients; outputs stay on the device.
    pub(super) fn run(&mut self, input: &Map, mode: Inference) -> Result<(Vec<Tensor>, Vec<Shape>), Failure> {
        check_input(input)?;
        let mode = Mode::from(mode);
        let graph = build(self.network.as_ref(), input.shape)?;
        if self.folded.is_none() {
            let state = self.exported(&self.params.values, &self.params.statistics)?;
            self.folded = Some(Folded::new(&graph, state, self.device)?);
        }
        let dropout = self.dropout.draw(mode);
        let low = self.low();
        let folded = self.folded.as_mut().expect("made above");
        let plan = folded.plan(&graph, mode == Mode::Predict)?;
        let _guard = tch::no_grad_guard();
        let views = folded.params.views(low)?;
        let context = Context { views: &views, device: self.device, mode, low, dropout };
        let outputs = pass::run(&plan, &context, upload_map(input, self.device)?, |_, _| Ok(()))?;
        let shapes = plan.outputs.iter().map(|id| plan.graph.shape(*id)).collect();
        Ok((outputs, shapes))
    }

    /// The loss of outputs; `None` where no pixel counts.
    pub(super) fn loss(
        &self,
        outputs: &[Tensor],
        shapes: &[Shape],
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Tensor>, Failure> {
        let seen = loss.seen_output().and_then(|index| Some((outputs.get(index)?, shapes.get(index)?)));
        let seen = match seen {
            Some((logits, shape)) => Some(download_map(logits, *shape)?.data),
            None => None,
        };
        let parts = loss.parts(labels, shapes, seen.as_deref()).map_err(EngineError::from)?;
        let mut truth: Option<Truth<'_>> = None;
        let mut total: Option<Tensor> = None;
        for part in &parts {
            let shape = shapes[part.output];
            let truth = match truth.take().filter(|truth| truth.is_for(part, shape)) {
                Some(counted) => truth.insert(counted),
                None => truth.insert(Truth::new(&part.loss, &part.labels, shape, self.device)?),
            };
            let Some(value) = truth.value(&outputs[part.output])? else { continue };
            let value = value.f_mul_scalar(f64::from(part.factor))?;
            total = Some(match total {
                Some(total) => total.f_add(&value)?,
                None => value,
            });
        }
        Ok(total)
    }

    /// Values in the order of checkpoints.
    pub(super) fn exported(&self, values: &Tensor, statistics: &Tensor) -> Result<State, TchError> {
        Ok(State {
            specs: self.params.specs.clone(),
            values: download(values)?,
            statistics: download(statistics)?,
        })
    }

    /// As [`TorchExecutor::exported`]; NaN where the device has failed and gives none.
    pub(super) fn exported_or_lost(&self, values: &Tensor, statistics: &Tensor) -> State {
        State { specs: self.params.specs.clone(), values: readable(values), statistics: readable(statistics) }
    }
}

/// A flat buffer's values; NaN where the device has failed and gives none.
pub(super) fn readable(flat: &Tensor) -> Vec<f32> {
    download(flat).unwrap_or_else(|_| vec![f32::NAN; flat.numel()])
}

/// The outputs as batches.
pub(super) fn downloaded(outputs: &[Tensor], shapes: &[Shape]) -> Result<Vec<Map>, TchError> {
    outputs.iter().zip(shapes).map(|(output, shape)| download_map(output, *shape)).collect()
}

impl Executor for TorchExecutor {
    fn infer(&mut self, input: &Map, mode: Inference) -> Result<Vec<Map>, EngineError> {
        self.attempt(input.shape, |executor| {
            let (outputs, shapes) = executor.run(input, mode)?;
            Ok(downloaded(&outputs, &shapes)?)
        })
    }

    fn evaluate(&mut self, input: &Map, labels: &[u8], loss: &Loss) -> Result<(f64, Map), EngineError> {
        self.attempt(input.shape, |executor| {
            let (outputs, shapes) = executor.run(input, Inference::Eval)?;
            let _guard = tch::no_grad_guard();
            let total = executor.loss(&outputs, &shapes, labels, loss)?;
            let value = total.map_or(Ok(0.0), |total| total.f_double_value(&[]))?;
            let first = downloaded(&outputs[..1], &shapes[..1])?.swap_remove(0);
            Ok((value, first))
        })
    }

    fn state(&self) -> State {
        self.exported_or_lost(&self.params.values, &self.params.statistics)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        check_state(&self.params.specs, state)?;
        self.attempt(NO_BATCH, |executor| {
            executor.params.values = upload(&state.values, executor.device)?;
            executor.params.statistics = upload(&state.statistics, executor.device)?;
            executor.folded = None;
            Ok(())
        })
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }
}
