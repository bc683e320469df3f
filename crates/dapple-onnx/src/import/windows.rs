//! Parts of maps, and maps at other sizes.

use super::builder::{Builder, MOST_VALUES, Weight};
use super::refusal::{Refusal, refuse};
use dapple_graph::{Conv2d, Interpolation, NodeId, Op, Shape};
use std::sync::Arc;

impl Builder {
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
        self.afford(shape.c * kh * kw)?;
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
