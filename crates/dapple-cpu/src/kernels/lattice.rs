//! Which pixels a convolution of any kernel, stride, dilation and padding reads for which output.
//!
//! Forward, output `i` reads input `i * stride - padding + tap * dilation`. The other way round (gradient of the
//! input, transposed convolution) the outputs fall into `stride x stride` phases; within a phase each tap that
//! belongs to it reads at a fixed distance. Both are a [`Lattice`].

use super::operand::Operand;
use super::pixels::over;
use crate::memory::Base;
use crate::simd::{LANES, Level, Simd, simd_fn};
use dapple_graph::Shape;
use std::ops::Range;

/// One tap of a kernel within a lattice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    /// Added to the point's position times the step.
    pub offset: [isize; 2],
    /// Index in the kernel, row-major.
    pub index: usize,
}

/// A grid of output points and what each reads.
#[derive(Clone, Debug)]
pub(crate) struct Lattice {
    pub images: usize,
    /// Points of an image.
    pub grid: [usize; 2],
    /// Size of the map that is read.
    pub source: [usize; 2],
    /// Distance of the sources of neighbouring points.
    pub source_step: [usize; 2],
    pub taps: Vec<Tap>,
    /// Size of the map that is written.
    pub target: [usize; 2],
    /// Position of the first point there, and the distance between points.
    pub target_start: [usize; 2],
    pub target_step: [usize; 2],
}

/// Kernel, stride, padding and dilation of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

impl Lattice {
    /// The reads of a convolution from `input` to `output`.
    pub fn forward(window: &Window, input: Shape, output: Shape) -> Self {
        let at = |k: usize, axis: usize| (k * window.dilation[axis]) as isize - window.padding[axis] as isize;
        let taps = (0..window.kernel[0] * window.kernel[1])
            .map(|index| Tap {
                offset: [at(index / window.kernel[1], 0), at(index % window.kernel[1], 1)],
                index,
            })
            .collect();
        Self {
            images: input.n,
            grid: [output.h, output.w],
            source: [input.h, input.w],
            source_step: window.stride,
            taps,
            target: [output.h, output.w],
            target_start: [0, 0],
            target_step: [1, 1],
        }
    }

    /// The reads of the transposed convolution from `small` (a convolution's output) to `large` (its input),
    /// one lattice a phase. Phases without taps are there too: their points are zero.
    pub fn transposed(window: &Window, small: Shape, large: Shape) -> Vec<Self> {
        let size = [large.h, large.w];
        let mut phases = Vec::new();
        for py in 0..window.stride[0].min(size[0]) {
            for px in 0..window.stride[1].min(size[1]) {
                let phase = [py, px];
                // The source of point `i` and tap `k` is `(phase + stride i + padding - k dilation) / stride`.
                let offset = |k: usize, axis: usize| {
                    let distance =
                        (phase[axis] + window.padding[axis]) as isize - (k * window.dilation[axis]) as isize;
                    let stride = window.stride[axis] as isize;
                    (distance.rem_euclid(stride) == 0).then_some(distance.div_euclid(stride))
                };
                let taps = (0..window.kernel[0] * window.kernel[1])
                    .filter_map(|index| {
                        let offset =
                            [offset(index / window.kernel[1], 0)?, offset(index % window.kernel[1], 1)?];
                        Some(Tap { offset, index })
                    })
                    .collect();
                phases.push(Self {
                    images: small.n,
                    grid: [0, 1].map(|a| (size[a] - phase[a]).div_ceil(window.stride[a])),
                    source: [small.h, small.w],
                    source_step: [1, 1],
                    taps,
                    target: size,
                    target_start: phase,
                    target_step: window.stride,
                });
            }
        }
        phases
    }

    /// Points of the batch.
    pub fn points(&self) -> usize {
        self.images * self.grid[0] * self.grid[1]
    }

    /// Image, row and column of points, one after the other.
    #[inline]
    pub fn positions(&self, points: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        let (rest, mut x) = (points.start / self.grid[1], points.start % self.grid[1]);
        let (mut n, mut y) = (rest / self.grid[0], rest % self.grid[0]);
        let grid = self.grid;
        // Divisions for the first point only: they take longer than what is done with most points.
        points.map(move |_| {
            let now = (n, y, x);
            x += 1;
            if x == grid[1] {
                (x, y) = (0, y + 1);
                if y == grid[0] {
                    (y, n) = (0, n + 1);
                }
            }
            now
        })
    }

    /// The pixels that points write.
    #[inline]
    pub fn target_pixels(&self, points: Range<usize>) -> impl Iterator<Item = usize> {
        let (start, step, size) = (self.target_start, self.target_step, self.target);
        self.positions(points)
            .map(move |(n, y, x)| (n * size[0] + start[0] + y * step[0]) * size[1] + start[1] + x * step[1])
    }

    /// Whether each point reads the pixel of its own number and no other.
    pub fn in_place(&self) -> bool {
        self.grid == self.source
            && self.source_step == [1, 1]
            && matches!(self.taps[..], [Tap { offset: [0, 0], .. }])
    }

    /// The pixel that a point reads through a tap, if it is inside the map.
    #[inline]
    pub fn source_pixel(&self, (n, y, x): (usize, usize, usize), tap: &Tap) -> Option<usize> {
        let row = ((y * self.source_step[0]) as isize).wrapping_add(tap.offset[0]) as usize;
        let column = ((x * self.source_step[1]) as isize).wrapping_add(tap.offset[1]) as usize;
        // Negative positions have become huge.
        (row < self.source[0] && column < self.source[1])
            .then(|| (n * self.source[0] + row) * self.source[1] + column)
    }
}

/// Channels that a gathered row holds for each tap: all, padded; but of a map of a few channels only those.
pub(crate) fn gathered_channels(operand: &Operand) -> usize {
    if operand.blocks.len() == 1 { operand.shape.c } else { operand.blocks.len() * LANES }
}

simd_fn! {
    /// Writes a row `[taps, channels]` for each point, zero where a tap is outside the map. `channels` is
    /// [`gathered_channels`] or all of them, padded. Sixteen values behind the last row may be overwritten.
    ///
    /// # Safety
    /// The lattice must read `operand`'s map, which must stand at `dense` too if anything does; `to` must be valid for the
    /// rows and sixteen values more.
    pub(crate) gather_rows = gather_rows_impl(
        lattice: &Lattice,
        operand: &Operand,
        dense: Option<Dense>,
        arena: Base,
        points: Range<usize>,
        channels: usize,
        to: *mut f32,
    )
}

#[inline(always)]
unsafe fn gather_rows_impl<S: Simd>(
    lattice: &Lattice,
    operand: &Operand,
    dense: Option<Dense>,
    arena: Base,
    points: Range<usize>,
    channels: usize,
    to: *mut f32,
) {
    if let Some(Dense(from)) = dense {
        // SAFETY: passed on.
        return unsafe { gather_runs::<S>(lattice, from, points, channels, to) };
    }
    /// Blocks whose values are read together, so that cache lines side by side are used side by side.
    const BLOCKS: usize = 4;
    let row = lattice.taps.len() * channels;
    let pixels = operand.shape.pixels();
    // SAFETY: `source_pixel` is inside the map. A block narrower than sixteen channels, which is alone, spills into
    // the next tap or row, which is written afterwards.
    unsafe {
        for (group, blocks) in operand.blocks.chunks(BLOCKS).enumerate() {
            let mut sources = [blocks[0].source::<S>(arena, pixels); BLOCKS];
            for (source, block) in sources.iter_mut().zip(blocks) {
                *source = block.source::<S>(arena, pixels);
            }
            let sources = &sources[..blocks.len()];
            let to = to.add(group * BLOCKS * LANES);
            for (r, position) in lattice.positions(points.clone()).enumerate() {
                for (t, tap) in lattice.taps.iter().enumerate() {
                    let to = to.add(r * row + t * channels);
                    match lattice.source_pixel(position, tap) {
                        Some(pixel) => {
                            for (b, source) in sources.iter().enumerate() {
                                S::store(to.add(b * LANES), source.get(pixel));
                            }
                        }
                        None => {
                            for b in 0..sources.len() {
                                S::store(to.add(b * LANES), S::splat(0.0));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A map of a few channels without the padding of its pixels: `[pixels, channels]`, and sixteen values more.
#[derive(Clone, Copy)]
pub(crate) struct Dense(*const f32);

// SAFETY: only an address; tasks write their own pixels' values, all of them before any task reads.
unsafe impl Send for Dense {}
// SAFETY: as above.
unsafe impl Sync for Dense {}

impl Dense {
    /// Values that the dense copy takes of a map whose points read many of its pixels; none where it would not pay.
    pub fn len(lattices: &[Lattice], operand: &Operand, channels: usize) -> usize {
        let pays = |lattice: &Lattice| lattice.taps_in_a_row().is_some_and(|taps| taps > 1);
        let few = 2 * channels <= LANES && lattices.iter().all(pays);
        if few { operand.shape.pixels() * channels + LANES } else { 0 }
    }

    /// Makes the copy `at` a place of `to`, where [`Dense::len`] is not 0.
    ///
    /// # Safety
    /// Nothing else may use that many values there now, nor write them while the copy is read.
    pub unsafe fn copy(
        level: Level,
        operand: &Operand,
        arena: Base,
        channels: usize,
        to: Base,
        at: usize,
    ) -> Self {
        let pixels = operand.shape.pixels();
        let to = to.at(at, pixels * channels + LANES);
        let start = Dense(to);
        over(pixels, 1, |pixels| {
            // SAFETY: the places were checked; each task writes its own pixels.
            unsafe { copy_dense(level, operand, arena, pixels, channels, start) }
        });
        start
    }
}

impl Lattice {
    /// How many taps read neighbouring pixels of one row, if as many do everywhere.
    fn taps_in_a_row(&self) -> Option<usize> {
        let follows = |pair: &[Tap]| pair[1].offset == [pair[0].offset[0], pair[0].offset[1] + 1];
        let length = 1 + self.taps.windows(2).take_while(|pair| follows(pair)).count();
        let equal = |row: &[Tap]| row.len() == length && row.windows(2).all(follows);
        (!self.taps.is_empty() && self.taps.chunks(length).all(equal)).then_some(length)
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these pixels of the copy.
    copy_dense = copy_dense_impl(operand: &Operand, arena: Base, pixels: Range<usize>, channels: usize, to: Dense)
}

#[inline(always)]
unsafe fn copy_dense_impl<S: Simd>(
    operand: &Operand,
    arena: Base,
    pixels: Range<usize>,
    channels: usize,
    to: Dense,
) {
    // SAFETY: `source` checks the map; the copy has room for each pixel's channels.
    unsafe {
        let source = operand.blocks[0].source::<S>(arena, operand.shape.pixels());
        let mut lanes = [0.0f32; LANES];
        for pixel in pixels {
            S::store(lanes.as_mut_ptr(), source.get(pixel));
            let to = to.0.cast_mut().add(pixel * channels);
            for (k, v) in lanes[..channels].iter().enumerate() {
                *to.add(k) = *v;
            }
        }
    }
}

/// As [`gather_rows`] from a dense copy: neighbouring pixels are one run of values.
#[inline(always)]
unsafe fn gather_runs<S: Simd>(
    lattice: &Lattice,
    from: *const f32,
    points: Range<usize>,
    channels: usize,
    to: *mut f32,
) {
    let length = lattice.taps_in_a_row().unwrap_or(1);
    let [height, width] = lattice.source;
    let run = length * channels;
    // SAFETY: pixels are inside the map, behind whose copy are sixteen values more. The next run overwrites the values that
    // one spills; behind the last row there is room for them.
    unsafe {
        let mut to = to;
        for (n, y, x) in lattice.positions(points) {
            for taps in lattice.taps.chunks(length) {
                let [down, right] = taps[0].offset;
                let row = ((y * lattice.source_step[0]) as isize).wrapping_add(down) as usize;
                let column = ((x * lattice.source_step[1]) as isize).wrapping_add(right);
                if row < height && column >= 0 && column as usize + length <= width {
                    let from = from.add(((n * height + row) * width + column as usize) * channels);
                    for i in (0..run).step_by(LANES) {
                        S::store(to.add(i), S::load(from.add(i)));
                    }
                } else {
                    for (t, tap) in taps.iter().enumerate() {
                        let pixel = lattice.source_pixel((n, y, x), tap);
                        for k in 0..channels {
                            let v = pixel.map_or(0.0, |pixel| *from.add(pixel * channels + k));
                            *to.add(t * channels + k) = v;
                        }
                    }
                }
                to = to.add(run);
            }
        }
    }
}
