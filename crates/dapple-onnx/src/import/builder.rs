//! The graph that a foreign model becomes, with the values of its parameters, and the small compositions that several
//! operators need.

use super::refusal::{Refusal, refuse};
use super::value::Map;
use dapple_graph::{BatchNorm, Conv2d, ConvTranspose2d, Graph, Interpolation, NodeId, Op, Pointwise, Shape};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most values of a map of one image.
const MOST_VALUES: usize = 1 << 30;

/// Most weights of a convolution that only moves values.
const MOST_MOVED: usize = 1 << 26;

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
    scope: String,
    multiplied: HashMap<(NodeId, u32), NodeId>,
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
            scope: String::new(),
            multiplied: HashMap::new(),
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
        let mut name = base.clone();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{base}.{count}");
        }
        name
    }

    pub fn shape(&self, id: NodeId) -> Shape {
        self.graph.shape(id)
    }

    /// A node whose map is not too large.
    pub fn checked(&self, id: NodeId) -> Result<NodeId, Refusal> {
        let Shape { h, w, c, .. } = self.shape(id);
        let len = h.checked_mul(w).and_then(|pixels| pixels.checked_mul(c));
        match len {
            Some(1..=MOST_VALUES) => Ok(id),
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
        let name = self.fresh(name);
        let id = self.graph.conv2d(&name, x, &conv)?;
        self.values.push(weight.values);
        self.values.extend(bias);
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
        let name = self.fresh(name);
        let id = self.graph.conv_transpose2d(&name, x, &conv)?;
        self.values.push(weight.values);
        self.values.extend(bias);
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
        let name = self.fresh(name);
        let norm = BatchNorm { eps, ..BatchNorm::default() };
        let id = self.graph.batch_norm_with(&name, x, norm)?;
        self.values.extend(params);
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
        let name = self.fresh(name);
        let id = self.graph.layer_norm(&name, x, eps)?;
        self.values.extend(params);
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
        let name = self.fresh(name);
        let id = self.graph.group_norm_with(&name, x, groups, eps)?;
        self.values.extend(params);
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

    /// A node of this size, whose values are not read.
    pub fn sized(&mut self, height: usize, width: usize) -> Result<NodeId, Refusal> {
        let nodes = self.graph.nodes();
        let found = nodes.iter().rposition(|node| (node.shape.h, node.shape.w) == (height, width));
        match found {
            Some(index) => Ok(NodeId(index)),
            None => {
                let id = self.graph.adaptive_avg_pool(self.graph.input(), [height, width])?;
                self.checked(id)
            }
        }
    }

    /// Sampling at a size.
    pub fn sample(
        &mut self,
        x: NodeId,
        [height, width]: [usize; 2],
        interpolation: Interpolation,
    ) -> Result<NodeId, Refusal> {
        let Shape { h, w, c, .. } = self.shape(x);
        if (h, w) == (height, width) {
            return Ok(x);
        }
        if height
            .checked_mul(width)
            .and_then(|pixels| pixels.checked_mul(c))
            .is_none_or(|len| len > MOST_VALUES)
        {
            return refuse(format!(
                "its result has {height} x {width} pixels, which is more than can be computed"
            ));
        }
        let factor = height / h;
        let id = if factor * h == height && factor * w == width {
            self.graph.upscale(x, factor, interpolation)?
        } else {
            let like = self.sized(height, width)?;
            self.graph.resize(x, like, interpolation)?
        };
        self.checked(id)
    }

    /// The pixels of these rows and columns, if that is sampling by the nearest one, of the map itself or of that which it was
    /// sampled from.
    pub fn nearest(
        &mut self,
        x: NodeId,
        rows: &[usize],
        columns: &[usize],
    ) -> Result<Option<NodeId>, Refusal> {
        let is_nearest = |sources: &[usize], len: usize| {
            let out = sources.len();
            sources.iter().enumerate().all(|(index, &source)| source == index * len / out)
        };
        let shape = self.shape(x);
        if rows.is_empty() || columns.is_empty() {
            return Ok(None);
        }
        // The map that it was sampled from comes first: two samplings become one.
        let source = match &self.graph.node(x).op {
            Op::Upscale { interpolation: Interpolation::Nearest, .. }
            | Op::Resize { interpolation: Interpolation::Nearest, .. } => Some(self.graph.node(x).inputs[0]),
            _ => None,
        };
        let size = [rows.len(), columns.len()];
        if let Some(source) = source {
            let from = self.shape(source);
            let rows: Vec<usize> = rows.iter().map(|row| row * from.h / shape.h).collect();
            let columns: Vec<usize> = columns.iter().map(|column| column * from.w / shape.w).collect();
            if is_nearest(&rows, from.h) && is_nearest(&columns, from.w) {
                return Ok(Some(self.sample(source, size, Interpolation::Nearest)?));
            }
        }
        if is_nearest(rows, shape.h) && is_nearest(columns, shape.w) {
            return Ok(Some(self.sample(x, size, Interpolation::Nearest)?));
        }
        Ok(None)
    }

    /// Pixels at `start + i step` for `i` below `out`, both ways; zero outside of the map.
    pub fn window(
        &mut self,
        x: NodeId,
        start: [i64; 2],
        step: [usize; 2],
        out: [usize; 2],
    ) -> Result<NodeId, Refusal> {
        let shape = self.shape(x);
        let size = [shape.h, shape.w];
        if out.contains(&0) {
            return refuse("nothing is left of its map");
        }
        if start == [0, 0] && step == [1, 1] && out == size {
            return Ok(x);
        }
        let inside = |axis: usize| {
            let last = start[axis] + ((out[axis] - 1) * step[axis]) as i64;
            start[axis] >= 0 && last < size[axis] as i64
        };
        if inside(0) && inside(1) {
            let places = |axis: usize| -> Vec<usize> {
                (0..out[axis]).map(|i| start[axis] as usize + i * step[axis]).collect()
            };
            if let Some(id) = self.nearest(x, &places(0), &places(1))? {
                return Ok(id);
            }
        }
        // Centred, as `Op::FitTo` rounds it: half of the difference before, towards zero.
        let centred = |axis: usize| start[axis] == -((out[axis] as i64 - size[axis] as i64) / 2);
        if step == [1, 1] && centred(0) && centred(1) {
            let like = self.sized(out[0], out[1])?;
            let id = self.graph.fit_to(x, like)?;
            return self.checked(id);
        }
        self.moved(x, start, step, out)
    }

    /// As [`Self::window`], as a convolution of each channel that reads one place of its kernel.
    fn moved(
        &mut self,
        x: NodeId,
        start: [i64; 2],
        step: [usize; 2],
        out: [usize; 2],
    ) -> Result<NodeId, Refusal> {
        let shape = self.shape(x);
        let (mut kernel, mut padding, mut tap) = ([0; 2], [0; 2], [0; 2]);
        for axis in 0..2 {
            let size = [shape.h, shape.w][axis] as i64;
            let (stride, count) = (step[axis] as i64, out[axis] as i64);
            let last = start[axis] + (count - 1) * stride;
            let pad = 0i64.max(-start[axis]).max(last - (size - 1));
            let place = pad + start[axis];
            let extent = (place + 1).max(size + 2 * pad - count * stride + 1);
            kernel[axis] = extent as usize;
            padding[axis] = pad as usize;
            tap[axis] = place as usize;
        }
        let [kh, kw] = kernel;
        if kh.saturating_mul(kw) > 4096 {
            return refuse("it cuts or pads one side of a map by many more pixels than the other");
        }
        let mut values = vec![0.0; shape.c * kh * kw];
        for channel in values.chunks_exact_mut(kh * kw) {
            channel[tap[0] * kw + tap[1]] = 1.0;
        }
        let weight = Weight { dims: [shape.c, 1, kh, kw], values: Arc::new(values) };
        let conv = Conv2d { stride: step, padding, ..Conv2d::new(shape.c, 1).groups(shape.c) };
        let id = self.conv(None, x, weight, None, conv)?;
        let found = self.shape(id);
        if [found.h, found.w] != out {
            return refuse("its window does not fit the map");
        }
        Ok(id)
    }
}
