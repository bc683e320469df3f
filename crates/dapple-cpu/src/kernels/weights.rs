//! The order of a convolution's weights in the parameter buffer.
//!
//! Output channels are cut into panels of [`PANEL`], the last of which may be half as wide; a panel is
//! `[taps, in, width]`. So a product reads its right matrix from one end to the other, and memory (for large kernels
//! it is memory: 38 MB for 1024 x 1024 channels) is read in runs that the processor foresees.

use super::gemm::PANEL;
use super::kernel::{Kernel, Memory, Visit};
use crate::simd::{LANES, Level, padded};
use dapple_graph::Conv2d;

/// The weights of a convolution, forward or transposed, or of one bundle of a grouped one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights {
    /// Where they stand in the parameter buffer, and their gradient in the gradient buffer.
    pub offset: usize,
    pub taps: usize,
    /// Channels, padded.
    pub ins: usize,
    pub outs: usize,
}

impl Weights {
    /// Their number.
    pub fn len(&self) -> usize {
        self.taps * self.ins * self.outs
    }

    /// The columns of the panel that output channel `out` is in.
    #[inline]
    pub fn width(&self, out: usize) -> usize {
        PANEL.min(self.outs - out / PANEL * PANEL)
    }

    /// The place of a weight, counted from the first. Output channels up to the panel's end follow.
    #[inline]
    pub fn at(&self, tap: usize, channel: usize, out: usize) -> usize {
        out / PANEL * PANEL * self.taps * self.ins
            + (tap * self.ins + channel) * self.width(out)
            + out % PANEL
    }

    /// Those of another bundle, if these are of the first.
    pub fn of_bundle(self, index: usize) -> Self {
        Self { offset: self.offset + index * self.len(), ..self }
    }
}

/// Groups of a grouped convolution that are computed together as a dense one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// How many of them the convolution has.
    pub count: usize,
    pub groups: usize,
    /// Input and output channels of a group.
    pub ins: usize,
    pub outs: usize,
}

impl Bundle {
    /// As few groups as fill whole vectors of both input and output channels; all of them where none do.
    pub fn new(conv: &Conv2d, in_channels: usize) -> Self {
        let (ins, outs) = (in_channels / conv.groups, conv.out_channels / conv.groups);
        let fills = |&groups: &usize| {
            conv.groups.is_multiple_of(groups)
                && (groups * ins).is_multiple_of(LANES)
                && (groups * outs).is_multiple_of(LANES)
        };
        let groups = (1..=conv.groups).find(fills).unwrap_or(conv.groups);
        Self { count: conv.groups / groups, groups, ins, outs }
    }

    /// Input and output channels of the dense convolution.
    pub fn channels(&self) -> [usize; 2] {
        [self.groups * self.ins, self.groups * self.outs]
    }

    /// Values of its weights.
    pub fn len(&self, taps: usize) -> usize {
        let [ins, outs] = self.channels();
        taps * padded(ins) * padded(outs)
    }
}

/// Clears the entries between the groups of a grouped convolution in its bundles' dense gradients.
#[derive(Clone, Debug)]
pub(crate) struct ClearBetweenGroups {
    pub bundle: Bundle,
    /// The weights of the first bundle.
    pub first: Weights,
}

impl Kernel for ClearBetweenGroups {
    fn name(&self) -> &'static str {
        "clear between groups"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        let gradients = memory.gradients.as_mut().expect("only training plans clear gradients");
        let (gradients, bundle) = (gradients.as_mut_slice(), &self.bundle);
        let [ins, outs] = bundle.channels();
        for weights in (0..bundle.count).map(|index| self.first.of_bundle(index)) {
            // The padding's gradients are zero already.
            for (tap, i, o) in (0..weights.taps)
                .flat_map(|tap| (0..ins).flat_map(move |i| (0..outs).map(move |o| (tap, i, o))))
                .filter(|(_, i, o)| i / bundle.ins != o / bundle.outs)
            {
                gradients[weights.offset + weights.at(tap, i, o)] = 0.0;
            }
        }
    }

    fn visit(&mut self, _: Visit) {}
}
