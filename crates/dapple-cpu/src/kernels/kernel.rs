//! The trait of all kernels. A kernel is a step's work with the places it works on: plain data that can be copied,
//! printed and tested, which says itself how it runs, which memory it needs and what it reads and writes. Nothing
//! outside of a kernel's own file lists the kernels.

use super::operand::{Operand, Target};
use crate::joint::Joined;
use crate::memory::{Base, Buffer};
use crate::simd::Level;
use dapple_graph::{DropoutState, Pointwise};
use std::fmt::Debug;

/// A function that is shown places in the arena and may change them.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&mut usize);

/// A kernel with its places.
pub(crate) trait Kernel: Duplicate + Debug + Send + Sync {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// Runs on the current thread pool.
    fn run(&self, level: Level, memory: &mut Memory);

    /// Scratch memory that it needs.
    fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    /// Shows every place in the arena that is read or written to `f`.
    fn visit(&mut self, f: Visit);

    /// Feature maps that are written, values or gradients.
    fn targets(&self) -> Vec<&Target> {
        Vec::new()
    }

    /// Of a step of the forward pass: places of the buffers that it writes and could write again, with the same bits.
    /// None for a step that moves running statistics.
    fn makes(&self) -> Vec<usize> {
        self.targets().into_iter().map(|to| to.blocks[0].offset).collect()
    }

    /// Offsets in the gradient buffer of the parameters whose gradients are written.
    fn writes_gradients(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Whether it does its node's multiply-adds (a bundle of a grouped convolution: some of them).
    fn multiplies(&self) -> bool {
        false
    }

    /// How many times over it does its node's multiply-adds (all bundles of a grouped convolution together): in the backward
    /// pass, the gradients of input and weights are as much work as the way forward each.
    fn multiplied(&self) -> u64 {
        u64::from(self.multiplies())
    }

    /// For a kernel that can add another feature map to its output: the output, and the place for the other map.
    fn residual(&mut self) -> Option<(&Target, &mut Option<Operand>)> {
        None
    }

    /// For a kernel that can end with a function of each value, before it adds another map: the output, and the place for
    /// the function, which must keep zero.
    fn ending(&mut self) -> Option<(&Target, &mut Option<Pointwise>)> {
        None
    }
}

/// The way back through an operation with one input.
pub(crate) trait Backward: Debug {
    /// The kernel that makes the gradients of the input and of the operation's parameters, or none if there is nothing
    /// to make. `gradient` is that of the result; `to` is where the input's goes, if it is wanted.
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>>;
}

/// Values of scratch memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scratch {
    /// For all threads together.
    pub shared: usize,
    /// For each thread.
    pub local: usize,
}

/// The buffers that kernels work on.
pub(crate) struct Memory<'a> {
    pub arena: Base,
    pub params: Base,
    pub statistics: Base,
    pub shared: Base,
    pub local: Base,
    /// None outside training.
    pub gradients: Option<&'a mut Buffer>,
    /// Add to the gradients instead of overwriting them.
    pub accumulate: bool,
    /// Of the pass.
    pub dropout: DropoutState,
    /// The ranks whose images are parts of the same batch, in training.
    pub joint: Option<&'a Joined>,
}

impl Memory<'_> {
    /// The gradient buffer.
    ///
    /// # Panics
    /// Outside training, whose plans alone have steps that ask for it.
    pub fn gradients(&mut self) -> Base {
        self.gradients.as_mut().expect("only training plans have steps that need gradients").base()
    }
}

/// Copies of boxed kernels; every kernel that can be cloned has it.
pub(crate) trait Duplicate {
    fn duplicate(&self) -> Box<dyn Kernel>;
}

impl<K: Kernel + Clone + 'static> Duplicate for K {
    fn duplicate(&self) -> Box<dyn Kernel> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Kernel> {
    fn clone(&self) -> Self {
        (**self).duplicate()
    }
}
