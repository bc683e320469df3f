//! Building blocks shared by the networks.

use dapple_graph::{Conv2d, Graph, GraphError, Interpolation, MaxPool, NodeId, Pointwise, Shape};

/// Convolution, batch norm and ReLU with the parameter prefixes of the two layers.
pub(crate) fn conv_bn_relu(
    g: &mut Graph,
    [conv_name, norm_name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = conv_bn(g, [conv_name, norm_name], x, conv)?;
    g.relu(x)
}

/// Convolution and batch norm with the parameter prefixes of the two layers.
pub(crate) fn conv_bn(
    g: &mut Graph,
    [conv_name, norm_name]: [&str; 2],
    x: NodeId,
    conv: &Conv2d,
) -> Result<NodeId, GraphError> {
    let x = g.conv2d(conv_name, x, conv)?;
    g.batch_norm(norm_name, x)
}

/// Convolution without bias, batch norm and ReLU as `name.0` and `name.1`.
pub(crate) fn unit(g: &mut Graph, name: &str, x: NodeId, conv: &Conv2d) -> Result<NodeId, GraphError> {
    conv_bn_relu(g, [&format!("{name}.0"), &format!("{name}.1")], x, &conv.bias(false))
}

/// The functions of a squeeze-and-excitation block.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    /// After the first layer; ReLU if absent.
    pub squeeze: Option<Pointwise>,
    /// After the second layer.
    pub excite: Pointwise,
}

/// Squeeze-and-excitation with the layers `name.fc1` and `name.fc2`.
pub(crate) fn squeeze_excite(
    g: &mut Graph,
    name: &str,
    x: NodeId,
    squeezed: usize,
    gate: Gate,
) -> Result<NodeId, GraphError> {
    gated(g, [&format!("{name}.fc1"), &format!("{name}.fc2")], x, squeezed, gate)
}

/// Squeeze-and-excitation (Hu, Shen and Sun, CVPR 2018): each channel times a gate computed from the means of all channels.
pub(crate) fn gated(
    g: &mut Graph,
    [squeeze_name, excite_name]: [&str; 2],
    x: NodeId,
    squeezed: usize,
    gate: Gate,
) -> Result<NodeId, GraphError> {
    let channels = g.shape(x).c;
    let y = g.adaptive_avg_pool(x, [1, 1])?;
    let y = g.conv2d(squeeze_name, y, &Conv2d::new(squeezed, 1))?;
    let y = match gate.squeeze {
        Some(function) => g.activate(y, function)?,
        None => g.relu(y)?,
    };
    let y = g.conv2d(excite_name, y, &Conv2d::new(channels, 1))?;
    let y = g.activate(y, gate.excite)?;
    g.mul(x, y)
}

/// A residual branch with stochastic depth (Huang et al., ECCV 2016), whose rate grows evenly over the blocks from 0 in block
/// 0 to `rate` in block `last`.
pub(crate) fn drop_path(
    g: &mut Graph,
    x: NodeId,
    rate: f32,
    block: usize,
    last: usize,
) -> Result<NodeId, GraphError> {
    match rate * block as f32 / last.max(1) as f32 {
        0.0 => Ok(x),
        rate => g.drop_path(x, rate),
    }
}

/// The multiple of 8 nearest to a number of channels, at least 8 and not more than a tenth below it (MobileNetV3 and
/// EfficientNet round widths so).
pub(crate) fn divisible(channels: f64) -> usize {
    let nearest = (((channels + 4.0) / 8.0) as usize * 8).max(8);
    if (nearest as f64) < 0.9 * channels { nearest + 8 } else { nearest }
}

/// The greatest common divisor: group norms of networks that are narrower than the published one have fewer groups.
pub(crate) fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The image, padded with zeros if its height or width is not a multiple of `2^halvings`.
pub(crate) fn padded(g: &mut Graph, halvings: usize) -> Result<NodeId, GraphError> {
    let (image, shape) = (g.input(), g.shape(g.input()));
    if (shape.h | shape.w).is_multiple_of(1 << halvings) {
        return Ok(image);
    }
    // Poolings that round up, and as many doublings, stand for the next larger size; their values are not used.
    let mut size = image;
    for _ in 0..halvings {
        size = g.max_pool(size, &MaxPool::new(2, 2).ceil(true))?;
    }
    let size = g.upscale(size, 1 << halvings, Interpolation::Nearest)?;
    g.fit_to(image, size)
}

/// The map with zeros around it as a convolution of stride 2 with TensorFlow's "same" padding sees it, whose own padding is
/// then one less than half of its kernel. An even height or width gets a row at its end, so that the windows begin at the
/// first pixel, an odd one gets a row at both ends. `size` is a map of the same size with as few channels as there are.
pub(crate) fn padded_at_the_end(g: &mut Graph, x: NodeId, size: NodeId) -> Result<NodeId, GraphError> {
    // One more than twice the half, rounded up; the values of the three are not used.
    let half = g.max_pool(size, &MaxPool::new(2, 2).ceil(true))?;
    let even = g.upscale(half, 2, Interpolation::Nearest)?;
    let odd = g.max_pool(even, &MaxPool::new(2, 1).padding(1))?;
    g.fit_to(x, odd)
}

/// Refuses inputs without pixels, and those below the smallest height and width of a network.
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
