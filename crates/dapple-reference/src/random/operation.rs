//! Graphs of a single operation with random settings.

use crate::draw::Draw;
use crate::ops::{self, OPERATIONS};
use dapple_graph::{Graph, Shape};

/// A graph of one operation that reads the input, and what prepares a second input or a size where it needs
/// one, with a line that describes it. Sizes are 1 to 40 pixels, channels 1 to 40 or now and then 64 or 96,
/// at most 20 000 values.
pub fn operation(seed: u64) -> (Graph, String) {
    let mut draw = Draw::new(seed, 4);
    // Settings that do not fit the size (a kernel larger than the image) are drawn again.
    loop {
        let mut graph = Graph::new(input_shape(&mut draw));
        if let Ok(y) = ops::random(&mut graph, &mut draw, seed % OPERATIONS)
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
        let shape = Shape::new(draw.within(1..=3), h, w, draw.channels());
        if shape.len() <= 20_000 {
            return shape;
        }
    }
}
