//! A network with its parameters on a device of libtorch.

mod average;
mod fault;
mod interface;
mod learn;

use crate::engine::TorchEngine;
use crate::failure::{Attempt, Failure};
use crate::folded::Folded;
use crate::loss::{self, Truth};
use crate::ops::Context;
use crate::params::Params;
use crate::plan::Plan;
use crate::rates::Rates;
use crate::rules::Rules;
use crate::scaling::Scaling;
use crate::transfer::{download, upload_map};
use crate::{pass, transfer};
use dapple_graph::{
    DropoutState, EngineError, Graph, Loss, Mode, Network, Optimizer, Precision, Shape, State, Tensor as Map,
};
use std::collections::HashMap;
use std::sync::Arc;
use tch::{Device, Kind, TchError, Tensor};

/// Shapes whose graphs are kept; more start anew.
const MAX_PLANS: usize = 32;

pub(crate) struct TorchExecutor {
    device: Device,
    precision: Precision,
    network: Arc<dyn Network>,
    params: Params,
    rules: Option<Rules>,
    rates: Rates,
    /// Of parameters and running statistics.
    average: Option<[Tensor; 2]>,
    /// Accumulated since the last step, `[values]`; `None` where nothing was.
    gradient: Option<Tensor>,
    scaling: Scaling,
    plans: HashMap<Shape, Arc<Plan>>,
    /// Made when inference first wants it, dropped when parameters change.
    folded: Option<Folded>,
    /// What the last forward pass was in training.
    pending: Option<Taped>,
    /// Of the next pass that drops.
    dropout: DropoutState,
    /// What failed where the interface has no error: the next call that has one gives it.
    deferred: Option<TchError>,
}

/// A forward pass that can be differentiated.
struct Taped {
    outputs: Vec<Tensor>,
    shapes: Vec<Shape>,
    /// The parameters' buffer in it.
    leaf: Tensor,
}

impl TorchExecutor {
    pub fn new(
        engine: &TorchEngine,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Self, EngineError> {
        let device = engine.device;
        let graph = network.build(network.example_input())?;
        let attempt = Attempt {
            device,
            network: network.as_ref(),
            optimizer,
            input: network.example_input(),
            training: optimizer.is_some(),
        };
        if state.specs != graph.params() {
            return Err(foreign_state());
        }
        let params = Params::new(state, device).map_err(|e| attempt.error(&e))?;
        if !params.fits(state) {
            return Err(foreign_state());
        }
        let rules = optimizer.map(|optimizer| Rules::new(optimizer, &params)).transpose();
        let rules = rules.map_err(|e| attempt.error(&e))?;
        let rates = Rates::new(vec![1.0; params.specs.len()], &params.specs, optimizer, device);
        let rates = rates.map_err(|e| attempt.error(&e))?;
        Ok(Self {
            device,
            precision: engine.precision,
            rates,
            params,
            rules,
            average: None,
            gradient: None,
            scaling: Scaling::new(engine.precision),
            plans: HashMap::new(),
            folded: None,
            pending: None,
            dropout: DropoutState::default(),
            deferred: None,
            network,
        })
    }

    /// Runs what may fail in libtorch, and says in the reader's words how it failed.
    fn attempt<T>(
        &mut self,
        input: Shape,
        training: bool,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, EngineError> {
        let result = match self.deferred.take() {
            Some(error) => Err(Failure::Torch(error)),
            None => work(self),
        };
        result.map_err(|failure| {
            // What a failed pass left behind is memory that the next one may need.
            self.pending = None;
            match failure {
                Failure::Engine(error) => error,
                Failure::Torch(error) => {
                    let optimizer = self.rules.as_ref().map(|rules| rules.optimizer);
                    let network = self.network.as_ref();
                    Attempt { device: self.device, network, optimizer, input, training }.error(&error)
                }
            }
        })
    }

    /// What convolutions are computed in, where it is not single precision.
    fn low(&self) -> Option<Kind> {
        match self.precision {
            Precision::Fp32 => None,
            Precision::Bf16 => Some(Kind::BFloat16),
            Precision::Fp16 => Some(Kind::Half),
        }
    }

    fn graph(&self, shape: Shape) -> Result<Graph, EngineError> {
        if shape.is_empty() {
            return Err(EngineError::Input(format!("an input of shape {shape} has no pixels")));
        }
        Ok(self.network.build(shape)?)
    }

    /// The plan for training.
    fn plan(&mut self, shape: Shape) -> Result<Arc<Plan>, EngineError> {
        if let Some(plan) = self.plans.get(&shape) {
            return Ok(plan.clone());
        }
        if self.plans.len() >= MAX_PLANS {
            self.plans.clear();
        }
        let plan = Arc::new(Plan::new(self.graph(shape)?, false));
        self.plans.insert(shape, plan.clone());
        Ok(plan)
    }

    /// The dropout position of a pass in a mode; those that drop take the next one.
    fn draw(&mut self, mode: Mode) -> DropoutState {
        let drawn = self.dropout;
        if matches!(mode, Mode::Train | Mode::Sample) {
            self.dropout.passes += 1;
        }
        drawn
    }

    /// Forward in training, with what backward needs. `look` sees each node's value.
    fn tape(
        &mut self,
        input: &Map,
        look: impl FnMut(usize, &Tensor) -> Result<(), TchError>,
    ) -> Result<Taped, Failure> {
        self.pending = None;
        checked(input)?;
        let plan = self.plan(input.shape)?;
        let views = self.params.views(self.low())?;
        let dropout = self.draw(Mode::Train);
        // Running statistics move, whether or not the pass succeeds.
        self.folded = None;
        let context =
            Context { views: &views, device: self.device, mode: Mode::Train, low: self.low(), dropout };
        let outputs = pass::run(&plan, &context, upload_map(input, self.device)?, look)?;
        let shapes = plan.outputs.iter().map(|id| plan.graph.shape(*id)).collect();
        Ok(Taped { outputs, shapes, leaf: views.leaf })
    }

    /// Forward without gradients; outputs stay on the device.
    fn infer(&mut self, input: &Map, mode: Mode) -> Result<(Vec<Tensor>, Vec<Shape>), Failure> {
        self.pending = None;
        checked(input)?;
        let graph = self.graph(input.shape)?;
        if self.folded.is_none() {
            let state = self.exported(&self.params.values, &self.params.statistics)?;
            self.folded = Some(Folded::new(&graph, state, self.device)?);
        }
        let dropout = self.draw(mode);
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

    /// The loss of outputs; `None` where nothing counts.
    fn loss(
        &self,
        outputs: &[Tensor],
        shapes: &[Shape],
        labels: &[u8],
        loss: &Loss,
    ) -> Result<Option<Tensor>, Failure> {
        loss::check(loss, labels, shapes)?;
        let mut truth: Option<Truth<'_>> = None;
        let mut total: Option<Tensor> = None;
        for (index, (logits, shape)) in outputs.iter().zip(shapes).enumerate() {
            let truth = match truth.take().filter(|truth| truth.is_for(*shape)) {
                Some(counted) => truth.insert(counted),
                None => truth.insert(Truth::new(loss, labels, *shape, self.device)?),
            };
            let Some(value) = truth.value(logits)? else { continue };
            let value = value.f_mul_scalar(f64::from(loss.output_weight(index)))?;
            total = Some(match total {
                Some(total) => total.f_add(&value)?,
                None => value,
            });
        }
        Ok(total)
    }

    /// Adds the gradient of a sum by the parameters to the gradient.
    fn differentiate(&mut self, total: &Tensor, leaf: &Tensor) -> Result<(), Failure> {
        if !total.requires_grad() {
            // No parameter has a part in it.
            if self.gradient.is_none() {
                self.gradient = Some(leaf.f_detach()?.f_zeros_like()?);
            }
            return Ok(());
        }
        let adapts = self.scaling.adapts();
        let gradient = loop {
            let factor = self.scaling.factor();
            let scaled = if factor == 1.0 { total.shallow_clone() } else { total.f_mul_scalar(factor)? };
            let mut found = Tensor::f_run_backward(&[scaled], &[leaf], adapts, false)?;
            let gradient = found.pop().expect("one for the one input");
            let gradient = if gradient.defined() { gradient } else { leaf.f_detach()?.f_zeros_like()? };
            let gradient = if factor == 1.0 { gradient } else { gradient.f_mul_scalar(1.0 / factor)? };
            if !adapts || is_finite(&gradient)? || !self.scaling.shrink() {
                break gradient;
            }
        };
        self.scaling.passed();
        self.gradient = Some(match self.gradient.take() {
            Some(sum) => sum.f_add(&gradient)?,
            None => gradient,
        });
        Ok(())
    }

    /// Values as they are given out.
    fn exported(&self, values: &Tensor, statistics: &Tensor) -> Result<State, TchError> {
        Ok(State {
            specs: self.params.specs.clone(),
            values: download(values)?,
            statistics: download(statistics)?,
        })
    }

    /// The outputs as batches.
    fn downloaded(outputs: &[Tensor], shapes: &[Shape]) -> Result<Vec<Map>, TchError> {
        outputs.iter().zip(shapes).map(|(output, shape)| transfer::download_map(output, *shape)).collect()
    }
}

/// Whether all values are finite.
fn is_finite(values: &Tensor) -> Result<bool, TchError> {
    Ok(values.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

fn checked(input: &Map) -> Result<(), EngineError> {
    match input.data.len() == input.shape.len() {
        true => Ok(()),
        false => Err(EngineError::Input(format!(
            "{} values for an input of shape {}",
            input.data.len(),
            input.shape
        ))),
    }
}

fn foreign_state() -> EngineError {
    EngineError::Input("the state's parameters are not those of the network".into())
}
