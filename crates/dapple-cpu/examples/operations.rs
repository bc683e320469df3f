//! Time of single operations, forward and backward: `cargo run --release -p dapple-cpu --example operations [THREADS]`.
//!
//! Each is the best of several passes, in milliseconds.

use dapple_cpu::CpuEngine;
use dapple_graph::{Conv2d, Graph, GraphError, Mode, Network, NodeId, Pointwise, Shape, State, Tensor};
use std::sync::Arc;

type Build = fn(&mut Graph, NodeId) -> Result<NodeId, GraphError>;

/// Passes of which the best counts.
const PASSES: usize = 15;

fn depthwise(g: &mut Graph, x: NodeId, kernel: usize, stride: usize) -> Result<NodeId, GraphError> {
    let c = g.shape(x).c;
    g.conv2d("op", x, &Conv2d::new(c, kernel).stride(stride).padding(kernel / 2).groups(c).bias(false))
}

fn grouped(g: &mut Graph, x: NodeId, groups: usize) -> Result<NodeId, GraphError> {
    let c = g.shape(x).c;
    g.conv2d("op", x, &Conv2d::new(c, 3).padding(1).groups(groups).bias(false))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map(|text| text.parse()).transpose()?;
    let engine = CpuEngine::new(threads)?;
    let operations: [(&str, [usize; 3], Build); 13] = [
        ("depthwise 3x3", [56, 56, 144], |g, x| depthwise(g, x, 3, 1)),
        ("depthwise 3x3", [112, 112, 32], |g, x| depthwise(g, x, 3, 1)),
        ("depthwise 3x3 stride 2", [112, 112, 96], |g, x| depthwise(g, x, 3, 2)),
        ("depthwise 5x5", [28, 28, 240], |g, x| depthwise(g, x, 5, 1)),
        ("depthwise 7x7", [56, 56, 96], |g, x| depthwise(g, x, 7, 1)),
        ("3x3 in 32 groups", [56, 56, 128], |g, x| grouped(g, x, 32)),
        ("3x3 in 8 groups", [56, 56, 128], |g, x| grouped(g, x, 8)),
        ("attention, 256 keys", [128, 128, 32], |g, x| {
            let keys = g.average_pool(x, [16, 16])?;
            g.attention(x, keys, keys, 1)
        }),
        ("attention, 1024 keys, 6 heads", [32, 32, 384], |g, x| g.attention(x, x, x, 6)),
        ("layer norm", [56, 56, 96], |g, x| g.layer_norm("op", x, 1e-6)),
        ("gelu", [56, 56, 384], |g, x| g.activate(x, Pointwise::Gelu)),
        ("hard swish", [56, 56, 384], |g, x| g.activate(x, Pointwise::HardSwish)),
        ("dropout", [56, 56, 384], |g, x| g.dropout(x, 0.5)),
    ];
    println!("{} threads, {}", engine.threads(), engine.level().name());
    println!("{:32} {:>16} {:>10} {:>10}", "operation", "map", "forward", "backward");
    for (name, [h, w, c], build) in operations {
        let network = (Shape::new(1, h, w, 1), move |input: Shape| {
            let mut g = Graph::new(input);
            // The map itself must want a gradient.
            let x = g.conv2d("map", g.input(), &Conv2d::new(c, 1))?;
            let y = build(&mut g, x)?;
            g.output("y", y)?;
            Ok(g)
        });
        let shape = network.example_input();
        let state = State::init(&network.build(shape)?, 0);
        let values = (0..shape.len()).map(|i| (i % 97) as f32 / 48.5 - 1.0).collect();
        let (network, input): (Arc<dyn Network>, _) = (Arc::new(network), Tensor::new(shape, values));
        let mut best = [f64::INFINITY; 2];
        for _ in 0..PASSES {
            let mut times = [0.0; 2];
            for step in engine.profile(network.clone(), &state, &input, Mode::Train)? {
                if step.node != "map" {
                    times[usize::from(step.backward)] += step.seconds;
                }
            }
            best = [best[0].min(times[0]), best[1].min(times[1])];
        }
        let map = format!("{h} x {w} x {c}");
        println!("{name:32} {map:>16} {:>10.3} {:>10.3}", best[0] * 1e3, best[1] * 1e3);
    }
    Ok(())
}
