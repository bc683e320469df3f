//! The graph and its builder.

use crate::{ConvInit, GraphError, Init, NodeId, Op, ParamId, ParamSpec, Quantization, Role, Shape};
use std::collections::HashMap;

/// One operation with its inputs and the shape of its output.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Name for messages and tables; the prefix of its parameters where it has any.
    pub name: String,
    /// The operation.
    pub op: Op,
    /// The nodes that are read.
    pub inputs: Vec<NodeId>,
    /// Shape of the output.
    pub shape: Shape,
}

/// Anything that builds a graph for an input shape: a network with its settings.
///
/// The parameters (names, shapes, order) must not depend on the batch and the size.
pub trait Network: Send + Sync {
    /// Builds the graph for inputs of this shape.
    ///
    /// # Errors
    /// Where the settings or the size do not fit the network.
    fn build(&self, input: Shape) -> Result<Graph, GraphError>;

    /// A shape that it can be built for, so that its parameters can be known before the first image.
    fn example_input(&self) -> Shape;

    /// The convolutions that compute in integers of eight bits, where there are any. Engines without them compute as if there
    /// were none.
    fn quantization(&self) -> Option<&Quantization> {
        None
    }
}

/// An example input with a function that builds the graph.
impl<F: Fn(Shape) -> Result<Graph, GraphError> + Send + Sync> Network for (Shape, F) {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        self.1(input)
    }

    fn example_input(&self) -> Shape {
        self.0
    }
}

/// A network as data: nodes in computing order, parameters, and named outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    params: Vec<ParamSpec>,
    by_name: HashMap<String, ParamId>,
    pub(crate) outputs: Vec<(String, NodeId)>,
    trainable_len: usize,
    statistics_len: usize,
    pub(crate) conv_init: ConvInit,
}

impl Graph {
    /// A graph with nothing but its input.
    pub fn new(input: Shape) -> Self {
        let node = Node { name: "input".into(), op: Op::Input, inputs: Vec::new(), shape: input };
        Self {
            nodes: vec![node],
            params: Vec::new(),
            by_name: HashMap::new(),
            outputs: Vec::new(),
            trainable_len: 0,
            statistics_len: 0,
            conv_init: ConvInit::default(),
        }
    }

    /// Initial values of the convolutions that are added from now on.
    pub fn use_conv_init(&mut self, init: ConvInit) {
        self.conv_init = init;
    }

    /// The image batch.
    pub fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// All nodes in computing order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// For an id of another graph.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Shape of a node's output.
    ///
    /// # Panics
    /// For an id of another graph.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.0].shape
    }

    /// All parameters in the order in which they were added.
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// One parameter.
    ///
    /// # Panics
    /// For an id of another graph.
    pub fn param(&self, id: ParamId) -> &ParamSpec {
        &self.params[id.0]
    }

    /// The parameter of that name.
    pub fn find_param(&self, name: &str) -> Option<ParamId> {
        self.by_name.get(name).copied()
    }

    /// Named outputs, the primary one first.
    pub fn outputs(&self) -> &[(String, NodeId)] {
        &self.outputs
    }

    /// Number of trainable values, the length of the flat parameter and gradient buffers.
    pub fn trainable_len(&self) -> usize {
        self.trainable_len
    }

    /// Number of running statistics.
    pub fn statistics_len(&self) -> usize {
        self.statistics_len
    }

    /// Declares a node as an output. The first one declared is the primary output.
    ///
    /// # Errors
    /// If the node is not of this graph.
    pub fn output(&mut self, name: &str, node: NodeId) -> Result<(), GraphError> {
        self.check(node)?;
        self.outputs.push((name.to_owned(), node));
        Ok(())
    }

    /// Adds a node that a rewriting pass has already checked.
    pub(crate) fn push_node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    pub(crate) fn add_param(
        &mut self,
        name: String,
        shape: Vec<usize>,
        role: Role,
        init: Init,
    ) -> Result<ParamId, GraphError> {
        let total = if role.trainable() { &mut self.trainable_len } else { &mut self.statistics_len };
        let id = ParamId(self.params.len());
        if self.by_name.contains_key(&name) {
            return Err(GraphError::DuplicateParameter(name));
        }
        self.by_name.insert(name.clone(), id);
        let spec = ParamSpec { name, shape, role, init, offset: *total };
        *total += spec.len();
        self.params.push(spec);
        Ok(id)
    }

    pub(crate) fn check(&self, id: NodeId) -> Result<Shape, GraphError> {
        self.nodes.get(id.0).map(|n| n.shape).ok_or(GraphError::UnknownNode(id.0))
    }

    pub(crate) fn push(&mut self, name: &str, op: Op, inputs: Vec<NodeId>, shape: Shape) -> NodeId {
        self.push_node(Node { name: name.to_owned(), op, inputs, shape })
    }

    pub(crate) fn push_unnamed(&mut self, op: Op, inputs: Vec<NodeId>, shape: Shape) -> NodeId {
        let name = format!("{}.{}", op.kind(), self.nodes.len());
        self.push(&name, op, inputs, shape)
    }
}
