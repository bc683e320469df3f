//! The shapes of a graph's maps for another input.

use crate::infer::{avg_pool_size, conv_size, conv_transpose_size, pool_size};
use crate::{Graph, GraphError, Op, Shape};

impl Graph {
    /// The shape of each node's output if the same operations read an input of another batch, height and width.
    ///
    /// # Errors
    /// If the input has other channels, or an operation does not fit the maps that it would get.
    pub fn shapes_for(&self, input: Shape) -> Result<Vec<Shape>, GraphError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let of = |index: usize| shapes[node.inputs[index].0];
            let bad = |left: Shape, why: &str| GraphError::Invalid {
                op: node.op.kind(),
                name: node.name.clone(),
                shape: left,
                why: why.into(),
            };
            let sized = |size: Option<[usize; 2]>| match size {
                Some([h, w]) => Ok(of(0).with_size(h, w)),
                None => Err(bad(of(0), "too small for this operation; use a larger image")),
            };
            let fits = |fit: bool, why: &str| if fit { Ok(()) } else { Err(bad(of(0), why)) };
            let shape = match &node.op {
                Op::Input => {
                    let why = "the input must have the channels that the graph was built for";
                    if input.c != node.shape.c {
                        return Err(bad(input, why));
                    }
                    input
                }
                Op::Conv2d { conv, .. } => sized(conv_size(conv, [of(0).h, of(0).w]))?,
                Op::ConvTranspose2d { conv, .. } => sized(conv_transpose_size(conv, [of(0).h, of(0).w]))?,
                Op::MaxPool(pool) => sized(pool_size(pool, [of(0).h, of(0).w]))?,
                Op::AvgPool(pool) => sized(avg_pool_size(pool, [of(0).h, of(0).w]))?,
                Op::MaxUnpool { pool } => {
                    fits(of(0) == shapes[pool.0], "the input must have the shape of the pooling's output")?;
                    shapes[self.node(*pool).inputs[0].0]
                }
                Op::Resize { like, .. } | Op::FitTo { like } => {
                    of(0).with_size(shapes[like.0].h, shapes[like.0].w)
                }
                Op::Upscale { factor, .. } => of(0).with_size(of(0).h * factor, of(0).w * factor),
                Op::AdaptiveAvgPool => of(0).with_size(node.shape.h, node.shape.w),
                Op::Concat => {
                    let same = |other: &usize| of(*other).with_channels(1) == of(0).with_channels(1);
                    fits((0..node.inputs.len()).all(|i| same(&i)), "batch, height and width must be equal")?;
                    of(0)
                }
                Op::Add => {
                    fits(of(0) == of(1), "the shapes must be equal")?;
                    of(0)
                }
                Op::Mul => {
                    let gate = of(0).with_size(1, 1) == of(1);
                    fits(
                        gate || of(0) == of(1),
                        "the second factor must have this shape or one pixel an image",
                    )?;
                    of(0)
                }
                Op::Attention { .. } => {
                    fits(of(1) == of(2) && of(1).n == of(0).n, "keys and values must have one shape")?;
                    of(0)
                }
                Op::BatchNorm { .. }
                | Op::Relu
                | Op::Pointwise(_)
                | Op::LayerNorm { .. }
                | Op::GroupNorm { .. }
                | Op::Scale { .. }
                | Op::Dropout { .. }
                | Op::DropPath { .. } => of(0),
            };
            shapes.push(shape.with_channels(node.shape.c));
        }
        Ok(shapes)
    }
}
