//! The last steps of a quantized convolution: from sums to numbers, and on to the next maps.

use super::bytes::{ByteMap, Sink};
use super::weights::Packed;
use crate::kernels::kernel::Visit;
use crate::kernels::operand::{Operand, Source, Target};
use crate::kernels::pointwise;
use crate::memory::Base;
use crate::simd::{LANES, Simd};
use dapple_graph::Pointwise;

/// A function of each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// The number itself.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// One that leaves zero zero, as the padding channels must stay.
    Pointwise(Pointwise),
}

/// Kinds of bytes that a kernel writes at most.
pub(crate) const KINDS: usize = 2;

/// The last steps: `function(scale sum + bias)`, plus another map, rectified, to a map of numbers, to maps of
/// bytes, or to both.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub function: Function,
    pub residual: Option<Operand>,
    /// Rectify the sum with the residual.
    pub relu: bool,
    pub output: Option<Target>,
    /// At most [`KINDS`].
    pub bytes: Vec<ByteMap>,
}

impl Ending {
    /// Whether numbers become one map of bytes, rectified at most: most convolutions, whose loops then ask nothing.
    pub fn is_short(&self) -> bool {
        matches!(self.function, Function::Identity | Function::Relu)
            && self.residual.is_none()
            && self.output.is_none()
            && self.bytes.len() == 1
    }

    /// Shows every place to `f`, which may change it.
    pub fn visit(&mut self, f: Visit) {
        self.residual.iter_mut().for_each(|r| r.visit(f));
        self.output.iter_mut().for_each(|o| o.visit(f));
        self.bytes.iter_mut().for_each(|b| f(&mut b.offset));
    }
}

/// An [`Ending`] of sixteen channels, with addresses.
#[derive(Clone, Copy)]
pub(super) struct Finish<S: Simd> {
    scale: S::V,
    bias: S::V,
    /// Zero where the function is ReLU.
    low: S::V,
    function: Function,
    residual: Option<Source<S>>,
    relu: bool,
    out: Option<(*mut f32, usize)>,
    bytes: [Option<Sink<S>>; KINDS],
}

impl<S: Simd> Finish<S> {
    /// For output channels `16 b` and on of a map of `pixels` pixels.
    ///
    /// # Safety
    /// The level of `S` must be there.
    #[inline(always)]
    pub unsafe fn new(ending: &Ending, weights: &Packed, b: usize, pixels: usize, arena: Base) -> Self {
        let channels = b * LANES..(b + 1) * LANES;
        // SAFETY: the slices have sixteen values; `source`, `address` and `Sink` check the maps.
        unsafe {
            Self {
                scale: S::load(weights.scale[channels.clone()].as_ptr()),
                bias: S::load(weights.bias[channels].as_ptr()),
                low: S::splat(if ending.function == Function::Relu { 0.0 } else { f32::NEG_INFINITY }),
                function: ending.function,
                residual: ending.residual.as_ref().map(|r| r.blocks[b].source(arena, pixels)),
                relu: ending.relu,
                out: ending
                    .output
                    .as_ref()
                    .map(|to| (to.blocks[b].address(arena, pixels), to.blocks[b].stride)),
                bytes: [0, 1].map(|kind| ending.bytes.get(kind).map(|map| Sink::new(map, b, arena))),
            }
        }
    }

    /// Finishes a pixel's sums and stores the result; `SHORT` if the ending is. Products and sums are not fused, so
    /// that they round alike at every level.
    ///
    /// # Safety
    /// `pixel` must be inside the map, and no other task may write these channels of it.
    #[inline(always)]
    pub unsafe fn put<const SHORT: bool>(&self, pixel: usize, sums: S::V) {
        // SAFETY: the caller's promise; the addresses were checked for all pixels.
        unsafe {
            let zero = S::splat(0.0);
            let mut y = S::add(S::mul(sums, self.scale), self.bias);
            if SHORT {
                if let Some(bytes) = &self.bytes[0] {
                    bytes.put(pixel, S::max(self.low, y));
                }
                return;
            }
            y = match self.function {
                Function::Identity | Function::Relu => S::max(self.low, y),
                Function::Pointwise(function) => pointwise::of_lanes::<S>(function, y),
            };
            if let Some(residual) = &self.residual {
                y = S::add(y, residual.get(pixel));
            }
            if self.relu {
                y = S::max(zero, y);
            }
            if let Some((out, stride)) = self.out {
                S::store(out.add(pixel * stride), y);
            }
            for bytes in self.bytes.iter().flatten() {
                bytes.put(pixel, y);
            }
        }
    }
}
