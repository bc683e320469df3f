//! The axes of a foreign tensor over a map of ours.
//!
//! A map has height, width and channels (models are read for one image, so that the batch is one). ONNX sees the same values
//! in any order of axes, with axes split and joined: tokens `[1, height * width, channels]`, heads
//! `[1, heads, tokens, channels / heads]`. A [`View`] says for each axis which runs of the map's sides it goes through;
//! reshaping and transposing change the view alone.

use dapple_graph::Shape;

/// A side of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Height,
    Width,
    Channel,
}

/// A run of a side: `size` steps of `stride` positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub side: Side,
    pub stride: usize,
    pub size: usize,
}

/// For each axis of a tensor, the runs that it goes through, the outermost first. Axes of one position have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub axes: Vec<Vec<Run>>,
}

/// All of a side.
pub(crate) fn whole(shape: Shape, side: Side) -> Vec<Run> {
    let size = extent(shape, side);
    if size == 1 { Vec::new() } else { vec![Run { side, stride: 1, size }] }
}

/// The length of a side.
pub(crate) fn extent(shape: Shape, side: Side) -> usize {
    match side {
        Side::Height => shape.h,
        Side::Width => shape.w,
        Side::Channel => shape.c,
    }
}

fn len(runs: &[Run]) -> usize {
    runs.iter().map(|run| run.size).product()
}

/// Joins runs that follow each other in one side, and leaves out those of one position.
fn joined(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        if run.size == 1 {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.side == run.side && last.stride == run.stride * run.size => {
                last.stride = run.stride;
                last.size *= run.size;
            }
            _ => out.push(run),
        }
    }
    out
}

impl View {
    /// `[1, channels, height, width]`.
    pub fn image(shape: Shape) -> Self {
        let [c, h, w] = [Side::Channel, Side::Height, Side::Width].map(|side| whole(shape, side));
        Self { axes: vec![Vec::new(), c, h, w] }
    }

    /// `[1, height, width, channels]`.
    pub fn channels_last(shape: Shape) -> Self {
        let [h, w, c] = [Side::Height, Side::Width, Side::Channel].map(|side| whole(shape, side));
        Self { axes: vec![Vec::new(), h, w, c] }
    }

    /// The shape as ONNX has it.
    pub fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| len(axis)).collect()
    }

    /// The axes in another order.
    pub fn transposed(&self, order: &[usize]) -> Option<Self> {
        let axes = order.iter().map(|&axis| self.axes.get(axis).cloned()).collect::<Option<Vec<_>>>()?;
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        sorted.iter().copied().eq(0..self.axes.len()).then_some(Self { axes })
    }

    /// The same values in another shape; `None` where that would cut a run into parts that do not divide it.
    pub fn reshaped(&self, dims: &[usize]) -> Option<Self> {
        let mut rest: Vec<Run> = self.axes.iter().flatten().rev().copied().collect();
        let mut axes = Vec::with_capacity(dims.len());
        for &dim in dims {
            let (mut axis, mut left) = (Vec::new(), dim);
            while left > 1 {
                let run = rest.pop()?;
                if left.is_multiple_of(run.size) {
                    left /= run.size;
                    axis.push(run);
                } else if run.size.is_multiple_of(left) {
                    let inner = run.size / left;
                    rest.push(Run { size: inner, ..run });
                    axis.push(Run { stride: run.stride * inner, size: left, ..run });
                    left = 1;
                } else {
                    return None;
                }
            }
            axes.push(joined(axis));
        }
        rest.is_empty().then_some(Self { axes })
    }

    /// Whether an axis goes through all channels in their order, and through nothing else.
    pub fn is_channels(&self, axis: usize, shape: Shape) -> bool {
        self.axes.get(axis).is_some_and(|runs| *runs == whole(shape, Side::Channel))
    }

    /// Whether an axis goes through channels only.
    pub fn is_of_channels(&self, axis: usize) -> bool {
        self.axes[axis].iter().all(|run| run.side == Side::Channel)
    }

    /// The position in an axis of a channel of the map.
    pub fn position(&self, axis: usize, channel: usize) -> usize {
        self.axes[axis].iter().fold(0, |at, run| at * run.size + (channel / run.stride) % run.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_heads_are_views() {
        let shape = Shape::new(1, 6, 4, 8);
        let image = View::image(shape);
        assert_eq!(image.dims(), [1, 8, 6, 4]);
        let tokens =
            image.reshaped(&[1, 8, 24]).and_then(|view| view.transposed(&[0, 2, 1])).expect("a view");
        assert_eq!(tokens.dims(), [1, 24, 8]);
        assert!(tokens.is_channels(2, shape));
        let heads = tokens.reshaped(&[1, 24, 2, 4]).and_then(|view| view.transposed(&[0, 2, 1, 3]));
        let heads = heads.expect("a view");
        assert_eq!(heads.dims(), [1, 2, 24, 4]);
        assert_eq!((heads.position(1, 5), heads.position(3, 5)), (1, 1));
        let back = heads.transposed(&[0, 2, 1, 3]).and_then(|view| view.reshaped(&[1, 24, 8]));
        assert_eq!(back, Some(tokens.clone()));
        let back = tokens.transposed(&[0, 2, 1]).and_then(|view| view.reshaped(&[1, 8, 6, 4]));
        assert_eq!(back, Some(image));
    }

    #[test]
    fn runs_are_not_cut_into_parts_that_do_not_divide_them() {
        let image = View::image(Shape::new(1, 6, 4, 8));
        assert_eq!(image.reshaped(&[1, 8, 5, 4]), None);
        assert_eq!(image.reshaped(&[1, 3, 64]), None);
        assert_eq!(image.transposed(&[0, 0, 1, 2]), None);
        // A side of one position belongs to no axis.
        let pooled = View::image(Shape::new(1, 1, 1, 8));
        assert_eq!(pooled.reshaped(&[1, 8]).map(|view| view.dims()), Some(vec![1, 8]));
    }
}
