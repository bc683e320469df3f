//! Graphs of a single operation with random settings.

use super::Draw;
use super::network::channels;
use dapple_graph::{
    AvgPool, BatchNorm, Conv2d, ConvTranspose2d, Graph, GraphError, Interpolation, MaxPool, NodeId,
    Pointwise, Shape,
};

/// Number of kinds of operation: `operation(seed)` is of kind `seed % OPERATIONS`.
pub const OPERATIONS: u64 = 20;

/// All functions of single values.
pub(super) const POINTWISE: [Pointwise; 5] =
    [Pointwise::Sigmoid, Pointwise::HardSigmoid, Pointwise::HardSwish, Pointwise::Silu, Pointwise::Gelu];

/// A graph of one operation that reads the input, and what prepares a second input or a size where it needs
/// one, with a line that describes it. Sizes are 1 to 40 pixels, channels 1 to 40 or now and then 64 or 96,
/// at most 20 000 values.
pub fn operation(seed: u64) -> (Graph, String) {
    let mut draw = Draw::new(seed, 4);
    // Settings that do not fit the size (a kernel larger than the image) are drawn again.
    loop {
        let mut graph = Graph::new(input_shape(&mut draw));
        if let Ok(y) = build(&mut graph, &mut draw, seed % OPERATIONS)
            && graph.nodes().iter().all(|n| n.shape.len() <= 20_000)
            && dapple_graph::summary::multiply_adds(&graph) <= 20_000_000
            && graph.output("y", y).is_ok()
        {
            let description = format!("seed {seed}: {} -> {:?}", graph.shape(graph.input()), graph.node(y));
            return (graph, description);
        }
    }
}

/// A shape of at most 20 000 values.
pub(super) fn input_shape(draw: &mut Draw) -> Shape {
    loop {
        let mut extent = || match draw.within(0..=9) {
            0 => 1,
            1 | 2 => draw.within(2..=5),
            _ => draw.within(6..=40),
        };
        let (h, w) = (extent(), extent());
        let shape = Shape::new(draw.within(1..=3), h, w, channels(draw));
        if shape.len() <= 20_000 {
            return shape;
        }
    }
}

fn build(g: &mut Graph, draw: &mut Draw, kind: u64) -> Result<NodeId, GraphError> {
    let x = g.input();
    let c = g.shape(x).c;
    match kind {
        0 | 1 => {
            let conv = conv_settings(draw, c);
            g.conv2d("conv", x, &conv)
        }
        2 => {
            let conv = transpose_settings(draw);
            g.conv_transpose2d("conv", x, &conv)
        }
        3 => {
            let norm = BatchNorm { eps: draw.pick(&[1e-5, 1e-3]), momentum: draw.pick(&[0.1, 0.01, 1.0]) };
            let y = if g.shape(x).pixels() < 2 { other_size(g, draw)? } else { x };
            g.batch_norm_with("bn", y, norm)
        }
        4 => g.relu(x),
        5 => g.max_pool(x, &pool_settings(draw)),
        6 => {
            let mut pool = pool_settings(draw);
            pool.stride = [0, 1].map(|i| pool.kernel[i] + draw.within(0..=1));
            let pooled = g.max_pool(x, &pool)?;
            let y = g.conv2d("inner", pooled, &Conv2d::new(c, 1))?;
            g.max_unpool(y, pooled)
        }
        7 => {
            let like = other_size(g, draw)?;
            g.resize(x, like, interpolation(draw))
        }
        8 => g.upscale(x, draw.within(1..=4), interpolation(draw)),
        9 => {
            let like = other_size(g, draw)?;
            g.fit_to(x, like)
        }
        10 => {
            // The size of an unread enlargement: back down to the input's.
            let large = g.conv2d("large", x, &Conv2d::new(c, 1).padding(draw.within(0..=6)))?;
            g.fit_to(large, x)
        }
        11 => {
            let mut parts = vec![x];
            for i in 0..draw.within(0..=3) {
                let y = g.conv2d(&format!("part{i}"), x, &Conv2d::new(channels(draw), 1))?;
                parts.insert(draw.within(0..=parts.len()), y);
            }
            if draw.one_in(4) {
                parts.push(x);
            }
            g.concat(&parts)
        }
        12 => {
            let y = g.conv2d("branch", x, &Conv2d::new(c, 1))?;
            let (a, b) = draw.pick(&[(x, y), (y, x), (x, x), (y, y)]);
            g.add(a, b)
        }
        13 => {
            // A wide range of values.
            let y = g.scale("wide", x, 1.0)?;
            let y = (0..draw.within(0..=4)).try_fold(y, |y, _| g.add(y, y))?;
            g.activate(y, draw.pick(&POINTWISE))
        }
        14 => {
            let y = g.conv2d("factor", x, &Conv2d::new(c, 1))?;
            let y = if draw.one_in(2) { g.adaptive_avg_pool(y, [1, 1])? } else { y };
            let (a, b) = draw.pick(&[(x, y), (x, y), (y, y), (x, x)]);
            g.mul(a, b)
        }
        15 if draw.one_in(2) => g.avg_pool(x, &avg_pool_settings(draw)),
        15 => g.adaptive_avg_pool(x, [0, 1].map(|_| draw.pick(&[1, 1, 2, 3, 6, 7, 20]))),
        16 => g.layer_norm("ln", x, draw.pick(&[1e-5, 1e-6, 1e-2])),
        17 if draw.one_in(2) => {
            let groups = (1..=c).filter(|groups| c.is_multiple_of(*groups)).collect::<Vec<_>>();
            g.group_norm("gn", x, draw.pick(&groups))
        }
        17 => g.scale("scale", x, 1.0),
        18 => {
            let heads = draw.pick(&[1, 1, 2, 3, 5, 8]);
            let width = draw.pick(&[1, 3, 8, 16, 20, 32]);
            let keys = if draw.one_in(2) { x } else { other_size(g, draw)? };
            let q = g.conv2d("q", x, &Conv2d::new(heads * width, 1))?;
            let k = g.conv2d("k", keys, &Conv2d::new(heads * width, 1))?;
            let v = g.conv2d("v", keys, &Conv2d::new(heads * width, 1))?;
            let (q, k, v) = if keys == x && draw.one_in(4) { (q, q, q) } else { (q, k, v) };
            g.attention(q, k, v, heads)
        }
        _ if draw.one_in(2) => g.drop_path(x, draw.pick(&[0.0, 0.1, 0.5, 0.9])),
        _ => g.dropout(x, draw.pick(&[0.0, 0.1, 0.5, 0.9])),
    }
}

/// A node of another size for an operation that takes a size.
fn other_size(g: &mut Graph, draw: &mut Draw) -> Result<NodeId, GraphError> {
    let x = g.input();
    let mut conv = Conv2d::new(1, 1);
    for axis in 0..2 {
        conv.kernel[axis] = draw.within(1..=7);
        conv.stride[axis] = draw.within(1..=3);
        conv.padding[axis] = draw.within(0..=20);
    }
    g.conv2d("size", x, &conv)
}

/// A convolution for `c` input channels: plain, strided, dilated, grouped, depthwise, rectangular.
pub(super) fn conv_settings(draw: &mut Draw, c: usize) -> Conv2d {
    let kernel = draw.pick(&[1, 1, 2, 3, 3, 3, 3, 4, 5, 7]);
    let mut conv = Conv2d::new(channels(draw), kernel).bias(draw.one_in(2));
    if draw.one_in(6) {
        conv.kernel = [draw.within(1..=7), draw.within(1..=7)];
    }
    if draw.one_in(3) {
        conv.stride = draw.pick(&[[2, 2], [2, 2], [1, 2], [2, 1], [3, 3], [4, 4]]);
    }
    if draw.one_in(4) {
        conv.dilation = draw.pick(&[[2, 2], [2, 2], [3, 3], [4, 4], [1, 2], [3, 1]]);
    }
    conv.padding = match draw.within(0..=5) {
        0 => [0, 0],
        1 => [draw.within(0..=8), draw.within(0..=8)],
        _ => [0, 1].map(|i| conv.dilation[i] * (conv.kernel[i] - 1) / 2),
    };
    if draw.one_in(4) {
        let divisors: Vec<usize> = (1..=c).filter(|d| c.is_multiple_of(*d)).collect();
        conv.groups = if draw.one_in(2) { c } else { draw.pick(&divisors) };
        conv.out_channels = conv.groups * draw.within(1..=(40 / conv.groups).max(1));
    }
    conv
}

pub(super) fn transpose_settings(draw: &mut Draw) -> ConvTranspose2d {
    let (kernel, stride, padding) =
        draw.pick(&[(2, 2, 0), (2, 2, 0), (4, 2, 1), (3, 2, 1), (3, 1, 1), (1, 1, 0), (2, 3, 0), (8, 4, 2)]);
    let mut conv = ConvTranspose2d::new(channels(draw), kernel, stride).padding(padding).bias(draw.one_in(2));
    if draw.one_in(4) {
        conv.kernel = [draw.within(1..=5), draw.within(1..=5)];
        conv.stride = [draw.within(1..=4), draw.within(1..=4)];
        conv.padding = [draw.within(0..=2), draw.within(0..=2)];
    }
    conv
}

pub(super) fn pool_settings(draw: &mut Draw) -> MaxPool {
    let (kernel, stride) = draw.pick(&[(2, 2), (2, 2), (2, 2), (3, 2), (3, 3), (3, 1), (2, 1), (5, 1)]);
    let mut pool = MaxPool::new(kernel, stride).ceil(draw.one_in(2));
    if draw.one_in(5) {
        pool.kernel = [draw.within(1..=5), draw.within(1..=5)];
        pool.stride = [draw.within(1..=4), draw.within(1..=4)];
    }
    if draw.one_in(3) {
        pool.padding = pool.kernel.map(|k| draw.within(0..=k / 2));
    }
    pool
}

pub(super) fn avg_pool_settings(draw: &mut Draw) -> AvgPool {
    let kernel = [0, 1].map(|_| draw.pick(&[1, 2, 2, 3, 5, 9, 17]));
    let stride = [0, 1].map(|_| draw.pick(&[1, 2, 2, 3, 4, 8]));
    AvgPool { kernel, stride, padding: kernel.map(|k| draw.within(0..=k / 2)) }
}

pub(super) fn interpolation(draw: &mut Draw) -> Interpolation {
    draw.pick(&[
        Interpolation::Nearest,
        Interpolation::Bilinear { align_corners: false },
        Interpolation::Bilinear { align_corners: true },
    ])
}
