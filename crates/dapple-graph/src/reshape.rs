//! The shapes of a graph's maps for another input.

use crate::ops::Sizing;
use crate::{Graph, GraphError, Node, Op, Shape};

impl Graph {
    /// The shape of each node's output if the same operations read an input of another batch, height and width.
    ///
    /// # Errors
    /// If the input has other channels, or an operation does not fit the maps that it would get.
    pub fn shapes_for(&self, input: Shape) -> Result<Vec<Shape>, GraphError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let shape = self.shape_for(node, input, &shapes)?;
            shapes.push(shape.with_channels(node.shape.c));
        }
        Ok(shapes)
    }

    /// The shape of one node's output; channels do not count. `shapes` are those of all nodes before it.
    fn shape_for(&self, node: &Node, input: Shape, shapes: &[Shape]) -> Result<Shape, GraphError> {
        let of = |index: usize| shapes[node.inputs[index].0];
        let bad = |shape: Shape, why: &str| {
            let (op, name) = (node.op.kind(), node.name.clone());
            GraphError::Invalid { op, name, shape, why: why.into() }
        };
        let sized = |size: Option<[usize; 2]>| match size {
            Some([h, w]) => Ok(of(0).with_size(h, w)),
            None => Err(bad(of(0), "too small for this operation; use a larger image")),
        };
        let like = |shape: Shape| of(0).with_size(shape.h, shape.w);
        let fits = |fit: bool, why: &str| if fit { Ok(()) } else { Err(bad(of(0), why)) };
        match &node.op {
            Op::Input if input.c != node.shape.c => {
                return Err(bad(input, "the input must have the channels that the graph was built for"));
            }
            Op::MaxUnpool { pool } => {
                fits(of(0) == shapes[pool.0], "the input must have the shape of the pooling's output")?;
            }
            Op::Concat => {
                let same = |other: usize| of(other).with_channels(1) == of(0).with_channels(1);
                fits((0..node.inputs.len()).all(same), "batch, height and width must be equal")?;
            }
            Op::Add => fits(of(0) == of(1), "the shapes must be equal")?,
            Op::Mul => {
                let gate = of(0).with_size(1, 1) == of(1);
                let why = "the second factor must have this shape or one pixel an image";
                fits(gate || of(0) == of(1), why)?;
            }
            Op::Attention { .. } => {
                fits(of(1) == of(2) && of(1).n == of(0).n, "keys and values must have one shape")?;
            }
            _ => {}
        }
        let size = |index: usize| [of(index).h, of(index).w];
        match node.op.sizing() {
            Sizing::Input => Ok(input),
            Sizing::Kept | Sizing::Equal => Ok(of(0)),
            Sizing::Conv2d(conv) => sized(conv.output_size(size(0))),
            Sizing::ConvTranspose2d(conv) => sized(conv.output_size(size(0))),
            Sizing::MaxPool(pool) => sized(pool.output_size(size(0))),
            Sizing::AvgPool(pool) => sized(pool.output_size(size(0))),
            Sizing::Like(id) => Ok(like(shapes[id.0])),
            Sizing::LikeInputOf(id) => Ok(like(shapes[self.node(id).inputs[0].0])),
            Sizing::Times(factor) => Ok(of(0).with_size(of(0).h * factor, of(0).w * factor)),
            Sizing::Fixed => Ok(like(node.shape)),
        }
    }
}
