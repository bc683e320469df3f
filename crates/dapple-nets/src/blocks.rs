//! What the networks have in common.

use dapple_graph::{Conv2d, Graph, GraphError, NodeId, Shape};

/// Convolution, batch norm and ReLU with the parameter prefixes of the two layers.
pub(crate) fn conv_bn_relu(
    g: &mut Graph,
    [conv_name, norm_name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = g.conv2d(conv_name, x, conv)?;
    let x = g.batch_norm(norm_name, x)?;
    g.relu(x)
}

/// Refuses inputs without pixels and inputs on which a network of this smallest height and width has nothing
/// left to compute.
pub(crate) fn check_size(network: &'static str, input: Shape, smallest: usize) -> Result<(), GraphError> {
    let why = if input.is_empty() {
        "every extent must be at least 1".to_owned()
    } else if input.h < smallest || input.w < smallest {
        let [h, w] = [input.h.max(smallest), input.w.max(smallest)];
        format!(
            "{} x {} pixels are too few (at least {smallest} x {smallest}); resize or pad to {h} x {w}",
            input.h, input.w
        )
    } else {
        return Ok(());
    };
    Err(GraphError::Invalid { op: network, name: "input".into(), shape: input, why })
}
