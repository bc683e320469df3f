//! The parts of a network that depend on the size of its input.
//!
//! Networks are functions of the input's shape and leave operations out where they would do nothing: padding where
//! the size is a multiple of the stride, resizing where two maps agree anyway. The graph of a size at which nothing
//! agrees by chance has all of them, and computes the same as the other graphs at their sizes. That is checked here
//! before it is written.

use crate::OnnxError;
use dapple_graph::{Conv2d, Graph, MaxPool, Network, NodeId, Op, Shape, Sizing};
use std::collections::HashSet;

/// Sizes stay odd through so many halvings. Networks have at most six.
const HALVINGS: u32 = 7;

/// The network's graph that is right for all sizes.
pub(crate) fn build_for_all_sizes(network: &dyn Network) -> Result<Graph, OnnxError> {
    let example = network.example_input();
    let multiple = |side: usize, more: usize| (side.div_ceil(1 << HALVINGS) + more) << HALVINGS;
    let attempt = |(h, w): (usize, usize)| -> Result<Graph, OnnxError> {
        let graph = network.build(example.with_size(h, w))?;
        check_general(network, &graph)?;
        Ok(graph)
    };
    // One more than a multiple stays odd where halving rounds up, one less where it rounds down.
    let usual = (multiple(example.h, 0) + 1, multiple(example.w, 1) - 1);
    let fault = match attempt(usual) {
        Ok(graph) => return Ok(graph),
        Err(fault) => fault,
    };
    // Those below stay odd where halvings round up, up, down, down and so on, as in DenseNet, and up, down, up, up and so on, as
    // in SE-ResNet.
    let twice_up = |side: usize| 4 * multiple(side.div_ceil(4), 0) - 7;
    let mixed = [
        (twice_up(example.h), twice_up(example.w)),
        (multiple(example.h, 0) + 5, multiple(example.w, 1) + 5),
    ];
    mixed.into_iter().find_map(|size| attempt(size).ok()).ok_or(fault)
}

/// Checks that a graph computes the same as those for several sizes.
fn check_general(network: &dyn Network, graph: &Graph) -> Result<(), OnnxError> {
    let example = network.example_input();
    let sides = [
        (example.h, example.w),
        (example.h + 32, example.w + 16),
        (example.h + 5, example.w + 2),
        (2 * example.h + 37, 2 * example.w + 51),
        // Small enough that some networks refuse them.
        (example.h / 4 + 3, example.w / 8 + 1),
    ];
    for (index, (h, w)) in sides.into_iter().enumerate() {
        match network.build(example.with_size(h, w)) {
            Ok(other) => check_same_function(graph, &other)?,
            Err(_) if index == sides.len() - 1 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Checks that the general graph computes the same as the other one at the other one's size.
fn check_same_function(general: &Graph, other: &Graph) -> Result<(), OnnxError> {
    let size = other.shape(other.input());
    let differ = |difference: String| {
        Err(OnnxError::DependsOnSize(format!("at {} x {} {difference}", size.h, size.w)))
    };
    let names = |graph: &Graph| graph.outputs().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if general.params() != other.params() || names(general) != names(other) {
        return differ("it has other parameters or outputs".into());
    }
    let shapes = match general.shapes_for(size) {
        Ok(shapes) => shapes,
        Err(error) => return differ(format!("its general form does not fit: {error}")),
    };
    let outputs = general.outputs().iter().zip(other.outputs());
    let mut open: Vec<(NodeId, NodeId)> = outputs.map(|((_, a), (_, b))| (*a, *b)).collect();
    let mut seen = HashSet::new();
    while let Some((a, b)) = open.pop() {
        if !seen.insert((a, b)) {
            continue;
        }
        let (x, y) = (general.node(a), other.node(b));
        let shape_of = |id: NodeId| shapes[id.0];
        if is_identity(&x.op, &x.inputs, shape_of(a), shape_of)
            && !is_identity(&y.op, &y.inputs, y.shape, |id| other.shape(id))
        {
            open.push((x.inputs[0], b));
            continue;
        }
        if shape_of(a) != y.shape || without_references(&x.op) != without_references(&y.op) {
            return differ(format!("`{}` is not `{}`", y.name, x.name));
        }
        open.extend(x.inputs.iter().copied().zip(y.inputs.iter().copied()));
        if let (Op::MaxUnpool { pool: p }, Op::MaxUnpool { pool: q }) = (&x.op, &y.op) {
            open.push((*p, *q));
        }
    }
    Ok(())
}

/// Whether a node changes nothing, since its input already has the size that it makes.
fn is_identity(op: &Op, inputs: &[NodeId], shape: Shape, shape_of: impl Fn(NodeId) -> Shape) -> bool {
    matches!(op, Op::Resize { .. } | Op::FitTo { .. }) && shape_of(inputs[0]) == shape
}

/// The operation with its settings, but not the nodes that it refers to. Of those, sizes are compared as the shape
/// of the output, and poolings one by one.
fn without_references(op: &Op) -> Op {
    match op.clone() {
        Op::Resize { interpolation, .. } => Op::Resize { like: NodeId(0), interpolation },
        Op::FitTo { .. } => Op::FitTo { like: NodeId(0) },
        Op::MaxUnpool { .. } => Op::MaxUnpool { pool: NodeId(0) },
        op => op,
    }
}

/// Rounding of a size that is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    Up,
    Down,
}

/// Whether the map of `small` has half the height and width of that of `large` whatever the input's size, and how odd ones
/// are rounded.
pub(crate) fn half_of(graph: &Graph, small: NodeId, large: NodeId) -> Option<Rounding> {
    [Rounding::Up, Rounding::Down].into_iter().find(|&rounding| {
        let of_large = shares(graph, large, rounding);
        let mut of_small = shares(graph, small, rounding).into_iter();
        of_small.any(|(node, divisor)| of_large.iter().any(|&(other, d)| other == node && divisor == 2 * d))
    })
}

/// The nodes whose size, divided by a number and rounded so, is the size of a map: the map itself, its source, and so on.
/// Divisions that round alike are one by their product.
fn shares(graph: &Graph, id: NodeId, rounding: Rounding) -> Vec<(NodeId, usize)> {
    let (mut id, mut divisor) = (size_origin(graph, id), 1);
    let mut shares = vec![(id, divisor)];
    while let Some(by) = division(&graph.node(id).op, rounding) {
        id = size_origin(graph, graph.node(id).inputs[0]);
        divisor *= by;
        shares.push((id, divisor));
    }
    shares
}

/// The number by which an operation divides height and width, rounding so.
fn division(op: &Op, rounding: Rounding) -> Option<usize> {
    // A window of `span` pixels in steps of `stride`: floor((size + 2 padding - span) / stride) + 1 of them.
    let (stride, padding, span, ceil) = match op.sizing() {
        Sizing::Conv2d(conv) => {
            let span = [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1) + 1);
            (conv.stride, conv.padding, span, false)
        }
        Sizing::MaxPool(pool) => (pool.stride, pool.padding, pool.kernel, pool.ceil),
        Sizing::AvgPool(pool) => (pool.stride, pool.padding, pool.kernel, false),
        _ => return None,
    };
    let [by, other] = stride;
    let fits = |i: usize| match (rounding, ceil) {
        (Rounding::Up, false) => 2 * padding[i] + 1 == span[i],
        // Rounding up makes up for the rest of a step.
        (Rounding::Up, true) | (Rounding::Down, false) => 2 * padding[i] + by == span[i],
        (Rounding::Down, true) => false,
    };
    (by > 1 && by == other && (0..2).all(fits)).then_some(by)
}

/// The node from which a map has its height and width.
fn size_origin(graph: &Graph, mut id: NodeId) -> NodeId {
    loop {
        let node = graph.node(id);
        id = match node.op.sizing() {
            Sizing::Kept | Sizing::Equal | Sizing::Times(1) => node.inputs[0],
            Sizing::Conv2d(conv)
                if conv.stride == [1, 1]
                    && (0..2).all(|i| 2 * conv.padding[i] == conv.dilation[i] * (conv.kernel[i] - 1)) =>
            {
                node.inputs[0]
            }
            // TensorFlow's padding: the padded size is one more than twice the half.
            Sizing::Conv2d(conv) => match half_of_padded(graph, node.inputs[0], conv) {
                Some(half) => half,
                None => return id,
            },
            Sizing::Like(other) => other,
            Sizing::LikeInputOf(other) => graph.node(other).inputs[0],
            _ => return id,
        };
    }
}

/// The map whose size a convolution has that halves a map padded as TensorFlow does, to one more than twice the half.
fn half_of_padded(graph: &Graph, padded: NodeId, conv: &Conv2d) -> Option<NodeId> {
    let reach = [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1));
    let halves = conv.stride == [2, 2] && conv.padding.map(|p| 2 * p + 2) == reach;
    let Op::FitTo { like } = graph.node(padded).op else { return None };
    let odd = graph.node(like);
    let even = graph.node(*odd.inputs.first()?);
    let is_more = matches!(odd.op, Op::MaxPool(pool) if pool == MaxPool::new(2, 1).padding(1));
    let is_twice = matches!(even.op, Op::Upscale { factor: 2, .. });
    (halves && is_more && is_twice).then(|| even.inputs[0])
}

/// For each node, whether its map has the height and width of the input, whatever that is.
pub(crate) fn keeps_input_size(graph: &Graph) -> Vec<bool> {
    let mut keeps: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let of = |id: &NodeId| keeps[id.0];
        // With stride 1, a map keeps its size if the padding makes up for the kernel.
        let same = |stride: [usize; 2], padding: [usize; 2], reach: [usize; 2]| {
            of(&node.inputs[0]) && stride == [1, 1] && padding.map(|p| 2 * p) == reach
        };
        let keep = match node.op.sizing() {
            Sizing::Input => true,
            Sizing::Conv2d(conv) => {
                let reach = [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1));
                same(conv.stride, conv.padding, reach)
            }
            Sizing::ConvTranspose2d(conv) => same(conv.stride, conv.padding, conv.kernel.map(|k| k - 1)),
            Sizing::MaxPool(pool) => same(pool.stride, pool.padding, pool.kernel.map(|k| k - 1)),
            Sizing::AvgPool(pool) => same(pool.stride, pool.padding, pool.kernel.map(|k| k - 1)),
            Sizing::LikeInputOf(id) => of(&graph.node(id).inputs[0]),
            Sizing::Like(id) => of(&id),
            Sizing::Times(factor) => of(&node.inputs[0]) && factor == 1,
            Sizing::Fixed => false,
            Sizing::Equal => node.inputs.iter().any(of),
            Sizing::Kept => of(&node.inputs[0]),
        };
        keeps.push(keep);
    }
    keeps
}

/// For each node, whether one of the outputs needs its values. Nodes of which only the size is taken are not needed.
pub(crate) fn needed(graph: &Graph, outputs: &[(String, NodeId)]) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    let mut open: Vec<NodeId> = outputs.iter().map(|(_, id)| *id).collect();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut needed[id.0], true) {
            continue;
        }
        let node = graph.node(id);
        open.extend(&node.inputs);
        if let Op::MaxUnpool { pool } = &node.op {
            open.push(*pool);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::{Conv2d, GraphError, Interpolation, MaxPool};

    const NEAREST: Interpolation = Interpolation::Nearest;

    #[test]
    fn halves_are_known_with_their_rounding() -> Result<(), GraphError> {
        let mut g = Graph::new(Shape::new(1, 37, 52, 3));
        let image = g.input();
        let up = g.conv2d("up", image, &Conv2d::new(4, 3).stride(2).padding(1))?;
        let up = g.relu(up)?;
        let down = g.max_pool(image, &MaxPool::new(2, 2))?;
        let stem = g.conv2d("stem", image, &Conv2d::new(4, 4).stride(4))?;
        let mixed = g.max_pool(up, &MaxPool::new(2, 2))?;
        assert_eq!(half_of(&g, up, image), Some(Rounding::Up));
        assert_eq!(half_of(&g, down, image), Some(Rounding::Down));
        // A quarter rounded down is half of a half rounded down, not of one rounded up.
        assert_eq!(half_of(&g, stem, down), Some(Rounding::Down));
        assert_eq!(half_of(&g, stem, up), None);
        assert_eq!(half_of(&g, mixed, up), Some(Rounding::Down));
        assert_eq!([half_of(&g, mixed, image), half_of(&g, image, up)], [None, None]);
        Ok(())
    }

    #[test]
    fn a_network_that_computes_something_else_at_some_sizes_is_refused() {
        let build = |input: Shape| {
            let mut g = Graph::new(input);
            let mut x = g.input();
            if input.h > 300 {
                x = g.relu(x)?;
            }
            g.output("logits", x)?;
            Ok::<Graph, GraphError>(g)
        };
        let error = build_for_all_sizes(&(Shape::new(1, 256, 256, 3), build)).unwrap_err();
        assert!(matches!(error, OnnxError::DependsOnSize(_)), "{error}");
        // A size that is a part of the operations.
        let build = |input: Shape| {
            let mut g = Graph::new(input);
            let x = g.conv2d("conv", g.input(), &Conv2d::new(1, 3).padding(input.h % 2))?;
            g.output("logits", x)?;
            Ok::<Graph, GraphError>(g)
        };
        let error = build_for_all_sizes(&(Shape::new(1, 256, 256, 3), build)).unwrap_err();
        assert!(matches!(error, OnnxError::DependsOnSize(_)), "{error}");
    }

    #[test]
    fn what_is_left_out_where_it_does_nothing_is_written() -> Result<(), Box<dyn std::error::Error>> {
        let build = |input: Shape| {
            let mut g = Graph::new(input);
            let image = g.input();
            let mut x = g.max_pool(image, &MaxPool::new(2, 2).ceil(true))?;
            x = g.upscale(x, 2, NEAREST)?;
            if g.shape(x) != g.shape(image) {
                x = g.resize(x, image, NEAREST)?;
            }
            g.output("logits", x)?;
            Ok::<Graph, GraphError>(g)
        };
        let graph = build_for_all_sizes(&(Shape::new(1, 256, 256, 3), build))?;
        assert!(matches!(graph.nodes().last().map(|node| &node.op), Some(Op::Resize { .. })));
        Ok(())
    }

    #[test]
    fn sizes_are_followed() -> Result<(), GraphError> {
        let mut g = Graph::new(Shape::new(1, 8, 8, 3));
        let x = g.input();
        let same = g.conv2d("same", x, &Conv2d::new(4, 3).padding(2).dilation(2))?;
        let valid = g.conv2d("valid", same, &Conv2d::new(4, 3))?;
        let pooled = g.max_pool(same, &MaxPool::new(2, 2))?;
        let back = g.max_unpool(pooled, pooled)?;
        let fitted = g.fit_to(valid, back)?;
        // As large as the input here, but not always.
        let twice = g.upscale(pooled, 2, NEAREST)?;
        let keeps = keeps_input_size(&g);
        let expected =
            [(same, true), (valid, false), (pooled, false), (back, true), (fitted, true), (twice, false)];
        for (id, keep) in expected {
            assert_eq!(keeps[id.0], keep, "{}", g.node(id).name);
        }
        Ok(())
    }
}
