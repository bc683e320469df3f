//! An encoder by itself, as a network whose outputs are its feature maps.

use super::encoder::{Encoder, Form, Stride};
use dapple_graph::{Graph, GraphError, Network, Shape};

/// An encoder without a decoder. Its parameters have the names that they have below a decoder of this crate, with the prefix
/// `encoder.`, so that those of a whole network on the encoder can be taken over by their names.
///
/// ```
/// use dapple_graph::{Network, Shape};
/// use dapple_nets::{FeatureMaps, encoder_named};
/// let encoder = FeatureMaps(encoder_named("efficientnet-lite0").expect("one of the encoders"));
/// let graph = encoder.build(Shape::new(1, 64, 96, 3))?;
/// let shapes: Vec<Shape> = graph.outputs().iter().map(|(_, node)| graph.shape(*node)).collect();
/// assert_eq!((shapes.len(), shapes[0].h, shapes[4].w), (5, 32, 3));
/// # Ok::<(), dapple_graph::GraphError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FeatureMaps(pub &'static Encoder);

impl Network for FeatureMaps {
    /// Outputs `[n, h / s, w / s, channels]` at the strides `s` of 2 (where the encoder has such a map), 4, 8, 16 and 32, for an
    /// input `[n, h, w, 3]` of at least 32 x 32.
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let mut g = Graph::new(input);
        let image = g.input();
        let form = Form {
            prefix: "encoder.",
            features: "features.",
            width: self.0.width,
            stride: Stride::Full,
            drop_path: 0.0,
        };
        let features = (self.0.build)(&mut g, image, &form)?;
        for (index, map) in features.all().into_iter().enumerate() {
            if let Some(map) = map {
                g.output(&format!("stride {}", 2 << index), map)?;
            }
        }
        g.prune();
        Ok(g)
    }

    fn example_input(&self) -> Shape {
        Shape::new(1, 256, 256, 3)
    }
}
