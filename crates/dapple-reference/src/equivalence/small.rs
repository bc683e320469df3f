//! A network for tests of training.

use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, MaxPool, Shape};

/// A small encoder and decoder with batch norm, dropout and a connection past the pooling; three logits.
///
/// # Errors
/// For an input of fewer than two rows or columns.
pub fn small(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let conv = |channels| Conv2d::new(channels, 3).padding(1);
    let x = g.conv2d("down", g.input(), &conv(16))?;
    let x = g.batch_norm("norm", x)?;
    let skip = g.relu(x)?;
    let x = g.max_pool(skip, &MaxPool::new(2, 2))?;
    let x = g.conv2d("deep", x, &conv(24))?;
    let x = g.relu(x)?;
    let x = g.dropout(x, 0.2)?;
    let x = g.resize(x, skip, Interpolation::Bilinear { align_corners: false })?;
    let x = g.concat(&[x, skip])?;
    let x = g.conv2d("head", x, &conv(3))?;
    g.output("logits", x)?;
    Ok(g)
}
