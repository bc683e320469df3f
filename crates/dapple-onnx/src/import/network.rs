//! A foreign ONNX model as a network.

use super::error::ImportError;
use super::file::Source;
use super::head::Ending;
use super::read::Outside;
use super::walk::{Layout, Preparation, Walked, walk};
use dapple_base::Size;
use dapple_graph::{Graph, GraphError, Network, NodeId, Shape, State};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Height and width of the image for a file that does not say which.
pub const USUAL_SIDE: usize = 512;

/// A foreign ONNX model that was read, and is not yet a network.
#[derive(Clone)]
pub struct OnnxFile {
    source: Arc<Source>,
}

/// How a foreign model is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// The order of its input's axes, where the file does not tell.
    pub layout: Option<Layout>,
    /// Height and width of the image, where the file takes any.
    pub size: Option<[usize; 2]>,
    /// From pixel values between 0 and 1 to what the file takes.
    pub preparation: Option<Preparation>,
}

/// A foreign model as a network with its weights.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, for any batch, and for any size where the file takes any.
    pub network: OnnxNetwork,
    /// Its weights.
    pub state: State,
    /// Channels of the logits.
    pub logits: usize,
    /// The function of the logits that the file computes, which the network leaves out.
    pub ending: Ending,
    /// Maps that the file quantizes, which the network computes with fractions.
    pub quantized: usize,
}

impl OnnxFile {
    /// Reads a file, with those beside it that its weights lie in.
    ///
    /// # Errors
    /// [`ImportError`]: for a file that cannot be read, is no ONNX model, is of another opset than
    /// [`READ_OPSETS`](crate::READ_OPSETS), has several inputs or one that is no batch of images, and for weights in files
    /// outside of the model's folder.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Ok(Self { source: Arc::new(Source::read(path)?) })
    }

    /// Reads the content of a file whose weights are all in it.
    ///
    /// # Errors
    /// As [`OnnxFile::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImportError> {
        Ok(Self { source: Arc::new(Source::decode(bytes, None::<&Outside>)?) })
    }

    /// Its metadata by key.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.source.metadata
    }

    /// The value of a key of its metadata.
    pub fn entry(&self, key: &str) -> Option<&str> {
        self.source.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The program that wrote it.
    pub fn producer(&self) -> &str {
        &self.source.producer
    }

    /// Names of its outputs, of which the first is read.
    pub fn outputs(&self) -> &[String] {
        &self.source.outputs
    }

    /// Whether its input is of bytes, as decoders give images.
    pub fn takes_bytes(&self) -> bool {
        self.source.is_bytes
    }

    /// The order of its input's axes: the given one, or that which the number of channels tells.
    ///
    /// # Errors
    /// [`ImportError::Layout`] where the file does not tell.
    pub fn layout(&self, given: Option<Layout>) -> Result<Layout, ImportError> {
        let dims = &self.source.dims;
        let is_channels = |axis: usize| dims[axis].is_some_and(|side| side <= 4);
        match (given, is_channels(1), is_channels(3)) {
            (Some(layout), ..) => Ok(layout),
            (None, true, false) => Ok(Layout::Nchw),
            (None, false, true) => Ok(Layout::Nhwc),
            (None, ..) => Err(ImportError::Layout(self.shape())),
        }
    }

    /// Channels of an image.
    ///
    /// # Errors
    /// [`ImportError::Channels`] where the file does not tell.
    pub fn channels(&self, layout: Layout) -> Result<usize, ImportError> {
        let axis = match layout {
            Layout::Nchw => 1,
            Layout::Nhwc => 3,
        };
        let channels = self.source.dims[axis].filter(|channels| (1..=64).contains(channels));
        channels.ok_or_else(|| ImportError::Channels(self.shape()))
    }

    /// Height and width that it takes, where it takes one only.
    pub fn size(&self, layout: Layout) -> [Option<usize>; 2] {
        let first = match layout {
            Layout::Nchw => 2,
            Layout::Nhwc => 1,
        };
        [self.source.dims[first], self.source.dims[first + 1]]
    }

    /// The shape of its input for messages.
    fn shape(&self) -> String {
        let side = |side: &Option<usize>| side.map_or("?".to_owned(), |side| side.to_string());
        let sides: Vec<String> = self.source.dims.iter().map(side).collect();
        format!("`{}` [{}]", self.source.input.escape_debug(), sides.join(", "))
    }

    /// The model as a network.
    ///
    /// # Errors
    /// [`ImportError`]; [`ImportError::Nodes`] lists all nodes that cannot be read.
    pub fn import(&self, options: &ImportOptions) -> Result<Imported, ImportError> {
        let layout = self.layout(options.layout)?;
        let channels = self.channels(layout)?;
        let fixed = self.size(layout);
        let wanted = options.size.unwrap_or([USUAL_SIDE; 2]);
        let size = [0, 1].map(|axis| fixed[axis].unwrap_or(wanted[axis]));
        if options.size.is_some_and(|wanted| wanted != size) {
            return Err(ImportError::Size { height: size[0], width: size[1] });
        }
        let [height, width] = size;
        let is_too_large = height.saturating_mul(width) as u64 > Size::MOST_INPUT_PIXELS;
        if is_too_large || size.iter().any(|side| !(1..=1 << 16).contains(side)) {
            return Err(ImportError::File(format!(
                "its images have {height} x {width} pixels; networks are run with 1 to 4096 x 4096 in all"
            )));
        }
        let image = Shape::new(1, size[0], size[1], channels);
        let preparation = options.preparation.clone();
        let Walked { graph, values, ending, quantized } =
            walk(&self.source, layout, preparation.as_ref(), image)?;
        let mut state = State {
            specs: graph.params().to_vec(),
            values: vec![0.0; graph.trainable_len()],
            statistics: vec![0.0; graph.statistics_len()],
        };
        for (index, values) in values.iter().enumerate() {
            state.slice_mut(index).copy_from_slice(values);
        }
        if let Some(unsound) = state.find_unsound(&graph) {
            let parameter = unsound.parameter.escape_debug();
            return Err(ImportError::File(format!("parameter `{parameter}`: {unsound}")));
        }
        let logits = graph.outputs().first().map_or(0, |(_, id)| graph.shape(*id).c);
        let (source, marks) = (Arc::clone(&self.source), marks(&graph, &values));
        let network = OnnxNetwork { source, layout, preparation, image, fixed, marks };
        Ok(Imported { network, state, logits, ending, quantized })
    }
}

impl fmt::Debug for OnnxFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxFile").field("nodes", &self.source.nodes.len()).finish_non_exhaustive()
    }
}

/// A foreign model as a network: it is read anew for each size of the image.
#[derive(Clone)]
pub struct OnnxNetwork {
    source: Arc<Source>,
    layout: Layout,
    preparation: Option<Preparation>,
    image: Shape,
    fixed: [Option<usize>; 2],
    /// Name, shape and fingerprint of each parameter, which must be the same at all sizes.
    marks: Vec<(String, Vec<usize>, u64)>,
}

impl OnnxNetwork {
    /// Height and width that it was read for.
    pub fn size(&self) -> [usize; 2] {
        [self.image.h, self.image.w]
    }

    /// Whether it takes images of that size only.
    pub fn is_fixed(&self) -> bool {
        self.fixed.iter().any(Option::is_some)
    }

    fn graph(&self, input: Shape) -> Result<Graph, ImportError> {
        for (axis, side) in [input.h, input.w].into_iter().enumerate() {
            if self.fixed[axis].is_some_and(|fixed| fixed != side) {
                return Err(ImportError::Size { height: self.image.h, width: self.image.w });
            }
        }
        let image = Shape::new(1, input.h, input.w, input.c);
        let Walked { graph, values, .. } = walk(&self.source, self.layout, self.preparation.as_ref(), image)?;
        if marks(&graph, &values) != self.marks {
            return Err(ImportError::DependsOnSize(input.h, input.w));
        }
        Ok(graph)
    }
}

impl fmt::Debug for OnnxNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("OnnxNetwork");
        text.field("layout", &self.layout).field("image", &self.image).finish_non_exhaustive()
    }
}

impl PartialEq for OnnxNetwork {
    /// Of one file, read alike.
    fn eq(&self, other: &Self) -> bool {
        self.marks == other.marks
            && (self.layout, self.image, &self.preparation) == (other.layout, other.image, &other.preparation)
            && self.source.nodes == other.source.nodes
    }
}

impl Network for OnnxNetwork {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        if input.c != self.image.c {
            let why = format!("the network takes {} channels", self.image.c);
            return Err(GraphError::Invalid { op: "onnx", name: "input".into(), shape: input, why });
        }
        if input.is_empty() {
            return Err(GraphError::Config("the input has no pixels".into()));
        }
        let graph = self.graph(input).map_err(|error| GraphError::Config(error.to_string()))?;
        if input.n == 1 { Ok(graph) } else { for_batch(&graph, input.n) }
    }

    fn example_input(&self) -> Shape {
        self.image
    }
}

/// The same operations for so many images; each works on its own.
fn for_batch(graph: &Graph, images: usize) -> Result<Graph, GraphError> {
    let shape = graph.shape(graph.input());
    let mut out = Graph::new(Shape { n: images, ..shape });
    let mut places: Vec<NodeId> = vec![out.input()];
    for node in graph.nodes().iter().skip(1) {
        let id = out.repeat(node, &node.op, &|id| places[id.0])?;
        places.push(id);
    }
    for (name, id) in graph.outputs() {
        out.output(name, places[id.0])?;
    }
    Ok(out)
}

/// Name, shape and fingerprint of each parameter.
fn marks(graph: &Graph, values: &[Arc<Vec<f32>>]) -> Vec<(String, Vec<usize>, u64)> {
    let mark = |values: &[f32]| {
        // Fowler, Noll and Vo's hash, over the bits of each value.
        values.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x100_0000_01b3)
        })
    };
    let params = graph.params().iter().zip(values);
    params.map(|(spec, values)| (spec.name.clone(), spec.shape.clone(), mark(values))).collect()
}
