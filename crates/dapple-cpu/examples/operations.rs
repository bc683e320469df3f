//! Time of single operations, forward and backward, as a JSON list:
//! `cargo run --release -p dapple-cpu --example operations [THREADS]`. `bench/operations.py` sets PyTorch's beside it.
//!
//! Each is the best of several passes, in milliseconds. An operation that later kernels do while reading (batch norm's
//! scale, concatenation) is timed with the copy that stores its result.

use dapple_cpu::CpuEngine;
use dapple_graph::{
    Conv2d, ConvTranspose2d, Engine, Graph, GraphError, Interpolation, Loss, LossKind, MaxPool, Mode,
    Network, NodeId, Optimizer, Pointwise, Shape, State, Tensor,
};
use std::sync::Arc;
use std::time::Instant;

type Build = fn(&mut Graph, NodeId) -> Result<NodeId, GraphError>;

/// Passes of which the best counts.
const PASSES: usize = 15;

fn conv(g: &mut Graph, x: NodeId, out: usize, kernel: usize, stride: usize) -> Result<NodeId, GraphError> {
    g.conv2d("op", x, &Conv2d::new(out, kernel).stride(stride).padding(kernel / 2).bias(false))
}

fn grouped(
    g: &mut Graph,
    x: NodeId,
    kernel: usize,
    stride: usize,
    groups: usize,
) -> Result<NodeId, GraphError> {
    let c = g.shape(x).c;
    let conv = Conv2d::new(c, kernel).stride(stride).padding(kernel / 2).groups(groups).bias(false);
    g.conv2d("op", x, &conv)
}

/// Name, batch, map `[height, width, channels]`, and what is done with the map.
const OPERATIONS: [(&str, usize, [usize; 3], Build); 32] = [
    ("3x3, 64 > 64", 4, [224, 224, 64], |g, x| conv(g, x, 64, 3, 1)),
    ("3x3, 128 > 64", 4, [224, 224, 128], |g, x| conv(g, x, 64, 3, 1)),
    ("3x3, 128 > 128", 4, [112, 112, 128], |g, x| conv(g, x, 128, 3, 1)),
    ("3x3, 256 > 256", 4, [56, 56, 256], |g, x| conv(g, x, 256, 3, 1)),
    ("3x3, 512 > 512", 4, [28, 28, 512], |g, x| conv(g, x, 512, 3, 1)),
    ("3x3, 1024 > 1024", 4, [14, 14, 1024], |g, x| conv(g, x, 1024, 3, 1)),
    ("3x3, 64 > 16", 4, [224, 224, 64], |g, x| conv(g, x, 16, 3, 1)),
    ("3x3, 16 > 16", 4, [224, 224, 16], |g, x| conv(g, x, 16, 3, 1)),
    ("3x3, 16 > 64", 4, [112, 112, 16], |g, x| conv(g, x, 64, 3, 1)),
    ("3x3 dilated by 2, 16 > 16", 4, [28, 28, 16], |g, x| {
        g.conv2d("op", x, &Conv2d::new(16, 3).padding(2).dilation(2).bias(false))
    }),
    ("3x3 stride 2, 64 > 128", 4, [112, 112, 64], |g, x| conv(g, x, 128, 3, 2)),
    ("1x1, 256 > 64", 4, [56, 56, 256], |g, x| conv(g, x, 64, 1, 1)),
    ("1x1, 64 > 256", 4, [56, 56, 64], |g, x| conv(g, x, 256, 1, 1)),
    ("1x1, 512 > 2048", 4, [14, 14, 512], |g, x| conv(g, x, 2048, 1, 1)),
    ("7x7 stride 2, 3 > 64", 4, [224, 224, 3], |g, x| conv(g, x, 64, 7, 2)),
    ("transposed 2x2, 128 > 64", 4, [112, 112, 128], |g, x| {
        g.conv_transpose2d("op", x, &ConvTranspose2d::new(64, 2, 2))
    }),
    ("transposed 2x2, 1024 > 512", 4, [14, 14, 1024], |g, x| {
        g.conv_transpose2d("op", x, &ConvTranspose2d::new(512, 2, 2))
    }),
    ("depthwise 3x3", 1, [112, 112, 32], |g, x| grouped(g, x, 3, 1, 32)),
    ("depthwise 3x3 stride 2", 1, [112, 112, 96], |g, x| grouped(g, x, 3, 2, 96)),
    ("depthwise 5x5", 1, [28, 28, 240], |g, x| grouped(g, x, 5, 1, 240)),
    ("depthwise 7x7", 1, [56, 56, 96], |g, x| grouped(g, x, 7, 1, 96)),
    ("batch norm and ReLU", 4, [224, 224, 64], |g, x| {
        let x = g.batch_norm("op", x)?;
        g.relu(x)
    }),
    ("layer norm", 1, [56, 56, 96], |g, x| g.layer_norm("op", x, 1e-6)),
    ("GELU", 1, [56, 56, 384], |g, x| g.activate(x, Pointwise::Gelu)),
    ("hard swish", 1, [56, 56, 384], |g, x| g.activate(x, Pointwise::HardSwish)),
    ("max pooling 2x2", 4, [224, 224, 64], |g, x| g.max_pool(x, &MaxPool::new(2, 2))),
    ("max unpooling 2x2", 4, [224, 224, 64], |g, x| {
        let small = g.max_pool(x, &MaxPool::new(2, 2))?;
        g.max_unpool(small, small)
    }),
    ("bilinear to twice the size", 4, [112, 112, 64], |g, x| {
        g.upscale(x, 2, Interpolation::Bilinear { align_corners: false })
    }),
    ("concatenation, 64 + 64", 4, [224, 224, 64], |g, x| g.concat(&[x, x])),
    ("dropout", 1, [56, 56, 384], |g, x| g.dropout(x, 0.5)),
    ("attention, 256 keys", 1, [128, 128, 32], |g, x| {
        let keys = g.adaptive_avg_pool(x, [16, 16])?;
        g.attention(x, keys, keys, 1)
    }),
    ("attention, 1024 keys, 6 heads", 1, [32, 32, 384], |g, x| g.attention(x, x, x, 6)),
];

/// The best time of each direction over the steps of a network but those that make its map.
fn steps(
    engine: &CpuEngine,
    batch: usize,
    map: [usize; 3],
    build: Build,
) -> Result<[f64; 2], Box<dyn std::error::Error>> {
    let [h, w, c] = map;
    let network = (Shape::new(batch, h, w, 1), move |input: Shape| {
        let mut g = Graph::new(input);
        // The map itself must want a gradient.
        let x = g.conv2d("map", g.input(), &Conv2d::new(c, 1))?;
        let y = build(&mut g, x)?;
        g.output("y", y)?;
        Ok(g)
    });
    let shape = network.example_input();
    let graph = network.build(shape)?;
    // Unpooling needs a pooling, which is not what is timed then.
    let unpools = graph.nodes().iter().any(|n| n.name.starts_with("max_unpool"));
    let made = |name: &str| name == "map" || unpools && name.starts_with("max_pool");
    let state = State::init(&graph, 0);
    let values = (0..shape.len()).map(|i| (i % 97) as f32 / 48.5 - 1.0).collect();
    let (network, input): (Arc<dyn Network>, _) = (Arc::new(network), Tensor::new(shape, values));
    let mut best = [f64::INFINITY; 2];
    for _ in 0..PASSES {
        let mut times = [0.0; 2];
        for step in engine.profile(network.clone(), &state, &input, Mode::Train, 1)?.passes.concat() {
            if !made(&step.node) {
                times[usize::from(step.backward)] += step.seconds;
            }
        }
        best = [best[0].min(times[0]), best[1].min(times[1])];
    }
    Ok(best)
}

/// Cross-entropy with its gradient of `[4, 224, 224, 12]` logits, and a step of Adam over 31 million parameters.
fn loss_and_step(engine: &CpuEngine) -> Result<[f64; 2], Box<dyn std::error::Error>> {
    let best = |times: &mut dyn FnMut() -> Result<f64, Box<dyn std::error::Error>>| {
        (0..PASSES)
            .try_fold(f64::INFINITY, |best, _| Ok::<f64, Box<dyn std::error::Error>>(best.min(times()?)))
    };
    let logits = (Shape::new(4, 224, 224, 12), |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.scale("op", g.input(), 1.0)?;
        g.output("y", y)?;
        Ok(g)
    });
    let shape = logits.example_input();
    let input = Tensor::new(shape, (0..shape.len()).map(|i| (i % 97) as f32 / 48.5 - 1.0).collect());
    let labels: Vec<u8> = (0..shape.pixels()).map(|i| (i / 16 % 12) as u8).collect();
    let loss = Loss::single(LossKind::CrossEntropy);
    let state = State::init(&logits.build(shape)?, 0);
    let network: Arc<dyn Network> = Arc::new(logits);
    let mut executor = engine.load_trainer(network, &state, Optimizer::adam())?;
    // The whole of it: taking the input in, a factor for each channel and its gradient are in the figure too.
    let loss = best(&mut || {
        let start = Instant::now();
        executor.accumulate(&input, &labels, &loss, 1.0)?;
        Ok(start.elapsed().as_secs_f64())
    })?;

    let wide = (Shape::new(1, 1, 1, 5568), |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.conv2d("op", g.input(), &Conv2d::new(5568, 1).bias(false))?;
        g.output("y", y)?;
        Ok(g)
    });
    let shape = wide.example_input();
    let state = State::init(&wide.build(shape)?, 0);
    let input = Tensor::new(shape, vec![0.5; shape.len()]);
    let network: Arc<dyn Network> = Arc::new(wide);
    let mut executor = engine.load_trainer(network, &state, Optimizer::adam())?;
    let step = best(&mut || {
        executor.accumulate(&input, &[0], &Loss::single(LossKind::Dice), 1.0)?;
        let start = Instant::now();
        executor.step(1e-4, None)?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    Ok([loss, step])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map(|text| text.parse()).transpose()?;
    let engine = CpuEngine::new(threads)?;
    let mut lines = Vec::new();
    for (name, batch, [h, w, c], build) in OPERATIONS {
        let [forward, backward] = steps(&engine, batch, [h, w, c], build)?.map(|s| s * 1e3);
        lines.push(format!(
            r#"{{"name": "{name}", "map": [{batch}, {h}, {w}, {c}], "forward": {forward}, "backward": {backward}}}"#
        ));
    }
    let [loss, step] = loss_and_step(&engine)?.map(|s| s * 1e3);
    lines.push(format!(
        r#"{{"name": "cross-entropy and its gradient", "map": [4, 224, 224, 12], "forward": {loss}, "backward": 0}}"#
    ));
    lines
        .push(format!(r#"{{"name": "Adam", "map": [1, 1, 1, 31002624], "forward": {step}, "backward": 0}}"#));
    println!("[{}]", lines.join(",\n"));
    Ok(())
}
