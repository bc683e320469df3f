//! Collects an ONNX graph: unique names, nodes, constants.

use crate::Options;
use crate::attributes::int;
use crate::half_precision::halves;
use crate::proto::{AttributeProto, DataType, NodeProto, TensorProto};
use dapple_graph::{Graph, NodeId, ParamId, Quantization, State};
use std::collections::{HashMap, HashSet};

/// Name of a value in the ONNX graph.
pub(crate) type Value = String;

/// An unfinished ONNX graph.
pub(crate) struct Writer<'a> {
    /// The graph that is written.
    pub graph: &'a Graph,
    pub state: &'a State,
    /// The convolutions that are written in integers.
    pub quantization: Option<&'a Quantization>,
    /// Version of the operator set.
    pub opset: i64,
    /// Weights are stored in half precision.
    half: bool,
    /// Names of the weights that half precision does not hold.
    pub kept_single: Vec<String>,
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    /// Names given so far, of values and of nodes.
    taken: HashSet<String>,
    /// Values of the nodes written so far.
    values: HashMap<NodeId, Value>,
    /// Those that exist as tokens, see `layout`.
    pub tokens: HashMap<NodeId, Value>,
    /// Positions of the maxima that poolings leave for their unpooling.
    pub positions: HashMap<NodeId, Value>,
    /// `[height, width]` of the nodes whose size is read.
    pub sizes: HashMap<NodeId, Value>,
    /// Values that were rounded to integers, by the scale and the zero of these.
    pub rounded: HashMap<(Value, u32, u8), Value>,
    parameters: HashMap<ParamId, Value>,
    constants: HashMap<(DataType, Vec<i64>, Vec<u8>), Value>,
    /// The node that is being written.
    scope: String,
}

impl<'a> Writer<'a> {
    /// With the image batch as its only value.
    pub fn new(
        graph: &'a Graph,
        state: &'a State,
        options: &Options,
        quantization: Option<&'a Quantization>,
        input: &str,
    ) -> Self {
        // Names of parameters and outputs are promised to the reader, so that nothing else may have them.
        let promised =
            graph.params().iter().map(|p| &p.name).chain(graph.outputs().iter().map(|(name, _)| name));
        let taken = promised.cloned().chain([input.to_owned()]).collect();
        Self {
            graph,
            state,
            quantization,
            opset: options.opset,
            half: options.half,
            kept_single: Vec::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
            taken,
            values: HashMap::from([(graph.input(), input.to_owned())]),
            tokens: HashMap::new(),
            positions: HashMap::new(),
            sizes: HashMap::new(),
            rounded: HashMap::new(),
            parameters: HashMap::new(),
            constants: HashMap::new(),
            scope: String::new(),
        }
    }

    /// Sets the prefix of the names that are written from now on.
    pub fn enter(&mut self, scope: &str) {
        scope.clone_into(&mut self.scope);
    }

    /// The value of a node that has been written.
    pub fn value(&self, id: NodeId) -> &str {
        &self.values[&id]
    }

    /// The value of a node, if it has been written.
    pub fn value_if_written(&self, id: NodeId) -> Option<&str> {
        self.values.get(&id).map(String::as_str)
    }

    /// Sets the value of a node.
    pub fn set_value(&mut self, id: NodeId, value: Value) {
        self.values.insert(id, value);
    }

    /// A node with one output, which is returned.
    pub fn emit(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Value {
        let output = self.fresh(op);
        self.push(op, inputs, vec![output.clone()], attributes);
        output
    }

    /// A node with two outputs.
    pub fn emit_two(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> [Value; 2] {
        let outputs = [self.fresh(op), self.fresh(op)];
        self.push(op, inputs, outputs.to_vec(), attributes);
        outputs
    }

    fn push(&mut self, op: &str, inputs: &[&str], output: Vec<Value>, attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            name: output.first().cloned(),
            output,
            op_type: Some(op.to_owned()),
            attribute,
            domain: None,
        });
    }

    /// A parameter, in single precision. It is an initializer under its own name; one that is stored in half precision is
    /// widened, which runtimes do once, when they load the model.
    pub fn parameter(&mut self, id: ParamId) -> Value {
        if let Some(value) = self.parameters.get(&id) {
            return value.clone();
        }
        let (spec, values) = (self.graph.param(id), self.state.slice(id.0));
        let dims = spec.shape.iter().map(|&extent| extent as i64).collect();
        // Parameters with one value a channel are few, and may lie far outside the range of half precision.
        let is_halved = self.half && spec.role.is_weight();
        let halved = if is_halved { halves(values) } else { None };
        let value = match halved {
            Some(data) => {
                self.initializers.push(tensor(&spec.name, DataType::Float16, dims, data));
                self.emit("Cast", &[&spec.name], vec![int("to", DataType::Float as i64)])
            }
            None => {
                if is_halved {
                    self.kept_single.push(spec.name.clone());
                }
                let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                self.initializers.push(tensor(&spec.name, DataType::Float, dims, data));
                spec.name.clone()
            }
        };
        self.parameters.insert(id, value.clone());
        value
    }

    /// A parameter that is stored in integers, as numbers: an initializer under its own name, times a scale for each entry of
    /// its first axis.
    pub fn integer_parameter(&mut self, id: ParamId, kind: DataType, data: Vec<u8>, scales: &[f32]) -> Value {
        if let Some(value) = self.parameters.get(&id) {
            return value.clone();
        }
        let spec = self.graph.param(id);
        let dims = spec.shape.iter().map(|&extent| extent as i64).collect();
        self.initializers.push(tensor(&spec.name, kind, dims, data));
        let scale = self.floats(scales);
        let bytes = if kind == DataType::Int32 { 4 } else { 1 };
        let zero = self.constant(kind, vec![scales.len() as i64], vec![0; bytes * scales.len()]);
        let value = self.emit("DequantizeLinear", &[&spec.name, &scale, &zero], vec![int("axis", 0)]);
        self.parameters.insert(id, value.clone());
        value
    }

    /// A list of whole numbers.
    pub fn ints(&mut self, values: &[i64]) -> Value {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::Int64, vec![values.len() as i64], data)
    }

    /// One whole number, without axes.
    pub fn scalar_int(&mut self, value: i64) -> Value {
        self.constant(DataType::Int64, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// One fraction, without axes.
    pub fn scalar(&mut self, value: f32) -> Value {
        self.constant(DataType::Float, Vec::new(), value.to_le_bytes().to_vec())
    }

    /// A list of fractions.
    pub fn floats(&mut self, values: &[f32]) -> Value {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::Float, vec![values.len() as i64], data)
    }

    /// A value for each channel of an image, `[channels, 1, 1]`.
    pub fn column(&mut self, values: &[f32]) -> Value {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::Float, vec![values.len() as i64, 1, 1], data)
    }

    /// Equal constants are written once.
    pub fn constant(&mut self, kind: DataType, dims: Vec<i64>, data: Vec<u8>) -> Value {
        let key = (kind, dims, data);
        if let Some(name) = self.constants.get(&key) {
            return name.clone();
        }
        let name = self.unique(&format!("constant.{}", self.constants.len()));
        self.initializers.push(tensor(&name, kind, key.1.clone(), key.2.clone()));
        self.constants.insert(key, name.clone());
        name
    }

    fn fresh(&mut self, op: &str) -> Value {
        self.unique(&format!("{}/{op}", self.scope))
    }

    fn unique(&mut self, base: &str) -> String {
        let mut name = base.to_owned();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{base}.{count}");
        }
        name
    }

    /// Gives a value the name of an output of the model.
    pub fn declare_output(&mut self, value: &str, name: &str) {
        let made_here = self.nodes.iter().any(|node| node.output.iter().any(|o| o == value));
        let is_output = self.graph.outputs().iter().any(|(other, _)| other == value);
        if !made_here || is_output {
            // The input itself, or a value that already is an output.
            self.push("Identity", &[value], vec![name.to_owned()], Vec::new());
            return;
        }
        for node in &mut self.nodes {
            for other in node.input.iter_mut().chain(&mut node.output).filter(|other| *other == value) {
                name.clone_into(other);
            }
        }
        for other in self.values.values_mut().filter(|other| *other == value) {
            name.clone_into(other);
        }
    }
}

fn tensor(name: &str, kind: DataType, dims: Vec<i64>, data: Vec<u8>) -> TensorProto {
    TensorProto {
        dims,
        data_type: Some(kind as i32),
        name: Some(name.to_owned()),
        raw_data: Some(data),
        ..TensorProto::default()
    }
}
