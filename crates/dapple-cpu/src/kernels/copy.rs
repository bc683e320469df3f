//! Copies: as they are read, shifted (padding and cropping), of some channels (concatenation), and zeros.

use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, Target};
use super::pixels::{over, zero};
use super::values::{Function, apply};
use crate::memory::Base;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::Shape;
use std::ops::Range;

/// Which pixel of the source each target pixel comes from: `None` for all of them one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub source: Shape,
    pub target: Shape,
    /// Added to a target row and column.
    pub offset: [isize; 2],
}

impl Shift {
    /// Centred padding or cropping from `source` to `target`: `floor(difference / 2)` pixels before.
    pub fn centred(source: Shape, target: Shape) -> Self {
        let before = |from: usize, to: usize| {
            if to >= from { -(((to - from) / 2) as isize) } else { ((from - to) / 2) as isize }
        };
        Self { source, target, offset: [before(source.h, target.h), before(source.w, target.w)] }
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        Self { source: self.target, target: self.source, offset: self.offset.map(|o| -o) }
    }

    #[inline]
    fn source_pixel(&self, pixel: usize) -> Option<usize> {
        let (rest, x) = (pixel / self.target.w, pixel % self.target.w);
        let (n, y) = (rest / self.target.h, rest % self.target.h);
        let (y, x) = ((y as isize + self.offset[0]) as usize, (x as isize + self.offset[1]) as usize);
        // Negative positions have become huge.
        (y < self.source.h && x < self.source.w).then(|| (n * self.source.h + y) * self.source.w + x)
    }
}

/// Writes (or adds) a map's values as they are read, shifted if wanted, with zeros where the source has no pixel.
#[derive(Clone, Debug)]
pub(crate) struct CopyMap {
    pub from: Operand,
    pub to: Target,
    pub shift: Option<Shift>,
}

impl Kernel for CopyMap {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { from, to, shift }) = (memory.arena, self);
        assert_eq!(from.blocks.len(), to.blocks.len());
        over(to.shape.pixels(), to.blocks.len(), |pixels| {
            // SAFETY: pixels are inside both maps; tasks write disjoint pixels.
            unsafe { copy_part(level, arena, from, to, shift.as_ref(), pixels) }
        });
    }

    fn visit(&mut self, f: Visit) {
        self.from.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }
}

impl Backward for CopyMap {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        let shift = self.shift.map(|s| s.inverse());
        Some(Box::new(Self { from: gradient, to: to?, shift }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels.
    copy_part = copy_impl(arena: Base, from: &Operand, to: &Target, shift: Option<&Shift>, pixels: Range<usize>)
}

#[inline(always)]
unsafe fn copy_impl<S: Simd>(
    arena: Base,
    from: &Operand,
    to: &Target,
    shift: Option<&Shift>,
    pixels: Range<usize>,
) {
    // SAFETY: `address` and `source` check the maps; pixels are below their number.
    unsafe {
        let Some(shift) = shift else { return apply::<S, 1>(&Same, arena, [from], to, pixels) };
        for (source, target) in from.blocks.iter().zip(&to.blocks) {
            let source = source.source::<S>(arena, from.shape.pixels());
            let p = target.address(arena, to.shape.pixels());
            for pixel in pixels.clone() {
                let v = match shift.source_pixel(pixel) {
                    Some(pixel) => source.get(pixel),
                    None => S::splat(0.0),
                };
                let p = p.add(pixel * target.stride);
                S::store(p, if target.accumulate { S::add(S::load(p), v) } else { v });
            }
        }
    }
}

struct Same;

impl<S: Simd> Function<S, 1> for Same {
    #[inline(always)]
    unsafe fn of(&self, [v]: [S::V; 1]) -> S::V {
        v
    }
}

/// Copies (or adds) some channels of each pixel of one stored map into another; for concatenations whose parts are not
/// whole vectors.
#[derive(Clone, Debug)]
pub(crate) struct CopyChannels {
    pub pixels: usize,
    pub channels: usize,
    /// Place of the first channel, and the distance between pixels.
    pub from: usize,
    pub from_stride: usize,
    pub to: usize,
    pub to_stride: usize,
    pub accumulate: bool,
}

impl Kernel for CopyChannels {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        let arena = memory.arena;
        over(self.pixels, self.channels.div_ceil(LANES), |pixels| {
            let from = arena.at(self.from, (self.pixels - 1) * self.from_stride + self.channels);
            let to = arena.at(self.to, (self.pixels - 1) * self.to_stride + self.channels);
            for pixel in pixels {
                for channel in 0..self.channels {
                    // SAFETY: both ranges were checked; tasks write disjoint pixels.
                    unsafe {
                        let v = *from.add(pixel * self.from_stride + channel);
                        let p = to.add(pixel * self.to_stride + channel);
                        *p = if self.accumulate { *p + v } else { v };
                    }
                }
            }
        });
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.from);
        f(&mut self.to);
    }

    fn makes(&self) -> Vec<usize> {
        vec![self.to]
    }
}

/// Fills a range of the arena with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Zero {
    pub offset: usize,
    pub len: usize,
}

impl Kernel for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        zero(memory.arena, self.offset, self.len);
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.offset);
    }

    fn makes(&self) -> Vec<usize> {
        vec![self.offset]
    }
}
