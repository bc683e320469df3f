//! The feature maps that convolutions read, measured on images.

use std::collections::BTreeMap;
use std::sync::Arc;

use dapple_graph::{
    Engine, Graph, GraphError, Inference, Network, NodeId, Quantization, Shape, State, Tensor,
};
use dapple_nets::NetConfig;

use super::range::Observation;
use crate::error::ModelError;
use crate::evaluate::EvaluationSet;

/// Values of feature maps that are kept at a time: a quarter of a gigabyte.
const MOST: usize = 64 << 20;

/// A network that gives some of its feature maps beside its outputs, for inputs of one shape.
struct Watched {
    network: NetConfig,
    input: Shape,
    nodes: Vec<NodeId>,
}

impl Network for Watched {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let mut graph = self.network.build(input)?;
        for node in &self.nodes {
            graph.output(&format!("node {}", node.0), *node)?;
        }
        Ok(graph)
    }

    fn example_input(&self) -> Shape {
        self.input
    }
}

/// The shape of a set's inputs.
pub(super) fn input_shape(set: &EvaluationSet) -> Result<Option<Shape>, ModelError> {
    Ok(inputs(set).next().transpose()?.map(|input| input.shape))
}

/// The network's inputs of a set, in order.
pub(super) fn inputs(set: &EvaluationSet) -> impl Iterator<Item = Result<Tensor, ModelError>> {
    set.batches().map(|batch| {
        let batch = batch?;
        Ok::<_, ModelError>(Tensor::new(Shape::new(batch.n, batch.h, batch.w, batch.c), batch.images))
    })
}

/// The inputs of the convolutions that can be quantized, by the names of their weights, over the images of a set.
pub(super) fn observe(
    network: &NetConfig,
    state: &State,
    engine: &dyn Engine,
    set: &EvaluationSet,
) -> Result<BTreeMap<String, Observation>, ModelError> {
    let Some(input) = input_shape(set)? else { return Ok(BTreeMap::new()) };
    let graph = network.build(input)?;
    let mut readers: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for node in graph.nodes() {
        if let Some(weight) = Quantization::weight_of(&graph, node) {
            readers.entry(node.inputs[0].0).or_default().push(graph.param(weight).name.clone());
        }
    }
    let mut seen = BTreeMap::new();
    for nodes in within(MOST, &graph, readers.keys().copied()) {
        let mut observations = vec![Observation::new(); nodes.len()];
        let watched = Watched { network: network.clone(), input, nodes: nodes.clone() };
        let mut executor = engine.load(Arc::new(watched), state)?;
        for input in inputs(set) {
            let outputs = executor.infer(&input?, Inference::Eval)?;
            let maps = &outputs[graph.outputs().len()..];
            observations.iter_mut().zip(maps).for_each(|(observation, map)| observation.add(&map.data));
        }
        for (node, observation) in nodes.iter().zip(observations) {
            seen.extend(readers[&node.0].iter().map(|name| (name.clone(), observation.clone())));
        }
    }
    Ok(seen)
}

/// Nodes in runs whose maps have at most so many values together, but at least one node each.
fn within(most: usize, graph: &Graph, nodes: impl Iterator<Item = usize>) -> Vec<Vec<NodeId>> {
    let mut runs: Vec<Vec<NodeId>> = Vec::new();
    let mut values = usize::MAX;
    for node in nodes.map(NodeId) {
        let len = graph.shape(node).len();
        values = values.saturating_add(len);
        match runs.last_mut().filter(|_| values <= most) {
            Some(run) => run.push(node),
            None => {
                runs.push(vec![node]);
                values = len;
            }
        }
    }
    runs
}
