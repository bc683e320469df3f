//! Small random networks.

use super::operation::input_shape;
use crate::draw::Draw;
use crate::ops::average::avg_pool_settings;
use crate::ops::conv::{conv_settings, transpose_settings};
use crate::ops::pointwise::POINTWISE;
use crate::ops::pool::pool_settings;
use crate::ops::resize::interpolation;
use crate::replay;
use dapple_graph::summary::multiply_adds;
use dapple_graph::{Conv2d, Graph, GraphError, Network, NodeId, Op, Pointwise, Shape};

/// A random graph that can be built for other input shapes, as engines want it: with any number of images,
/// and at other sizes where what agreed at the drawn one still does.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomNetwork {
    /// The graph for the input shape that was drawn with it.
    pub graph: Graph,
    /// The seed and all nodes with their settings, for the message of a failing test.
    pub description: String,
}

impl Network for RandomNetwork {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        replay::rebuild(&self.graph, input, &|op| op.clone())
    }

    fn example_input(&self) -> Shape {
        self.graph.shape(self.graph.input())
    }
}

/// A network with one to four outputs of any shape: chains of convolution, batch norm and ReLU in all
/// combinations, branches, residual and other sums, concatenations of anything, pooling with and without
/// unpooling, transposed convolutions, sampling, activations, gates, attention, dropout, values that many nodes
/// read, outputs that other nodes read.
///
/// Input and activations have at most 16 000 values each, a pass at most 20 million multiply-adds. Batch norms
/// see at least 6 values a channel: fewer make gradients that no `f32` engine can reproduce.
pub fn network(seed: u64) -> RandomNetwork {
    draw_network(seed, None)
}

/// As [`network`], but all outputs have the size of the input and the same channels, 1 to 6 of them, so that
/// they can be trained on a label map.
pub fn labelled_network(seed: u64) -> RandomNetwork {
    let classes = Draw::new(seed, 6).within(1..=6);
    draw_network(seed, Some(classes))
}

fn draw_network(seed: u64, classes: Option<usize>) -> RandomNetwork {
    let mut draw = Draw::new(seed, 5);
    loop {
        let shape = input_shape(&mut draw);
        let mut sketch = Sketch { graph: Graph::new(shape), draw: &mut draw };
        let steps = sketch.draw.within(2..=9);
        for _ in 0..steps {
            sketch.attempt(Sketch::step);
        }
        // The heads may find no room; then all is drawn again.
        if sketch.attempt(|s| s.finish(classes)) {
            let graph = sketch.graph;
            let description = describe(seed, &graph);
            return RandomNetwork { graph, description };
        }
    }
}

/// A graph that grows by random steps.
struct Sketch<'a> {
    graph: Graph,
    draw: &'a mut Draw,
}

impl Sketch<'_> {
    /// Takes a step, and takes it back if it does not fit the size or costs too much.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), GraphError>) -> bool {
        let before = self.graph.clone();
        let fits = step(self).is_ok() && self.affordable();
        if !fits {
            self.graph = before;
        }
        fits
    }

    fn affordable(&self) -> bool {
        let nodes = self.graph.nodes();
        let few_pixels = |op: &Op, shape: Shape| matches!(op, Op::BatchNorm { .. }) && shape.pixels() < 6;
        // Many values before ReLUs leave too small a margin (`Trace::margin`) to compare gradients.
        let rectified: usize = nodes.iter().filter(|n| matches!(n.op, Op::Relu)).map(|n| n.shape.len()).sum();
        nodes.iter().all(|n| n.shape.len() <= 16_000 && !few_pixels(&n.op, n.shape))
            && rectified <= 24_000
            && multiply_adds(&self.graph) <= 20_000_000
    }

    fn step(&mut self) -> Result<(), GraphError> {
        let x = self.any();
        match self.draw.within(0..=27) {
            0..=5 => self.conv_block(x).map(drop),
            6 | 7 => self.transposed_block(x).map(drop),
            8 | 9 => self.pooled(x).map(drop),
            10 | 11 => self.hourglass(x).map(drop),
            12 | 13 => self.residual(x).map(drop),
            14..=16 => self.merge(x).map(drop),
            17 => {
                let (factor, kind) = (self.draw.within(2..=3), interpolation(self.draw));
                self.graph.upscale(x, factor, kind).map(drop)
            }
            18 => {
                let y = self.norm(x)?;
                self.maybe_relu(y).map(drop)
            }
            19 => self.graph.relu(x).map(drop),
            20 | 21 => {
                let function = self.draw.pick(&POINTWISE);
                self.graph.activate(x, function).map(drop)
            }
            22 => {
                let name = self.name("ln");
                self.graph.layer_norm(&name, x, 1e-5).map(drop)
            }
            23 => {
                let y = self.same_size(x)?;
                let name = self.name("scale");
                let y = self.graph.scale(&name, y, 1.0)?;
                self.graph.add(x, y).map(drop)
            }
            24 if self.draw.one_in(4) => {
                let channels = self.draw.within(1..=20);
                self.graph.channel_sum(x, channels).map(drop)
            }
            24 => self.gated(x).map(drop),
            25 if self.draw.one_in(2) => {
                let settings = avg_pool_settings(self.draw);
                self.graph.avg_pool(x, &settings).map(drop)
            }
            25 => {
                let size = [self.draw.within(1..=6), self.draw.within(1..=6)];
                self.graph.adaptive_avg_pool(x, size).map(drop)
            }
            26 => self.attended(x).map(drop),
            _ => {
                let rate = self.draw.pick(&[0.1, 0.5]);
                if self.draw.one_in(2) { self.graph.drop_path(x, rate) } else { self.graph.dropout(x, rate) }
                    .map(drop)
            }
        }
    }

    /// Some node, the last one half of the time.
    fn any(&mut self) -> NodeId {
        let last = self.graph.nodes().len() - 1;
        NodeId(if self.draw.one_in(2) { last } else { self.draw.within(0..=last) })
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.graph.nodes().len())
    }

    fn norm(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let name = self.name("bn");
        self.graph.batch_norm(&name, x)
    }

    fn maybe_norm(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        if self.draw.one_in(3) { Ok(x) } else { self.norm(x) }
    }

    fn maybe_relu(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        if self.draw.one_in(3) { Ok(x) } else { self.graph.relu(x) }
    }

    fn conv(&mut self, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
        let name = self.name("conv");
        self.graph.conv2d(&name, x, conv)
    }

    fn conv_block(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let settings = conv_settings(self.draw, self.graph.shape(x).c);
        let y = self.conv(x, &settings)?;
        let y = self.maybe_norm(y)?;
        self.maybe_relu(y)
    }

    /// Convolution, perhaps with norm, that keeps size and channels.
    fn same_size(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let (half, dilation) = (self.draw.within(0..=1), self.draw.pick(&[1, 1, 2]));
        let settings = Conv2d::new(self.graph.shape(x).c, 2 * half + 1)
            .padding(half * dilation)
            .dilation(dilation)
            .bias(self.draw.one_in(2));
        let y = self.conv(x, &settings)?;
        self.maybe_norm(y)
    }

    fn transposed_block(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let (name, settings) = (self.name("up"), transpose_settings(self.draw));
        let y = self.graph.conv_transpose2d(&name, x, &settings)?;
        let y = self.maybe_norm(y)?;
        self.maybe_relu(y)
    }

    fn pooled(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let settings = pool_settings(self.draw);
        self.graph.max_pool(x, &settings)
    }

    /// Pooling, something in between, unpooling with the same positions. The pooled values themselves may
    /// remain unread.
    fn hourglass(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let mut settings = pool_settings(self.draw);
        settings.stride = settings.kernel;
        let pooled = self.graph.max_pool(x, &settings)?;
        let inner = match self.draw.within(0..=3) {
            0 => pooled,
            1 => {
                // Another map of the pooled size.
                let y = self.same_size(x)?;
                self.graph.resize(y, pooled, dapple_graph::Interpolation::Nearest)?
            }
            _ => self.same_size(pooled)?,
        };
        let inner = self.maybe_relu(inner)?;
        self.graph.max_unpool(inner, pooled)
    }

    fn residual(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let y = self.same_size(x)?;
        let y = if self.draw.one_in(2) {
            let y = self.graph.relu(y)?;
            self.same_size(y)?
        } else {
            y
        };
        let (a, b) = self.draw.pick(&[(x, y), (y, x), (y, y)]);
        let sum = self.graph.add(a, b)?;
        self.maybe_relu(sum)
    }

    /// Squeeze-and-excitation, or a product of two maps.
    fn gated(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let y = if self.draw.one_in(3) { x } else { self.graph.adaptive_avg_pool(x, [1, 1])? };
        let y = self.conv(y, &Conv2d::new(self.graph.shape(x).c, 1))?;
        let y = self.graph.activate(y, Pointwise::Sigmoid)?;
        self.graph.mul(x, y)
    }

    /// Attention to the map itself or to a pooled one, behind projections.
    fn attended(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let heads = self.draw.pick(&[1, 2, 3, 4]);
        let c = heads * self.draw.within(1..=9);
        let source = if self.draw.one_in(2) { x } else { self.pooled(x)? };
        let mut project = |x: NodeId| self.conv(x, &Conv2d::new(c, 1));
        let (q, k, v) = (project(x)?, project(source)?, project(source)?);
        self.graph.attention(q, k, v, heads)
    }

    /// Concatenation of up to three nodes at the size of the first, then perhaps a norm or a convolution.
    fn merge(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let mut parts = vec![x];
        for _ in 0..self.draw.within(1..=2) {
            let y = self.any();
            let y = self.at_size_of(y, x)?;
            parts.insert(self.draw.within(0..=parts.len()), y);
        }
        let y = self.graph.concat(&parts)?;
        match self.draw.within(0..=2) {
            0 => Ok(y),
            1 => {
                let y = self.norm(y)?;
                self.maybe_relu(y)
            }
            _ => self.conv_block(y),
        }
    }

    /// `x` sampled or fitted to the size of `like` if it differs.
    fn at_size_of(&mut self, x: NodeId, like: NodeId) -> Result<NodeId, GraphError> {
        let (s, l) = (self.graph.shape(x), self.graph.shape(like));
        if (s.h, s.w) == (l.h, l.w) {
            Ok(x)
        } else if self.draw.one_in(2) {
            self.graph.fit_to(x, like)
        } else {
            let kind = interpolation(self.draw);
            self.graph.resize(x, like, kind)
        }
    }

    /// Declares the outputs so that every node reaches one: at most three nodes that nothing reads, what is
    /// left over joined into one, and now and then a node that others read.
    fn finish(&mut self, classes: Option<usize>) -> Result<(), GraphError> {
        let mut ends = self.unread();
        if ends.is_empty() {
            let x = self.graph.input();
            ends.push(self.conv_block(x)?);
        }
        // The last node is the primary output.
        ends.reverse();
        while ends.len() > 3 {
            let (a, b) = (ends.remove(1), ends.remove(1));
            let b = self.at_size_of(b, a)?;
            ends.push(self.graph.concat(&[a, b])?);
        }
        if self.draw.one_in(3) {
            ends.push(NodeId(self.draw.within(1..=self.graph.nodes().len() - 1)));
        }
        if let Some(classes) = classes {
            for end in &mut ends {
                *end = self.head(*end, classes)?;
            }
            // Deep supervision of a map that is refined afterwards.
            if self.draw.one_in(3) {
                let y = self.maybe_relu(ends[0])?;
                ends.insert(0, self.same_size(y)?);
            }
        }
        for (i, end) in ends.into_iter().enumerate() {
            self.graph.output(&format!("output{i}"), end)?;
        }
        Ok(())
    }

    /// Logits of the input's size.
    fn head(&mut self, x: NodeId, classes: usize) -> Result<NodeId, GraphError> {
        let kernel = self.draw.pick(&[1, 3]);
        let y = self.conv(x, &Conv2d::new(classes, kernel).padding(kernel / 2))?;
        let input = self.graph.input();
        self.at_size_of(y, input)
    }

    /// Nodes whose values (or positions) no node reads, the input apart.
    fn unread(&self) -> Vec<NodeId> {
        let nodes = self.graph.nodes();
        let reads = |op: &Op| if let Op::MaxUnpool { pool } = op { Some(*pool) } else { None };
        let read = |id: &NodeId| nodes.iter().any(|n| n.inputs.contains(id) || reads(&n.op) == Some(*id));
        (1..nodes.len()).map(NodeId).filter(|id| !read(id)).collect()
    }
}

fn describe(seed: u64, graph: &Graph) -> String {
    let mut text = format!("seed {seed}, outputs {:?}\n", graph.outputs());
    for (i, node) in graph.nodes().iter().enumerate() {
        text += &format!("{i}: {} {:?} of {:?} -> {}\n", node.name, node.op, node.inputs, node.shape);
    }
    text
}
