//! A network with its parameters on a graphics card.

use crate::card::Card;
use crate::flat::{Flat, read, upload};
use crate::guard;
use crate::loss;
use crate::ops::Map;
use crate::ops::linear::Matrices;
use crate::pass::{Pass, Trace};
use burn_tensor::{Tensor as Values, TensorData};
use dapple_graph::engine::{PlanCache, build, check_input, check_state};
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{
    DropoutState, EngineError, Executor, Graph, Inference, Loss, Mode, Network, ParamSpec, Shape, State,
    Tensor,
};
use std::sync::Arc;

/// Parameters and running statistics.
#[derive(Clone)]
pub(super) struct Parameters {
    pub(super) values: Flat,
    pub(super) statistics: Flat,
}

/// The network with its batch norms folded into convolutions, for inference.
pub(super) struct Folded {
    pub(super) params: Vec<Values<1>>,
    pub(super) graphs: PlanCache<Shape, Graph>,
}

/// Runs a network.
pub(crate) struct GpuExecutor {
    pub(super) card: Card,
    pub(super) network: Arc<dyn Network>,
    pub(super) specs: Vec<ParamSpec>,
    /// Trainable values and running statistics in all.
    pub(super) lens: [usize; 2],
    pub(super) parameters: Parameters,
    pub(super) graphs: PlanCache<Shape, Graph>,
    /// Built when inference first needs it, dropped when parameters change.
    pub(super) folded: Option<Folded>,
    pub(super) matrices: Matrices,
    /// Of the next pass that drops.
    pub(super) dropout: DropoutState,
}

/// The way out where so many images fit.
pub(super) fn advice(fits: u64) -> String {
    match fits {
        0 => "use smaller images".to_owned(),
        fits => format!("use a batch of {fits} at most"),
    }
}

impl GpuExecutor {
    pub fn new(card: &Card, network: Arc<dyn Network>, state: &State) -> Result<Self, EngineError> {
        let graph = network.build(network.example_input())?;
        check_state(graph.params(), state)?;
        guard::run(&card.name, || {
            Ok(Self {
                card: card.clone(),
                network,
                specs: graph.params().to_vec(),
                lens: [graph.trainable_len(), graph.statistics_len()],
                parameters: Parameters::new(state, card),
                graphs: PlanCache::new(),
                folded: None,
                matrices: Matrices::default(),
                dropout: DropoutState::default(),
            })
        })
    }

    /// Runs what may fail on the device; of a batch of that shape if one is given.
    pub(super) fn guarded<T>(
        &mut self,
        batch: Option<Shape>,
        f: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let name = self.card.name.clone();
        guard::run_batch(&name, batch, || f(self))
    }

    /// The network's graph for a shape.
    pub(super) fn graph(&mut self, shape: Shape) -> Result<Arc<Graph>, EngineError> {
        if let Some(graph) = self.graphs.get(&shape) {
            return Ok(graph);
        }
        let graph = build(self.network.as_ref(), shape)?;
        self.check_size(&graph)?;
        Ok(self.graphs.insert(shape, graph))
    }

    /// Refuses what has maps larger than the card's largest buffer.
    pub(super) fn check_size(&self, graph: &Graph) -> Result<(), EngineError> {
        let bytes = |shape: &Shape| shape.len() as u64 * size_of::<f32>() as u64;
        let largest = graph.nodes().iter().map(|node| bytes(&node.shape)).max().unwrap_or(0);
        let limit = self.card.adapter.largest_buffer;
        if largest <= limit {
            return Ok(());
        }
        let shape = graph.shape(graph.input());
        let advice = advice(limit / (largest / shape.n as u64));
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let why = format!(
            "an input of shape {shape} has a map of {:.2} GB, and the largest buffer of this adapter is {:.2} GB; \
             {advice}",
            gigabytes(largest),
            gigabytes(limit)
        );
        Err(EngineError::Device { device: self.card.name.clone(), why })
    }

    /// The folded network for a shape.
    pub(super) fn folded(&mut self, shape: Shape) -> Result<(Arc<Graph>, Vec<Values<1>>), EngineError> {
        let whole = self.graph(shape)?;
        if let Some(folded) = &self.folded
            && let Some(graph) = folded.graphs.get(&shape)
        {
            return Ok((graph, folded.params.clone()));
        }
        let (graph, state) = fold_batch_norm(&whole, &self.exported(&self.parameters)?)?;
        let folded = self.folded.get_or_insert_with(|| {
            let device = &self.card.device;
            let slices = (0..state.specs.len()).map(|i| state.slice(i));
            let params = slices.map(|values| upload(values.to_vec(), [values.len()], device)).collect();
            Folded { params, graphs: PlanCache::new() }
        });
        let graph = folded.graphs.insert(shape, graph);
        Ok((graph, folded.params.clone()))
    }

    /// The values of all parameters, each in a tensor of its own; with gradients where they are trained.
    pub(super) fn leaves(&self, gradients: bool) -> Vec<Values<1>> {
        let of = |spec: &ParamSpec| {
            let trainable = spec.role.trainable();
            let all = if trainable { &self.parameters.values } else { &self.parameters.statistics };
            let values = all.cut(spec.offset..spec.offset + spec.len());
            let values = values.unwrap_or_else(|| upload(Vec::new(), [0], &self.card.device));
            if trainable && gradients { values.autodiff().require_grad() } else { values }
        };
        self.specs.iter().map(of).collect()
    }

    /// A batch on the device.
    pub(super) fn upload(&self, input: &Tensor) -> Result<Map, EngineError> {
        check_input(input)?;
        let Shape { n, h, w, c } = input.shape;
        let data = TensorData::new(input.data.clone(), [n, h, w, c]);
        Ok(Map::from_data(data, &self.card.device))
    }

    /// A forward pass over a graph for the input's shape.
    pub(super) fn pass(
        &mut self,
        graph: &Graph,
        params: &[Values<1>],
        input: Map,
        mode: Mode,
        probe: bool,
    ) -> Trace {
        let dropout = self.dropout.draw(mode);
        let (device, matrices) = (&self.card.device, &mut self.matrices);
        Pass { graph, mode, dropout, params, device, matrices, probe }.run(input)
    }

    /// A pass without gradients; its outputs on the device.
    pub(super) fn run(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Map>, EngineError> {
        let (graph, params) = match mode {
            Inference::Predict => self.folded(input.shape)?,
            Inference::Eval | Inference::Sample => (self.graph(input.shape)?, self.leaves(false)),
        };
        let images = self.upload(input)?;
        let mode = Mode::from(mode);
        let trace = self.pass(&graph, &params, images, mode, false);
        Ok(trace.outputs(&graph, mode))
    }

    /// Values in the order of checkpoints.
    pub(super) fn exported(&self, parameters: &Parameters) -> Result<State, EngineError> {
        Ok(State {
            specs: self.specs.clone(),
            values: parameters.values.read(&self.card.name)?,
            statistics: parameters.statistics.read(&self.card.name)?,
        })
    }

    /// As [`GpuExecutor::exported`]; NaN where the device has been lost.
    pub(super) fn exported_or_lost(&self, parameters: &Parameters) -> State {
        guard::run(&self.card.name, || self.exported(parameters)).unwrap_or_else(|_| State {
            specs: self.specs.clone(),
            values: vec![f32::NAN; self.lens[0]],
            statistics: vec![f32::NAN; self.lens[1]],
        })
    }
}

impl Executor for GpuExecutor {
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError> {
        self.guarded(Some(input.shape), |executor| {
            let outputs = executor.run(input, mode)?;
            outputs.into_iter().map(|output| download(output, &executor.card.name)).collect()
        })
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        self.guarded(Some(input.shape), |executor| {
            let outputs = executor.run(input, Inference::Eval)?;
            let Card { device, name, .. } = &executor.card;
            let total = loss::loss(&outputs, labels, loss, device, name)?;
            let value = total.map_or(Ok(0.0), |total| read(total, name).map(|v| f64::from(v[0])))?;
            Ok((value, download(outputs[0].clone(), name)?))
        })
    }

    fn state(&self) -> State {
        self.exported_or_lost(&self.parameters)
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        check_state(&self.specs, state)?;
        self.parameters = self.guarded(None, |executor| Ok(Parameters::new(state, &executor.card)))?;
        self.folded = None;
        Ok(())
    }

    fn dropout_state(&self) -> DropoutState {
        self.dropout
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.dropout = state;
    }
}

impl Parameters {
    pub(super) fn new(state: &State, card: &Card) -> Self {
        Self {
            values: Flat::new(&state.values, &card.device),
            statistics: Flat::new(&state.statistics, &card.device),
        }
    }
}

pub(super) fn shape_of(map: &Map) -> Shape {
    let [n, h, w, c] = map.dims();
    Shape::new(n, h, w, c)
}

/// A map, read back.
pub(super) fn download(map: Map, device: &str) -> Result<Tensor, EngineError> {
    let shape = shape_of(&map);
    Ok(Tensor::new(shape, read(map.inner(), device)?))
}
