//! The preparation of pixels within a network.

use dapple_graph::{Conv2d, Graph, GraphError, NodeId};

/// The layer that prepares pixels: a 1 x 1 convolution over the channels of the image.
pub(crate) const PREPARATION: &str = "preparation";

/// The image, prepared by a layer of its own where that is wanted.
pub(super) fn image(g: &mut Graph, prepares: bool) -> Result<NodeId, GraphError> {
    let image = g.input();
    let channels = g.shape(image).c;
    match prepares {
        true => g.conv2d(PREPARATION, image, &Conv2d::new(channels, 1)),
        false => Ok(image),
    }
}
