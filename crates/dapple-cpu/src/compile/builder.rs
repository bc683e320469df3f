//! The workbench of the forward and the backward pass: steps, and the values and buffers that they work on.

use super::arena;
use crate::kernels::kernel::Kernel;
use crate::kernels::operand::{Block, Operand, Target};
use crate::layout::Layout;
use crate::plan::Step;
use crate::settings::Convolution;
use crate::simd::{LANES, padded};
use dapple_graph::Shape;

pub(super) type ValueId = usize;

/// A feature map as kernels see it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Stored at `offset`, read through batch norm and ReLU.
    Stored { offset: usize, affine: Option<(usize, usize)>, relu: bool },
    /// Maps side by side, all but the last of whole vectors.
    Concat(Vec<ValueId>),
    /// A map that exists in bytes only, which quantized convolutions read and nothing else.
    Bytes,
}

/// Steps with their values and buffers.
pub(super) struct Builder<'a> {
    pub layout: &'a Layout,
    pub convolution: Convolution,
    pub steps: Vec<Step>,
    pub values: Vec<(Shape, Value)>,
    /// Whether a gradient of the value is wanted.
    pub needs: Vec<bool>,
    /// Lengths of the buffers.
    pub buffers: Vec<usize>,
    /// The node whose steps are appended.
    pub node: usize,
}

impl<'a> Builder<'a> {
    pub fn new(layout: &'a Layout, convolution: Convolution) -> Self {
        let (steps, values, needs, buffers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { layout, convolution, steps, values, needs, buffers, node: 0 }
    }

    /// A new buffer's place.
    pub fn buffer(&mut self, len: usize) -> usize {
        self.buffers.push(len.next_multiple_of(LANES));
        arena::place(self.buffers.len() - 1)
    }

    /// A new buffer for a feature map.
    pub fn map(&mut self, shape: Shape) -> usize {
        self.buffer(shape.pixels() * padded(shape.c))
    }

    /// Appends a step.
    pub fn push(&mut self, kernel: impl Kernel + 'static) {
        self.push_boxed(Box::new(kernel));
    }

    /// As [`Builder::push`].
    pub fn push_boxed(&mut self, kernel: Box<dyn Kernel>) {
        self.steps.push(Step { kernel, node: self.node, scratch: None });
    }

    pub fn shape(&self, value: ValueId) -> Shape {
        self.values[value].0
    }

    /// A new value.
    pub fn value(&mut self, shape: Shape, value: Value, needs: bool) -> ValueId {
        self.values.push((shape, value));
        self.needs.push(needs);
        self.values.len() - 1
    }

    /// A new value with a buffer of its own, and how to write it.
    pub fn stored(&mut self, shape: Shape, needs: bool) -> (ValueId, Target) {
        let offset = self.map(shape);
        (
            self.value(shape, Value::Stored { offset, affine: None, relu: false }, needs),
            Target::stored(shape, offset),
        )
    }

    /// How kernels read a value.
    pub fn operand(&self, value: ValueId) -> Operand {
        let (shape, value) = &self.values[value];
        match value {
            Value::Stored { offset, affine, relu } => {
                let mut operand = Operand::stored(*shape, *offset);
                for (b, block) in operand.blocks.iter_mut().enumerate() {
                    block.affine = affine.map(|(scale, shift)| (scale + b * LANES, shift + b * LANES));
                    block.relu = *relu;
                }
                operand
            }
            Value::Concat(parts) => {
                let blocks: Vec<Block> = parts.iter().flat_map(|&p| self.operand(p).blocks).collect();
                Operand { shape: *shape, blocks }
            }
            Value::Bytes => unreachable!("bytes are read by quantized convolutions only"),
        }
    }

    /// The place of a stored value's first pixel.
    ///
    /// # Panics
    /// If it is not stored.
    pub fn offset(&self, value: ValueId) -> usize {
        match self.values[value].1 {
            Value::Stored { offset, .. } => offset,
            Value::Concat(_) | Value::Bytes => unreachable!("asked of stored values only"),
        }
    }

    /// Whether a value is stored as it is read.
    pub fn is_plain(&self, value: ValueId) -> bool {
        matches!(self.values[value].1, Value::Stored { affine: None, relu: false, .. })
    }
}
