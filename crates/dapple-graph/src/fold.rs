//! Folds batch norm into the convolution before it, for inference.

use crate::{BatchNorm, Graph, GraphError, Init, Node, NodeId, Op, ParamId, ParamSpec, Role, State};
use std::collections::HashMap;

/// The same function in inference mode with fewer operations: each batch norm that alone reads a (transposed)
/// convolution becomes that convolution's weights and bias. Names of weights are kept.
///
/// # Errors
/// If a convolution without bias has a sibling parameter named like its new bias.
pub fn fold_batch_norm(graph: &Graph, state: &State) -> Result<(Graph, State), GraphError> {
    let readers = readers(graph);
    let mut out = Graph::new(graph.shape(graph.input()));
    let mut values: Vec<Vec<f32>> = Vec::new();
    let mut map: HashMap<NodeId, NodeId> = HashMap::from([(graph.input(), out.input())]);

    for (index, node) in graph.nodes().iter().enumerate().skip(1) {
        let id = NodeId(index);
        if folded_into(graph, &readers, id).is_some() {
            continue;
        }
        let norm = reader_to_fold(graph, &readers, id);
        let op = match node.op.clone() {
            Op::Conv2d { weight, bias, mut conv } => {
                let folded = fold_conv(graph, state, weight, bias, norm);
                let (weight, bias) = folded.add_to(&mut out, &mut values)?;
                conv.bias = bias.is_some();
                Op::Conv2d { weight, bias, conv }
            }
            Op::ConvTranspose2d { weight, bias, mut conv } => {
                let folded = fold_conv(graph, state, weight, bias, norm);
                let (weight, bias) = folded.add_to(&mut out, &mut values)?;
                conv.bias = bias.is_some();
                Op::ConvTranspose2d { weight, bias, conv }
            }
            mut op => {
                for id in op.params_mut() {
                    let spec = graph.param(*id);
                    values.push(state.slice(id.0).to_vec());
                    *id = out.add_param(spec.name.clone(), spec.shape.clone(), spec.role, spec.init)?;
                }
                if let Some(id) = op.reference_mut() {
                    *id = map[&*id];
                }
                op
            }
        };
        let inputs = node.inputs.iter().map(|i| map[i]).collect();
        let new = out.push_node(Node { name: node.name.clone(), op, inputs, shape: node.shape });
        map.insert(id, new);
        if let Some(norm) = norm {
            map.insert(norm, new);
        }
    }
    for (name, node) in graph.outputs() {
        out.output(name, map[node])?;
    }
    let mut folded = State::init(&out, 0);
    for (index, v) in values.iter().enumerate() {
        folded.slice_mut(index).copy_from_slice(v);
    }
    Ok((out, folded))
}

/// A convolution's parameters with the batch norm behind it folded in.
struct Folded<'a> {
    spec: &'a ParamSpec,
    weight: Vec<f32>,
    bias_name: String,
    bias: Option<Vec<f32>>,
}

impl Folded<'_> {
    fn add_to(
        self,
        out: &mut Graph,
        values: &mut Vec<Vec<f32>>,
    ) -> Result<(ParamId, Option<ParamId>), GraphError> {
        let Self { spec, weight, bias_name, bias } = self;
        let id = out.add_param(spec.name.clone(), spec.shape.clone(), spec.role, spec.init)?;
        values.push(weight);
        let Some(bias) = bias else { return Ok((id, None)) };
        let bias_id = out.add_param(bias_name, vec![bias.len()], Role::Bias, Init::Constant(0.0))?;
        values.push(bias);
        Ok((id, Some(bias_id)))
    }
}

fn fold_conv<'a>(
    graph: &'a Graph,
    state: &State,
    weight: ParamId,
    bias: Option<ParamId>,
    norm: Option<NodeId>,
) -> Folded<'a> {
    let spec = graph.param(weight);
    let mut w = state.slice(weight.0).to_vec();
    let mut b = bias.map(|b| state.slice(b.0).to_vec());
    if let Some((scale, shift)) = norm.and_then(|n| affine(graph, state, n)) {
        // Output channels are the first axis of a convolution's weight, the second of a transposed one's.
        let inner: usize = spec.shape[2..].iter().product();
        let (outs, run) = match spec.role {
            Role::ConvTransposeWeight => (spec.shape[1], inner),
            _ => (spec.shape[0], inner * spec.shape[1]),
        };
        for (i, run) in w.chunks_exact_mut(run).enumerate() {
            run.iter_mut().for_each(|v| *v = (f64::from(*v) * scale[i % outs]) as f32);
        }
        let old = b.unwrap_or_else(|| vec![0.0; outs]);
        b = Some(old.iter().enumerate().map(|(i, &v)| (f64::from(v) * scale[i] + shift[i]) as f32).collect());
    }
    let bias_name = match bias {
        Some(b) => graph.param(b).name.clone(),
        None => format!("{}.bias", spec.name.strip_suffix(".weight").unwrap_or(&spec.name)),
    };
    Folded { spec, weight: w, bias_name, bias: b }
}

/// The batch norm as `scale x + shift` per channel.
fn affine(graph: &Graph, state: &State, id: NodeId) -> Option<(Vec<f64>, Vec<f64>)> {
    let Op::BatchNorm { gamma, beta, mean, var, norm: BatchNorm { eps, .. } } = &graph.node(id).op else {
        return None;
    };
    let [g, b, m, v] = [gamma, beta, mean, var].map(|p| state.slice(p.0));
    let scale: Vec<f64> =
        g.iter().zip(v).map(|(&g, &v)| f64::from(g) / (f64::from(v) + f64::from(*eps)).sqrt()).collect();
    let shift = (0..scale.len()).map(|i| f64::from(b[i]) - f64::from(m[i]) * scale[i]).collect();
    Some((scale, shift))
}

/// For each node, the nodes that read its values; outputs count as a reader of their own.
fn readers(graph: &Graph) -> Vec<Vec<Option<NodeId>>> {
    let mut readers = vec![Vec::new(); graph.nodes().len()];
    for (index, node) in graph.nodes().iter().enumerate() {
        node.inputs.iter().for_each(|i| readers[i.0].push(Some(NodeId(index))));
    }
    graph.outputs().iter().for_each(|(_, id)| readers[id.0].push(None));
    readers
}

/// The batch norm that disappears into convolution `id`, if there is one.
fn reader_to_fold(graph: &Graph, readers: &[Vec<Option<NodeId>>], id: NodeId) -> Option<NodeId> {
    let is_conv = matches!(graph.node(id).op, Op::Conv2d { .. } | Op::ConvTranspose2d { .. });
    match readers[id.0][..] {
        [Some(reader)] if is_conv && matches!(graph.node(reader).op, Op::BatchNorm { .. }) => Some(reader),
        _ => None,
    }
}

/// The convolution that takes up batch norm `id`, if there is one.
fn folded_into(graph: &Graph, readers: &[Vec<Option<NodeId>>], id: NodeId) -> Option<NodeId> {
    let node = graph.node(id);
    let &source = node.inputs.first()?;
    (reader_to_fold(graph, readers, source) == Some(id)).then_some(source)
}
