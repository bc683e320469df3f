//! The graph that a foreign model becomes, with the values of its parameters, and the small compositions that several
//! operators need.

use super::refusal::{Refusal, refuse};
use super::value::Map;
use dapple_graph::{BatchNorm, Conv2d, ConvTranspose2d, Graph, NodeId, Op, ParamId, Pointwise, Shape};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most values of a map of one image.
pub(crate) const MOST_VALUES: usize = 1 << 30;

/// Largest height and width of a map.
const MOST_SIDE: usize = 1 << 17;

/// Most channels of a map.
const MOST_CHANNELS: usize = 1 << 16;

/// Most weights of a convolution that only moves values.
pub(crate) const MOST_MOVED: usize = 1 << 26;

/// Most values of all parameters.
const MOST_PARAMETERS: usize = 1 << 30;

/// Longest name that is taken from a file.
const LONGEST_NAME: usize = 160;

/// A graph for one image, with the values of its parameters in their order.
pub(crate) struct Builder {
    pub graph: Graph,
    pub values: Vec<Arc<Vec<f32>>>,
    /// Steps of quantization that were left out.
    pub quantized: usize,
    /// Scale and zero point of the maps that were quantized, as bits.
    pub quantizers: HashMap<NodeId, [u32; 2]>,
    taken: HashSet<String>,
    /// How many layers asked for a name.
    asked: HashMap<String, usize>,
    scope: String,
    multiplied: HashMap<(NodeId, u32), NodeId>,
    /// Values of all parameters so far.
    held: usize,
}

/// The weight of a layer in PyTorch's order.
pub(crate) struct Weight {
    pub dims: [usize; 4],
    pub values: Arc<Vec<f32>>,
}

impl Builder {
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self {
            graph: Graph::new(Shape::new(1, height, width, channels)),
            values: Vec::new(),
            quantized: 0,
            quantizers: HashMap::new(),
            taken: HashSet::new(),
            asked: HashMap::new(),
            scope: String::new(),
            multiplied: HashMap::new(),
            held: 0,
        }
    }

    /// Sets the name from which those of layers are made.
    pub fn enter(&mut self, scope: &str) {
        let clean = |c: char| if c.is_control() { '_' } else { c };
        self.scope = scope.chars().take(LONGEST_NAME).map(clean).collect();
    }

    /// A name that no layer has yet: this one without `.weight`, or that of the node.
    fn fresh(&mut self, wanted: Option<&str>) -> String {
        let wanted = wanted.and_then(|name| name.strip_suffix(".weight")).filter(|name| !name.is_empty());
        let base: String = match wanted {
            Some(name) => name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect(),
            None => self.scope.clone(),
        };
        let base = if base.is_empty() { "layer".to_owned() } else { base };
        let mut count = self.asked.get(&base).copied().unwrap_or(0);
        loop {
            count += 1;
            let name = if count == 1 { base.clone() } else { format!("{base}.{count}") };
            if self.taken.insert(name.clone()) {
                self.asked.insert(base, count);
                return name;
            }
        }
    }

    /// Refuses parameters of so many values beside those so far.
    pub fn afford(&self, len: usize) -> Result<(), Refusal> {
        if self.held.saturating_add(len) > MOST_PARAMETERS {
            return refuse("the network has more parameters than can be held");
        }
        Ok(())
    }

    /// Keeps the values of parameters that the graph has just got.
    fn keep(&mut self, values: impl IntoIterator<Item = Arc<Vec<f32>>>) {
        for values in values {
            self.held += values.len();
            self.values.push(values);
        }
    }

    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.shape(id)
    }

    /// A node whose map is not too large.
    pub fn checked(&self, id: NodeId) -> Result<NodeId, Refusal> {
        let Shape { h, w, c, .. } = self.shape(id);
        let len = h.checked_mul(w).and_then(|pixels| pixels.checked_mul(c));
        match len {
            Some(1..=MOST_VALUES) if c <= MOST_CHANNELS && h.max(w) <= MOST_SIDE => Ok(id),
            _ => refuse(format!(
                "its result has {h} x {w} pixels and {c} channels, which is more than can be computed"
            )),
        }
    }

    /// A convolution with weights `[out, in / groups, kh, kw]`. `conv` has everything but the sizes that follow from them.
    pub fn conv(
        &mut self,
        name: Option<&str>,
        x: NodeId,
        weight: Weight,
        bias: Option<Arc<Vec<f32>>>,
        conv: Conv2d,
    ) -> Result<NodeId, Refusal> {
        let [outs, ins, kh, kw] = weight.dims;
        let channels = self.shape(x).c;
        if Some(channels) != ins.checked_mul(conv.groups) {
            return refuse(format!(
                "its weights take {ins} channels in {} groups, its map has {channels}",
                conv.groups
            ));
        }
        if bias.as_ref().is_some_and(|bias| bias.len() != outs) {
            return refuse("its bias has not one value for each output channel");
        }
        let conv = Conv2d { out_channels: outs, kernel: [kh, kw], bias: bias.is_some(), ..conv };
        self.afford(weight.values.len() + outs)?;
        let name = self.fresh(name);
        let id = self.graph.conv2d(&name, x, &conv)?;
        self.keep([weight.values]);
        self.keep(bias);
        self.checked(id)
    }

    /// A transposed convolution with weights `[in, out, kh, kw]`.
    pub fn conv_transpose(
        &mut self,
        name: Option<&str>,
        x: NodeId,
        weight: Weight,
        bias: Option<Arc<Vec<f32>>>,
        conv: ConvTranspose2d,
    ) -> Result<NodeId, Refusal> {
        let [ins, outs, kh, kw] = weight.dims;
        if self.shape(x).c != ins {
            return refuse(format!("its weights take {ins} channels, its map has {}", self.shape(x).c));
        }
        if bias.as_ref().is_some_and(|bias| bias.len() != outs) {
            return refuse("its bias has not one value for each output channel");
        }
        let conv = ConvTranspose2d { out_channels: outs, kernel: [kh, kw], bias: bias.is_some(), ..conv };
        self.afford(weight.values.len() + outs)?;
        let name = self.fresh(name);
        let id = self.graph.conv_transpose2d(&name, x, &conv)?;
        self.keep([weight.values]);
        self.keep(bias);
        self.checked(id)
    }

    /// Batch norm with its running statistics: scale, shift, mean, variance.
    pub fn batch_norm(
        &mut self,
        name: Option<&str>,
        x: NodeId,
        params: [Arc<Vec<f32>>; 4],
        eps: f32,
    ) -> Result<NodeId, Refusal> {
        let channels = self.shape(x).c;
        if params.iter().any(|values| values.len() != channels) {
            return refuse(format!("its parameters have not one value for each of {channels} channels"));
        }
        self.afford(4 * channels)?;
        let name = self.fresh(name);
        let norm = BatchNorm { eps, ..BatchNorm::default() };
        let id = self.graph.batch_norm_with(&name, x, norm)?;
        self.keep(params);
        Ok(id)
    }

    /// Scale and shift of each channel: a batch norm of mean 0 and variance 1.
    pub fn affine(&mut self, x: NodeId, scale: Vec<f32>, shift: Vec<f32>) -> Result<NodeId, Refusal> {
        let channels = self.shape(x).c;
        let [mean, var] = [0.0, 1.0].map(|value| Arc::new(vec![value; channels]));
        self.batch_norm(None, x, [Arc::new(scale), Arc::new(shift), mean, var], 0.0)
    }

    /// The same scale and shift for all values.
    pub fn line(&mut self, x: NodeId, scale: f32, shift: f32) -> Result<NodeId, Refusal> {
        match (scale, shift) {
            (1.0, 0.0) => return Ok(x),
            (-1.0, 0.0) => return Ok(self.graph.activate(x, Pointwise::Negative)?),
            _ => {}
        }
        let channels = self.shape(x).c;
        self.affine(x, vec![scale; channels], vec![shift; channels])
    }

    /// A map's node with its factor multiplied in.
    pub fn plain(&mut self, map: &Map) -> Result<NodeId, Refusal> {
        let key = (map.node, map.factor.to_bits());
        if let Some(&id) = self.multiplied.get(&key) {
            return Ok(id);
        }
        let id = self.line(map.node, map.factor, 0.0)?;
        self.multiplied.insert(key, id);
        Ok(id)
    }

    /// Layer norm over the channels of each pixel.
    pub fn layer_norm(
        &mut self,
        name: Option<&str>,
        x: NodeId,
        params: [Arc<Vec<f32>>; 2],
        eps: f32,
    ) -> Result<NodeId, Refusal> {
        let channels = self.shape(x).c;
        if params.iter().any(|values| values.len() != channels) {
            return refuse(format!("its parameters have not one value for each of {channels} channels"));
        }
        self.afford(2 * channels)?;
        let name = self.fresh(name);
        let id = self.graph.layer_norm(&name, x, eps)?;
        self.keep(params);
        Ok(id)
    }

    /// Group norm with scale and shift of each channel.
    pub fn group_norm(
        &mut self,
        name: Option<&str>,
        x: NodeId,
        groups: usize,
        params: [Arc<Vec<f32>>; 2],
        eps: f32,
    ) -> Result<NodeId, Refusal> {
        let channels = self.shape(x).c;
        if params.iter().any(|values| values.len() != channels) {
            return refuse(format!("its parameters have not one value for each of {channels} channels"));
        }
        self.afford(2 * channels)?;
        let name = self.fresh(name);
        let id = self.graph.group_norm_with(&name, x, groups, eps)?;
        self.keep(params);
        Ok(id)
    }

    /// The channels of these numbers, in this order.
    pub fn select(&mut self, x: NodeId, channels: &[usize]) -> Result<NodeId, Refusal> {
        let all = self.shape(x).c;
        if channels.iter().copied().eq(0..all) {
            return Ok(x);
        }
        if channels.is_empty() || channels.len().saturating_mul(all) > MOST_MOVED {
            return refuse(format!("it takes {} of {all} channels", channels.len()));
        }
        self.afford(channels.len() * all)?;
        let mut values = vec![0.0; channels.len() * all];
        for (row, &channel) in channels.iter().enumerate() {
            values[row * all + channel] = 1.0;
        }
        let weight = Weight { dims: [channels.len(), all, 1, 1], values: Arc::new(values) };
        self.conv(None, x, weight, None, Conv2d::new(channels.len(), 1))
    }

    /// A map of one channel in so many channels.
    pub fn spread(&mut self, x: NodeId, channels: usize) -> Result<NodeId, Refusal> {
        let node = self.graph.node(x);
        let source = if node.op == Op::ChannelSum { node.inputs[0] } else { x };
        let id = self.graph.channel_sum(source, channels)?;
        self.checked(id)
    }

    /// Whether a map is computed of sigmoids alone, by operations that make none of their values negative.
    pub fn is_of_sigmoids(&self, x: NodeId) -> bool {
        let moves = |weight: ParamId| self.values[weight.0].iter().all(|&value| value == 0.0 || value == 1.0);
        // From 0 and 1 to numbers that are not negative.
        let stays = |scale: ParamId, shift: ParamId| {
            let mut pairs = self.values[scale.0].iter().zip(self.values[shift.0].iter());
            pairs.all(|(scale, shift)| *shift >= 0.0 && scale + shift >= 0.0)
        };
        let (mut open, mut seen) = (vec![x], HashSet::new());
        while let Some(x) = open.pop() {
            if !seen.insert(x) {
                continue;
            }
            let node = self.graph.node(x);
            match node.op {
                Op::Pointwise(Pointwise::Sigmoid | Pointwise::HardSigmoid) => {}
                Op::Conv2d { weight, bias: None, .. } | Op::ConvTranspose2d { weight, bias: None, .. }
                    if moves(weight) =>
                {
                    open.extend(&node.inputs);
                }
                Op::BatchNorm { gamma, beta, .. } if stays(gamma, beta) => open.extend(&node.inputs),
                Op::Relu
                | Op::Pointwise(Pointwise::Relu6)
                | Op::MaxPool(_)
                | Op::AvgPool(_)
                | Op::AdaptiveAvgPool
                | Op::FitTo { .. }
                | Op::Resize { .. }
                | Op::Upscale { .. }
                | Op::Concat
                | Op::Add
                | Op::Mul => open.extend(&node.inputs),
                _ => return false,
            }
        }
        true
    }
}
