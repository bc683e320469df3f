//! A network with its parameters on a card.

mod fault;
mod interface;
mod learn;

use crate::engine::GpuEngine;
use crate::flat::{Flat, read, upload};
use crate::guard;
use crate::loss;
use crate::ops::Map;
use crate::ops::linear::Matrices;
use crate::pass::{Pass, Trace};
use burn_tensor::{Tensor as Values, TensorData};
use dapple_graph::fold::fold_batch_norm;
use dapple_graph::{
    DropoutState, EngineError, Graph, Loss, Mode, Network, Optimizer, ParamSpec, Shape, State, Tensor,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Turns that llvmpipe gives a shader's loops.
const LOOP_TURNS: usize = 65_535;

/// Graphs that are kept; more shapes than that start anew.
const MAX_GRAPHS: usize = 32;

/// Parameters and running statistics.
#[derive(Clone)]
struct Parameters {
    values: Flat,
    statistics: Flat,
}

/// The network with its batch norms folded into convolutions, for inference.
struct Folded {
    params: Vec<Values<1>>,
    graphs: HashMap<Shape, Arc<Graph>>,
}

/// A training pass that waits for the gradients of its outputs.
struct Pending {
    outputs: Vec<Map>,
    leaves: Vec<Values<1>>,
}

pub(crate) struct GpuExecutor {
    engine: GpuEngine,
    network: Arc<dyn Network>,
    optimizer: Option<Optimizer>,
    specs: Vec<ParamSpec>,
    /// Trainable values and running statistics in all.
    lens: [usize; 2],
    parameters: Parameters,
    average: Option<Parameters>,
    /// Since the last step.
    gradients: Option<Flat>,
    slots: Vec<Flat>,
    steps: u64,
    /// Factor of the learning rate of each parameter.
    rate_factors: Vec<f32>,
    graphs: HashMap<Shape, Arc<Graph>>,
    /// Made when inference first wants it, dropped when parameters change.
    folded: Option<Folded>,
    matrices: Matrices,
    pending: Option<Pending>,
    /// Of the next pass that drops.
    dropout: DropoutState,
}

/// What to do where so many images fit.
fn advice(fits: u64) -> String {
    match fits {
        0 => "use smaller images".to_owned(),
        fits => format!("use a batch of {fits} at most"),
    }
}

impl GpuExecutor {
    pub fn new(
        engine: &GpuEngine,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Option<Optimizer>,
    ) -> Result<Self, EngineError> {
        let graph = network.build(network.example_input())?;
        fitting(graph.params(), state)?;
        guard::run(&engine.name, || {
            let lens = [graph.trainable_len(), graph.statistics_len()];
            let slots = optimizer.map_or(0, |o| o.slots());
            Ok(Self {
                engine: engine.clone(),
                network,
                optimizer,
                specs: graph.params().to_vec(),
                lens,
                parameters: Parameters::new(state, engine),
                average: None,
                gradients: None,
                slots: (0..slots).map(|_| Flat::zeros(lens[0], &engine.device)).collect(),
                steps: 0,
                rate_factors: vec![1.0; graph.params().len()],
                graphs: HashMap::new(),
                folded: None,
                matrices: Matrices::default(),
                pending: None,
                dropout: DropoutState::default(),
            })
        })
    }

    /// The network's graph for a shape.
    fn graph(&mut self, shape: Shape) -> Result<Arc<Graph>, EngineError> {
        if let Some(graph) = self.graphs.get(&shape) {
            return Ok(graph.clone());
        }
        if shape.is_empty() {
            return Err(EngineError::Input(format!("an input of shape {shape} has no pixels")));
        }
        let graph = Arc::new(self.network.build(shape)?);
        self.check_size(&graph)?;
        if self.graphs.len() >= MAX_GRAPHS {
            self.graphs.clear();
        }
        self.graphs.insert(shape, graph.clone());
        Ok(graph)
    }

    /// Refuses what has maps larger than the card's largest buffer.
    fn check_size(&self, graph: &Graph) -> Result<(), EngineError> {
        let bytes = |shape: &Shape| shape.len() as u64 * size_of::<f32>() as u64;
        let largest = graph.nodes().iter().map(|node| bytes(&node.shape)).max().unwrap_or(0);
        let limit = self.engine.adapter.largest_buffer;
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
        Err(EngineError::Device { device: self.engine.name.clone(), why })
    }

    /// Refuses to train with sums that a program in the place of a card would cut short: llvmpipe leaves every shader's loops
    /// after 65,535 turns (Mesa, `LP_MAX_TGSI_LOOP_ITERATIONS`), in silence, and gradients are sums over all pixels.
    fn check_loops(&self, input: Shape) -> Result<(), EngineError> {
        if !self.engine.adapter.software || input.pixels() <= LOOP_TURNS {
            return Ok(());
        }
        let advice = advice((LOOP_TURNS / (input.h * input.w)) as u64);
        let why = format!(
            "a batch of {} pixels cannot be trained with on a program in the place of a card, which ends loops after \
             {LOOP_TURNS} turns; {advice}, or --device cpu, which is faster",
            input.pixels()
        );
        Err(EngineError::Device { device: self.engine.name.clone(), why })
    }

    /// The folded network for a shape.
    fn folded(&mut self, shape: Shape) -> Result<(Arc<Graph>, Vec<Values<1>>), EngineError> {
        let whole = self.graph(shape)?;
        if let Some(folded) = &self.folded
            && let Some(graph) = folded.graphs.get(&shape)
        {
            return Ok((graph.clone(), folded.params.clone()));
        }
        let (graph, state) = fold_batch_norm(&whole, &self.exported(&self.parameters)?)?;
        let graph = Arc::new(graph);
        let folded = self.folded.get_or_insert_with(|| {
            let device = &self.engine.device;
            let slices = (0..state.specs.len()).map(|i| state.slice(i));
            let params = slices.map(|values| upload(values.to_vec(), [values.len()], device)).collect();
            Folded { params, graphs: HashMap::new() }
        });
        if folded.graphs.len() >= MAX_GRAPHS {
            folded.graphs.clear();
        }
        folded.graphs.insert(shape, graph.clone());
        Ok((graph, folded.params.clone()))
    }

    /// The values of all parameters, each in a tensor of its own; with gradients where they are trained.
    fn leaves(&self, gradients: bool) -> Vec<Values<1>> {
        let of = |spec: &ParamSpec| {
            let trainable = spec.role.trainable();
            let all = if trainable { &self.parameters.values } else { &self.parameters.statistics };
            let values = all.cut(spec.offset..spec.offset + spec.len());
            let values = values.unwrap_or_else(|| upload(Vec::new(), [0], &self.engine.device));
            if trainable && gradients { values.autodiff().require_grad() } else { values }
        };
        self.specs.iter().map(of).collect()
    }

    /// Where dropout stands for a pass in that mode, and moves on.
    fn draw(&mut self, mode: Mode) -> DropoutState {
        let drawn = self.dropout;
        if matches!(mode, Mode::Train | Mode::Sample) {
            self.dropout.passes += 1;
        }
        drawn
    }

    /// The images on the device.
    fn upload(&self, input: &Tensor) -> Result<Map, EngineError> {
        let Shape { n, h, w, c } = input.shape;
        if input.data.len() != input.shape.len() {
            let (values, shape) = (input.data.len(), input.shape);
            return Err(EngineError::Input(format!("{values} values for an input of shape {shape}")));
        }
        let data = TensorData::new(input.data.clone(), [n, h, w, c]);
        Ok(Map::from_data(data, &self.engine.device))
    }

    /// A forward pass over a graph that has been made for the input.
    fn pass(&mut self, graph: &Graph, params: &[Values<1>], input: Map, mode: Mode, probe: bool) -> Trace {
        let dropout = self.draw(mode);
        let (device, matrices) = (&self.engine.device, &mut self.matrices);
        Pass { graph, mode, dropout, params, device, matrices, probe }.run(input)
    }

    /// A pass without gradients; the outputs that the mode gives.
    fn infer(&mut self, input: &Tensor, mode: Mode) -> Result<Vec<Map>, EngineError> {
        let (graph, params) = match mode {
            Mode::Predict => self.folded(input.shape)?,
            _ => (self.graph(input.shape)?, self.leaves(false)),
        };
        let images = self.upload(input)?;
        let trace = self.pass(&graph, &params, images, mode, false);
        Ok(trace.outputs(&graph, mode))
    }

    /// A training pass; running statistics as they are after it.
    fn train(&mut self, shape: Shape, images: Map) -> Result<(Pending, Flat), EngineError> {
        let graph = self.graph(shape)?;
        self.check_loops(shape)?;
        let leaves = self.leaves(true);
        let trace = self.pass(&graph, &leaves, images, Mode::Train, false);
        let outputs = trace.outputs(&graph, Mode::Train);
        Ok((Pending { outputs, leaves }, self.moved_statistics(trace)))
    }

    /// The running statistics moved towards a batch's moments.
    fn moved_statistics(&self, trace: Trace) -> Flat {
        let running = &self.parameters.statistics;
        let mut parts = Vec::new();
        for (mean, var, momentum, moments) in trace.moments {
            for (id, new) in [(mean, moments.mean), (var, moments.var)] {
                let spec = &self.specs[id.0];
                let range = spec.offset..spec.offset + spec.len();
                if let Some(old) = running.cut(range.clone()) {
                    parts.push((range, old * (1.0 - momentum) + new * momentum));
                }
            }
        }
        parts.sort_by_key(|(range, _)| range.start);
        running.replaced(parts)
    }

    /// The gradient buffer with that of `total` added.
    fn accumulated(&self, total: Option<Values<1>>, leaves: &[Values<1>]) -> Option<Flat> {
        let new = total.filter(Values::is_tracked).map(|total| {
            let mut gradients = total.backward();
            let trained = self.specs.iter().zip(leaves).filter(|(spec, _)| spec.role.trainable());
            let parts = trained.map(|(spec, leaf)| {
                let found = leaf.grad_remove(&mut gradients);
                found.unwrap_or_else(|| Values::zeros([spec.len()], &self.engine.device))
            });
            Flat(Some(Values::cat(parts.collect(), 0)))
        });
        match (&self.gradients, new) {
            (Some(old), Some(new)) => Some(old.with(&new, |a, b| a + b)),
            (old, new) => new.or_else(|| old.clone()),
        }
    }

    /// The loss of an evaluation or, times `scale`, of a training pass, with what that changes.
    fn labelled_pass(
        &mut self,
        input: &Tensor,
        labels: &[u8],
        loss: &Loss,
        scale: f32,
    ) -> Result<f64, EngineError> {
        let name = self.engine.name.clone();
        let images = self.upload(input)?;
        let (Pending { outputs, leaves }, statistics) = self.train(input.shape, images)?;
        let total = loss::loss(&outputs, labels, loss, &self.engine.device, &name)?;
        let scaled = total.clone().map(|total| total * scale);
        let gradients = self.accumulated(scaled, &leaves);
        // Reading waits for everything before: what fails has changed nothing.
        let value = total.map_or(Ok(0.0), |total| read(total.inner(), &name).map(|v| f64::from(v[0])))?;
        self.gradients = gradients.or_else(|| Some(Flat::zeros(self.lens[0], &self.engine.device)));
        self.parameters.statistics = statistics;
        self.folded = None;
        Ok(value)
    }

    /// The sum of outputs times their gradients, whose gradient is that of the network.
    fn weighed(&self, outputs: &[Map], gradients: &[Tensor]) -> Result<Option<Values<1>>, EngineError> {
        let shapes: Vec<Shape> = outputs.iter().map(shape_of).collect();
        let given: Vec<Shape> = gradients.iter().map(|t| t.shape).collect();
        if shapes != given {
            return Err(EngineError::Input(format!("gradients {given:?} for outputs {shapes:?}")));
        }
        let mut total: Option<Values<1>> = None;
        for (output, gradient) in outputs.iter().zip(gradients) {
            let part = (output.clone() * self.upload(gradient)?).sum();
            total = Some(match total {
                Some(total) => total + part,
                None => part,
            });
        }
        Ok(total)
    }

    /// The average moved towards the values by a share of the way; the first time, the values.
    fn moved_average(&self, share: f32) -> Parameters {
        let now = &self.parameters;
        let Some(average) = &self.average else { return now.clone() };
        let towards = |from: &Flat, to: &Flat| {
            from.with(to, |from, to| {
                let way = to - from.clone();
                from + way * share
            })
        };
        Parameters {
            values: towards(&average.values, &now.values),
            statistics: towards(&average.statistics, &now.statistics),
        }
    }

    /// Values in the order of checkpoints.
    fn exported(&self, parameters: &Parameters) -> Result<State, EngineError> {
        Ok(State {
            specs: self.specs.clone(),
            values: parameters.values.read(&self.engine.name)?,
            statistics: parameters.statistics.read(&self.engine.name)?,
        })
    }

    /// As [`GpuExecutor::exported`]; values that are no numbers where the device has been lost.
    fn exported_or_lost(&self, parameters: &Parameters) -> State {
        guard::run(&self.engine.name, || self.exported(parameters)).unwrap_or_else(|_| State {
            specs: self.specs.clone(),
            values: vec![f32::NAN; self.lens[0]],
            statistics: vec![f32::NAN; self.lens[1]],
        })
    }

    fn read_or_lost(&self, values: &Flat) -> Vec<f32> {
        guard::run(&self.engine.name, || values.read(&self.engine.name))
            .unwrap_or_else(|_| vec![f32::NAN; self.lens[0]])
    }
}

impl Parameters {
    fn new(state: &State, engine: &GpuEngine) -> Self {
        Self {
            values: Flat::new(&state.values, &engine.device),
            statistics: Flat::new(&state.statistics, &engine.device),
        }
    }
}

fn shape_of(map: &Map) -> Shape {
    let [n, h, w, c] = map.dims();
    Shape::new(n, h, w, c)
}

/// A map, read back.
fn download(map: Map, device: &str) -> Result<Tensor, EngineError> {
    let shape = shape_of(&map);
    Ok(Tensor::new(shape, read(map.inner(), device)?))
}

fn fitting(specs: &[ParamSpec], state: &State) -> Result<(), EngineError> {
    let same = |(a, b): (&ParamSpec, &ParamSpec)| a.name == b.name && a.shape == b.shape && a.role == b.role;
    let total = |trainable| -> usize {
        specs.iter().filter(|s| s.role.trainable() == trainable).map(ParamSpec::len).sum()
    };
    match specs.len() == state.specs.len()
        && specs.iter().zip(&state.specs).all(same)
        && state.values.len() == total(true)
        && state.statistics.len() == total(false)
    {
        true => Ok(()),
        false => Err(EngineError::Input("the state's parameters are not those of the network".into())),
    }
}
