//! A model as it lies in a file, checked before anything is made of it.

use super::constant::{Constant, MOST_ELEMENTS};
use super::error::ImportError;
use super::opsets::READ_OPSETS;
use super::read::{Outside, constant};
use crate::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use dapple_base::read_regular;
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Protocol buffers end here.
const MOST_BYTES: u64 = 1 << 31;

/// Most nodes of a model, those of its branches included.
const MOST_NODES: usize = 100_000;

/// Deepest branch within branches.
const DEEPEST: usize = 8;

/// A model of a file.
pub(crate) struct Source {
    pub nodes: Vec<NodeProto>,
    /// For each value, the node that makes it.
    pub made_by: HashMap<String, usize>,
    pub constants: HashMap<String, Constant>,
    /// The image: its name and its sides, unknown ones `None`.
    pub input: String,
    pub dims: Vec<Option<usize>>,
    /// Whether the image is of whole numbers, as decoders give it.
    pub is_bytes: bool,
    /// Names of the outputs.
    pub outputs: Vec<String>,
    pub opset: i64,
    pub metadata: Vec<(String, String)>,
    pub producer: String,
}

impl Source {
    /// Reads a file, with those that its weights lie in.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let bytes = read_regular(path, MOST_BYTES)
            .map_err(|error| ImportError::File(format!("{}: {error}", path.display())))?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::decode(&bytes, Some(&Outside { folder }))
    }

    /// Reads the content of a file.
    pub fn decode(bytes: &[u8], outside: Option<&Outside>) -> Result<Self, ImportError> {
        let model = ModelProto::decode(bytes)
            .map_err(|error| ImportError::File(format!("it is no ONNX model: {error}")))?;
        let opset = opset(&model)?;
        let Some(graph) = model.graph else {
            return Err(ImportError::File("it is no ONNX model: it has no graph".into()));
        };
        if nodes_of(&graph, 0).is_none_or(|count| count > MOST_NODES) {
            return Err(ImportError::File(format!(
                "it has more than {MOST_NODES} nodes, or branches within more than {DEEPEST} others"
            )));
        }
        let mut constants = HashMap::with_capacity(graph.initializer.len());
        let mut held = 0usize;
        for tensor in &graph.initializer {
            let value = constant(tensor, outside).map_err(ImportError::File)?;
            held = held.saturating_add(value.len());
            if held > MOST_ELEMENTS {
                return Err(ImportError::File(format!(
                    "its constants have more than {MOST_ELEMENTS} values"
                )));
            }
            if constants.insert(tensor.name().to_owned(), value).is_some() {
                let name = tensor.name().escape_debug();
                return Err(ImportError::File(format!("two of its constants are called `{name}`")));
            }
        }
        let mut inputs = graph.input.iter().filter(|input| !constants.contains_key(input.name()));
        let input = match (inputs.next(), inputs.next()) {
            (Some(input), None) => input,
            (None, _) => return Err(ImportError::File("it has no input".into())),
            (Some(first), Some(second)) => {
                return Err(ImportError::File(format!(
                    "it has several inputs (`{}`, `{}`); networks with one image are read",
                    first.name().escape_debug(),
                    second.name().escape_debug()
                )));
            }
        };
        let (dims, is_bytes) = described(input)?;
        let mut known: HashSet<&str> = constants.keys().map(String::as_str).collect();
        known.insert(input.name());
        for node in &graph.node {
            if let Some(name) =
                node.input.iter().find(|name| !name.is_empty() && !known.contains(name.as_str()))
            {
                return Err(ImportError::File(format!(
                    "node `{}` reads `{}`, which nothing before it makes",
                    node.name().escape_debug(),
                    name.escape_debug()
                )));
            }
            known.extend(node.output.iter().map(String::as_str));
        }
        let outputs: Vec<String> = graph.output.iter().map(|output| output.name().to_owned()).collect();
        match outputs.iter().find(|name| !known.contains(name.as_str())) {
            Some(name) => {
                let name = name.escape_debug();
                return Err(ImportError::File(format!("nothing makes its output `{name}`")));
            }
            None if outputs.is_empty() => return Err(ImportError::File("it has no output".into())),
            None => {}
        }
        let input = input.name().to_owned();
        let mut made_by = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            for name in &node.output {
                if made_by.insert(name.clone(), index).is_some() && !name.is_empty() {
                    let name = name.escape_debug();
                    return Err(ImportError::File(format!("two nodes make `{name}`")));
                }
                if *name == input || constants.contains_key(name) {
                    let name = name.escape_debug();
                    return Err(ImportError::File(format!(
                        "a node makes `{name}`, which is its input or a constant"
                    )));
                }
            }
        }
        let entries = model.metadata_props.into_iter();
        Ok(Self {
            input,
            dims,
            is_bytes,
            outputs,
            opset,
            constants,
            made_by,
            nodes: graph.node,
            metadata: entries
                .map(|entry| (entry.key.unwrap_or_default(), entry.value.unwrap_or_default()))
                .collect(),
            producer: model.producer_name.unwrap_or_default(),
        })
    }
}

/// The version of the standard's operators.
fn opset(model: &ModelProto) -> Result<i64, ImportError> {
    let sets = model.opset_import.iter();
    let own = sets.filter(|set| matches!(set.domain(), "" | "ai.onnx")).map(|set| set.version()).max();
    match own {
        Some(version) if READ_OPSETS.contains(&version) => Ok(version),
        Some(version) => Err(ImportError::Opset(version)),
        None => Err(ImportError::File("it is no ONNX model: it names no operator set".into())),
    }
}

/// The nodes of a graph and its branches; `None` for branches within too many others.
fn nodes_of(graph: &GraphProto, depth: usize) -> Option<usize> {
    if depth > DEEPEST {
        return None;
    }
    let branches =
        graph.node.iter().flat_map(|node| &node.attribute).filter_map(|attribute| attribute.g.as_ref());
    let mut count = graph.node.len();
    for branch in branches {
        count += nodes_of(branch, depth + 1)?;
    }
    Some(count)
}

/// The sides of an input, and whether it is of bytes.
fn described(input: &ValueInfoProto) -> Result<(Vec<Option<usize>>, bool), ImportError> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let Some(tensor) = tensor else {
        return Err(ImportError::File(format!("its input `{}` is no tensor", input.name().escape_debug())));
    };
    let is_bytes = match tensor.elem_type.unwrap_or(0) {
        // Fractions of single, half and double precision.
        1 | 10 | 11 => false,
        2 => true,
        other => return Err(ImportError::File(format!("its input has elements of type {other} of ONNX"))),
    };
    let shape = tensor.shape.as_ref();
    let side =
        |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok()).filter(|&side| side > 0);
    let dims: Vec<Option<usize>> = shape
        .map(|shape| shape.dim.iter().map(|dim| side(dim.dim_value)).collect())
        .unwrap_or_else(|| vec![None; 4]);
    if dims.len() != 4 {
        return Err(ImportError::File(format!(
            "its input has {} axes; networks that take a batch of images, four axes, are read",
            dims.len()
        )));
    }
    Ok((dims, is_bytes))
}
