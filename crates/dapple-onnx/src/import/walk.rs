//! From a file to a graph for one size of the image: its nodes, one after another.

use super::builder::Builder;
use super::call::Call;
use super::constant::{Constant, axis_of};
use super::dispatch::{constant, run};
use super::error::{ImportError, Unread};
use super::file::Source;
use super::head::{Ending, Head, find};
use super::layout::as_any_image;
use super::norm::decomposed;
use super::pattern::{Decomposed, Sources};
use super::read;
use super::refusal::Refusal;
use super::value::{Map, Value};
use super::view::View;
use crate::proto::{GraphProto, NodeProto};
use dapple_graph::{Graph, Shape};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most elements of constants that are computed for one size.
const MOST_WORK: usize = 1 << 29;

/// The order of an image's axes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[batch, channels, height, width]`.
    Nchw,
    /// `[batch, height, width, channels]`.
    Nhwc,
}

/// From pixel values between 0 and 1 to what a file takes: `value * scale + shift` of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Factors, one a channel.
    pub scale: Vec<f32>,
    /// Addends, one a channel.
    pub shift: Vec<f32>,
    /// Whether the file takes blue, green, red.
    pub reversed: bool,
}

/// A graph for one image with the values of its parameters.
pub(crate) struct Walked {
    pub graph: Graph,
    pub values: Vec<Arc<Vec<f32>>>,
    pub ending: Ending,
    pub quantized: usize,
}

/// The graph of a file for an image of this shape.
pub(crate) fn walk(
    source: &Source,
    layout: Layout,
    preparation: Option<&Preparation>,
    image: Shape,
) -> Result<Walked, ImportError> {
    let constants = |name: &str| known(source, name);
    let makers = makers(source);
    let head = find(&source.outputs[0], &makers, &constants, source.opset);
    let sources = Sources { makers, constants: &constants };
    let patterns = patterns(source, &sources);
    let needed = needed(&source.nodes, &head.logits, &patterns);

    let mut walker = Walker {
        b: Builder::new(image.h, image.w, image.c),
        source,
        values: HashMap::new(),
        unread: Vec::new(),
        work: 0,
    };
    walker.enter_image(layout, preparation)?;
    for (index, node) in source.nodes.iter().enumerate() {
        if needed[index] {
            walker.node(node, &patterns);
        }
    }
    if !walker.unread.is_empty() {
        return Err(ImportError::Nodes(walker.unread));
    }
    walker.finish(&head)
}

/// A constant by name: of the file, or of a `Constant` node, under that name or handed on by a few nodes.
fn known(source: &Source, name: &str) -> Option<Constant> {
    const MOST_STEPS: usize = 8;
    let mut name = name;
    for _ in 0..MOST_STEPS {
        if let Some(constant) = source.constants.get(name) {
            return Some(constant.clone());
        }
        let node = source.made_by.get(name).map(|&index| &source.nodes[index])?;
        match node.op_type() {
            "Identity" => name = node.input.first()?,
            "Constant" => return constant(&Call { node, inputs: Vec::new(), opset: source.opset }).ok(),
            _ => return None,
        }
    }
    None
}

/// The nodes by the values that they make.
fn makers(source: &Source) -> HashMap<&str, &NodeProto> {
    source.made_by.iter().map(|(name, &index)| (name.as_str(), &source.nodes[index])).collect()
}

/// The decomposed layer norms by the value that they make.
fn patterns(source: &Source, sources: &Sources<'_>) -> HashMap<String, Decomposed> {
    let found = source.nodes.iter().filter_map(|node| {
        let name = node.output.first()?;
        Some((name.clone(), sources.layer_norm(node)?))
    });
    found.collect()
}

/// For each node, whether the logits depend on it.
fn needed(nodes: &[NodeProto], logits: &str, patterns: &HashMap<String, Decomposed>) -> Vec<bool> {
    let mut wanted: HashSet<&str> = HashSet::from([logits]);
    let mut needed = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate().rev() {
        if !node.output.iter().any(|output| wanted.contains(output.as_str())) {
            continue;
        }
        needed[index] = true;
        match node.output.first().and_then(|output| patterns.get(output)) {
            Some(pattern) => {
                wanted.insert(&pattern.input);
            }
            None => want(node, &mut wanted),
        }
    }
    needed
}

/// The values that a node reads, those of its branches included.
fn want<'a>(node: &'a NodeProto, wanted: &mut HashSet<&'a str>) {
    wanted.extend(node.input.iter().map(String::as_str));
    for branch in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        branch.node.iter().for_each(|node| want(node, wanted));
        wanted.extend(branch.output.iter().map(|output| output.name()));
    }
}

struct Walker<'a> {
    b: Builder,
    source: &'a Source,
    values: HashMap<String, Value>,
    unread: Vec<Unread>,
    work: usize,
}

impl Walker<'_> {
    fn enter_image(&mut self, layout: Layout, preparation: Option<&Preparation>) -> Result<(), ImportError> {
        let b = &mut self.b;
        let mut node = b.graph.input();
        b.enter("input");
        if let Some(Preparation { scale, shift, reversed }) = preparation {
            let channels = b.shape(node).c;
            let failed = |refusal: Refusal| ImportError::File(refusal.0);
            if *reversed {
                let order: Vec<usize> = (0..channels).rev().collect();
                node = b.select(node, &order).map_err(failed)?;
            }
            let is_same = scale.iter().all(|&v| v == 1.0) && shift.iter().all(|&v| v == 0.0);
            if !is_same {
                node = b.affine(node, scale.clone(), shift.clone()).map_err(failed)?;
            }
        }
        let shape = b.shape(node);
        let view = match layout {
            Layout::Nchw => View::image(shape),
            Layout::Nhwc => View::channels_last(shape),
        };
        self.values.insert(self.source.input.clone(), Value::Map(Map { node, view, factor: 1.0 }));
        Ok(())
    }

    /// The value of a name.
    fn value(&self, name: &str) -> Option<Value> {
        let own = self.values.get(name).cloned();
        own.or_else(|| self.source.constants.get(name).map(|constant| Value::Known(constant.clone())))
    }

    fn node(&mut self, node: &NodeProto, patterns: &HashMap<String, Decomposed>) {
        let first = node.output.first().map(String::as_str).unwrap_or_default();
        let name = if node.name().is_empty() { first } else { node.name() };
        self.b.enter(name);
        let made = match patterns.get(first) {
            Some(pattern) => self.layer_norm(pattern).map(|value| vec![value]),
            None if node.op_type() == "If" && matches!(node.domain(), "" | "ai.onnx") => self.branch(node),
            None => self.plain(node),
        };
        let values = made.unwrap_or_else(|Refusal(why)| {
            let domain = node.domain();
            let operator = match domain {
                "" | "ai.onnx" => node.op_type().to_owned(),
                _ => format!("{domain}.{}", node.op_type()),
            };
            let operator = operator.escape_debug().to_string();
            self.unread.push(Unread { operator, node: name.to_owned(), why });
            vec![Value::Lost; node.output.len()]
        });
        let lost = std::iter::repeat(Value::Lost);
        for (name, value) in node.output.iter().zip(values.into_iter().chain(lost)) {
            if !name.is_empty() {
                self.values.insert(name.clone(), value);
            }
        }
    }

    fn plain(&mut self, node: &NodeProto) -> Result<Vec<Value>, Refusal> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match name.as_str() {
                "" => None,
                name => Some(
                    self.value(name)
                        .ok_or_else(|| Refusal(format!("`{}` is not made", name.escape_debug())))?,
                ),
            });
        }
        let call = Call { node, inputs, opset: self.source.opset };
        for value in call.inputs.iter().flatten() {
            // Weights are read by one node each; what is computed again and again counts.
            if let Value::Known(constant) = value {
                self.work = self.work.saturating_add(constant.len());
            }
        }
        let values = run(&mut self.b, &call)?;
        for value in &values {
            if let Value::Known(constant) = value {
                self.work = self.work.saturating_add(constant.len());
            }
        }
        if self.work > MOST_WORK {
            return Err("it computes with more constants than networks have".into());
        }
        Ok(values)
    }

    fn layer_norm(&mut self, pattern: &Decomposed) -> Result<Value, Refusal> {
        match self.value(&pattern.input) {
            Some(Value::Map(map)) => decomposed(&mut self.b, &map, &pattern.axes, pattern.eps),
            Some(Value::Lost) => Ok(Value::Lost),
            _ => Err("it normalizes no map of the image".into()),
        }
    }

    /// The branch of an `If` whose condition is known.
    fn branch(&mut self, node: &NodeProto) -> Result<Vec<Value>, Refusal> {
        let condition = node.input.first().and_then(|name| self.value(name));
        let truth = match condition {
            Some(Value::Known(constant)) => constant.scalar(),
            Some(Value::Lost) => return Ok(vec![Value::Lost; node.output.len()]),
            _ => None,
        };
        let Some(truth) = truth else { return Err("its condition depends on the image".into()) };
        let wanted = if truth != 0.0 { "then_branch" } else { "else_branch" };
        let call = Call { node, inputs: Vec::new(), opset: self.source.opset };
        let branch = call.attribute(wanted).and_then(|attribute| attribute.g.as_ref());
        let Some(branch) = branch else { return Err("it has no branch".into()) };
        self.graph(branch)
    }

    /// The values of a branch, which reads those around it.
    fn graph(&mut self, graph: &GraphProto) -> Result<Vec<Value>, Refusal> {
        for tensor in &graph.initializer {
            let value = read::constant(tensor, None).map_err(Refusal)?;
            self.values.insert(tensor.name().to_owned(), Value::Known(value));
        }
        let none = HashMap::new();
        for node in &graph.node {
            self.node(node, &none);
        }
        let value = |name: &str| {
            self.value(name).ok_or_else(|| Refusal(format!("`{}` is not made", name.escape_debug())))
        };
        graph.output.iter().map(|output| value(output.name())).collect()
    }

    /// The logits as the graph's output.
    fn finish(mut self, head: &Head) -> Result<Walked, ImportError> {
        let name = self.source.outputs[0].clone();
        let bad = |why: &str| Err(ImportError::Output(name.escape_debug().to_string(), why.to_owned()));
        let Some(Value::Map(map)) = self.value(&head.logits) else {
            return bad("it is no map of the image");
        };
        let shape = self.b.shape(map.node);
        for &axis in &head.axes {
            let rank = map.view.axes.len();
            let axis = axis_of(axis, rank);
            let is_last = axis.is_some_and(|axis| axis + 1 == rank);
            let goes_on = head.ending == Ending::Softmax && self.source.opset < 13 && !is_last;
            if goes_on || !axis.is_some_and(|axis| map.view.is_channels(axis, shape)) {
                return bad("it is a softmax or a largest value over another axis than the channels");
            }
        }
        self.b.enter("output");
        let node = match as_any_image(&mut self.b, &map) {
            Ok(node) => node,
            Err(refusal) => return bad(&refusal.0),
        };
        if head.ending == Ending::Logits && self.b.is_of_sigmoids(node) {
            return bad(
                "its values are no logits, but computed of sigmoids (a Resize, a product or the like behind them); \
                 end the network with the sigmoid, or before it",
            );
        }
        let shape = self.b.shape(node);
        if (shape.h, shape.w) == (1, 1) {
            return bad("it has one value an image; networks whose output is a map are read");
        }
        match (head.ending, shape.c) {
            (Ending::Softmax | Ending::ArgMax, 1) => return bad("it has one class only"),
            (Ending::Threshold, 2..) => return bad("it compares several classes with a threshold"),
            (_, 257..) => return bad("it has more than 256 classes"),
            _ => {}
        }
        let mut graph = self.b.graph;
        if graph.output("logits", node).is_err() {
            return bad("it is not in the graph");
        }
        graph.prune();
        Ok(Walked { graph, values: self.b.values, ending: head.ending, quantized: self.b.quantized })
    }
}
