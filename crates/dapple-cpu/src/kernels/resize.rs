//! Resampling: nearest, bilinear, and average pooling of both kinds; separable, from tables made once.

use super::kernel::{Backward, Kernel, Memory, Visit};
use super::operand::{Operand, OutBlock, Source, Target};
use crate::memory::Base;
use crate::parallel;
use crate::simd::{Level, Simd, simd_fn};
use dapple_graph::{AvgPool, Interpolation, Shape};
use std::ops::Range;

/// For each output position the source positions and weights that make it.
type Samples = Vec<Vec<(usize, f32)>>;

/// Two source positions and their weights; the second is the first again, with a weight of 0, where one is enough.
#[derive(Clone, Copy, Debug)]
struct Pair {
    at: [usize; 2],
    weight: [f32; 2],
}

fn pairs(samples: &Samples) -> Option<Vec<Pair>> {
    let pair = |parts: &Vec<(usize, f32)>| match parts[..] {
        [(at, weight)] => Some(Pair { at: [at, at], weight: [weight, 0.0] }),
        [(first, a), (second, b)] => Some(Pair { at: [first, second], weight: [a, b] }),
        _ => None,
    };
    samples.iter().map(pair).collect()
}

/// [`Samples`] one behind the other, for the loops that read them.
#[derive(Clone, Debug)]
struct Table {
    /// Where each output position's begin, and where the last one's end.
    starts: Vec<usize>,
    parts: Vec<(usize, f32)>,
}

impl Table {
    fn new(samples: &Samples) -> Self {
        let mut starts = vec![0];
        let mut parts = Vec::new();
        for these in samples {
            parts.extend(these);
            starts.push(parts.len());
        }
        Self { starts, parts }
    }

    #[inline(always)]
    fn of(&self, position: usize) -> &[(usize, f32)] {
        &self.parts[self.starts[position]..self.starts[position + 1]]
    }
}

/// The tables of a resampling.
#[derive(Clone, Debug)]
pub(crate) struct Resize {
    source: Shape,
    target: Shape,
    /// Of rows and of columns.
    tables: [Table; 2],
    /// The same where no position is made of more than two, as in any upsampling.
    pairs: Option<[Vec<Pair>; 2]>,
    /// Whether it averages, for tables.
    average: bool,
}

fn samples(from: usize, to: usize, interpolation: Interpolation) -> Samples {
    (0..to)
        .map(|i| {
            let position = match interpolation {
                Interpolation::Nearest => return vec![(i * from / to, 1.0)],
                Interpolation::Bilinear { align_corners: true } => {
                    if to > 1 {
                        (i * (from - 1)) as f64 / (to - 1) as f64
                    } else {
                        0.0
                    }
                }
                Interpolation::Bilinear { align_corners: false } => {
                    ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0)
                }
            };
            let low = (position.floor() as usize).min(from - 1);
            let weight = (position - low as f64) as f32;
            if low + 1 < from && weight > 0.0 {
                vec![(low, 1.0 - weight), (low + 1, weight)]
            } else {
                vec![(low, 1.0)]
            }
        })
        .collect()
}

/// The windows of adaptive average pooling.
fn means(from: usize, to: usize) -> Samples {
    (0..to)
        .map(|i| {
            let window = i * from / to..((i + 1) * from).div_ceil(to);
            let weight = 1.0 / window.len() as f32;
            window.map(|source| (source, weight)).collect()
        })
        .collect()
}

/// The windows of average pooling with windows of one size, along an axis.
fn sliding(from: usize, to: usize, pool: &AvgPool, axis: usize) -> Samples {
    let (kernel, stride, padding) = (pool.kernel[axis], pool.stride[axis], pool.padding[axis]);
    let weight = 1.0 / kernel as f32;
    (0..to)
        .map(|i| {
            // Positions in the padding add zeros.
            let inside = |place: usize| place.saturating_sub(padding).min(from);
            (inside(i * stride)..inside(i * stride + kernel)).map(|source| (source, weight)).collect()
        })
        .collect()
}

/// For each source position the output positions that it goes into.
fn turned(table: &Table, from: usize) -> Samples {
    let mut turned = vec![Vec::new(); from];
    for i in 0..table.starts.len() - 1 {
        for &(source, weight) in table.of(i) {
            turned[source].push((i, weight));
        }
    }
    turned
}

impl Resize {
    /// From `source` to `target`, which differ in height and width only.
    pub fn new(source: Shape, target: Shape, interpolation: Interpolation) -> Self {
        let rows = samples(source.h, target.h, interpolation);
        let columns = samples(source.w, target.w, interpolation);
        Self::from_samples(source, target, rows, columns, false)
    }

    /// Means over the windows of adaptive average pooling.
    pub fn average(source: Shape, target: Shape) -> Self {
        let (rows, columns) = (means(source.h, target.h), means(source.w, target.w));
        Self::from_samples(source, target, rows, columns, true)
    }

    /// Means over windows of one size.
    pub fn mean(source: Shape, target: Shape, pool: &AvgPool) -> Self {
        let rows = sliding(source.h, target.h, pool, 0);
        let columns = sliding(source.w, target.w, pool, 1);
        Self::from_samples(source, target, rows, columns, true)
    }

    fn from_samples(source: Shape, target: Shape, rows: Samples, columns: Samples, average: bool) -> Self {
        let pairs = pairs(&rows).zip(pairs(&columns)).map(|(rows, columns)| [rows, columns]);
        let tables = [Table::new(&rows), Table::new(&columns)];
        Self { source, target, tables, pairs, average }
    }

    /// The gradient of the source from that of the target: also a sum of samples.
    fn gradient(&self) -> Self {
        let [rows, columns] = &self.tables;
        let (rows, columns) = (turned(rows, self.source.h), turned(columns, self.source.w));
        Self::from_samples(self.target, self.source, rows, columns, self.average)
    }
}

/// Writes (or adds) the resampled values, or gradients.
#[derive(Clone, Debug)]
pub(crate) struct Resample {
    pub resize: Resize,
    pub from: Operand,
    pub to: Target,
}

impl Kernel for Resample {
    fn name(&self) -> &'static str {
        if self.resize.average { "average pool" } else { "resize" }
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let (arena, Self { resize, from, to }) = (memory.arena, self);
        // A task is part of a row, so that upsampling's gradient, with few rows of much work, is spread too.
        let parts = resize.target.w.div_ceil(32);
        let rows = resize.target.n * resize.target.h;
        // Few targets of many sources, such as a mean of all: channels are spread as well.
        let chunks = if rows * parts < 16 { to.blocks.len().div_ceil(4) } else { 1 };
        parallel::for_each(rows * parts * chunks, |task| {
            let (task, chunk) = (task / chunks, task % chunks);
            let columns = parallel::run(resize.target.w, parts, task % parts);
            let blocks = parallel::run(to.blocks.len(), chunks, chunk);
            // SAFETY: each task writes its own channels of its own part of a row.
            unsafe { resize_row(level, resize, arena, from, to, task / parts, columns, blocks) }
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

impl Backward for Resample {
    fn backward(&self, gradient: Operand, to: Option<Target>) -> Option<Box<dyn Kernel>> {
        Some(Box::new(Self { resize: self.resize.gradient(), from: gradient, to: to? }))
    }
}

simd_fn! {
    /// # Safety
    /// No other task may write these channel blocks of these columns of this row.
    resize_row = resize_impl(
        resize: &Resize,
        arena: Base,
        from: &Operand,
        to: &Target,
        row: usize,
        columns: Range<usize>,
        blocks: Range<usize>,
    )
}

/// Blocks whose values are read together, so that cache lines side by side are used side by side, and weights once.
const BLOCKS: usize = 4;

#[inline(always)]
unsafe fn resize_impl<S: Simd>(
    resize: &Resize,
    arena: Base,
    from: &Operand,
    to: &Target,
    row: usize,
    columns: Range<usize>,
    blocks: Range<usize>,
) {
    let groups = from.blocks[blocks.clone()].chunks(BLOCKS).zip(to.blocks[blocks].chunks(BLOCKS));
    for (sources, targets) in groups {
        // SAFETY: passed on.
        unsafe {
            let first = sources[0].source::<S>(arena, resize.source.pixels());
            let mut group = Group { values: [first; BLOCKS], outs: [std::ptr::null_mut(); BLOCKS], targets };
            let mut plain = true;
            for (i, (block, out)) in sources.iter().zip(targets).enumerate() {
                group.values[i] = block.source::<S>(arena, resize.source.pixels());
                group.outs[i] = out.address(arena, resize.target.pixels());
                plain &= group.values[i].plain();
            }
            match (targets.len(), plain) {
                (1, true) => group.row::<1, true>(resize, row, columns.clone()),
                (2, true) => group.row::<2, true>(resize, row, columns.clone()),
                (3, true) => group.row::<3, true>(resize, row, columns.clone()),
                (_, true) => group.row::<4, true>(resize, row, columns.clone()),
                (1, false) => group.row::<1, false>(resize, row, columns.clone()),
                (2, false) => group.row::<2, false>(resize, row, columns.clone()),
                (3, false) => group.row::<3, false>(resize, row, columns.clone()),
                (_, false) => group.row::<4, false>(resize, row, columns.clone()),
            }
        }
    }
}

/// Blocks that are resampled together.
struct Group<'a, S: Simd> {
    values: [Source<S>; BLOCKS],
    outs: [*mut f32; BLOCKS],
    targets: &'a [OutBlock],
}

impl<S: Simd> Group<'_, S> {
    /// Makes `columns` of row `row`, counted over all images, of the first `N` blocks, which are all.
    #[inline(always)]
    unsafe fn row<const N: usize, const PLAIN: bool>(
        &self,
        resize: &Resize,
        row: usize,
        columns: Range<usize>,
    ) {
        let (source, target) = (resize.source, resize.target);
        let (n, y) = (row / target.h, row % target.h);
        // SAFETY: the tables hold positions inside the source; rows are below their number.
        unsafe {
            for x in columns {
                let sums = match &resize.pairs {
                    Some([rows, columns]) => self.pair::<N, PLAIN>(source, n, &rows[y], &columns[x]),
                    None => {
                        let [rows, columns] = &resize.tables;
                        self.sum::<N, PLAIN>(source, n, rows.of(y), columns.of(x))
                    }
                };
                for i in 0..N {
                    let p = self.outs[i].add((row * target.w + x) * self.targets[i].stride);
                    let v = if self.targets[i].accumulate { S::add(S::load(p), sums[i]) } else { sums[i] };
                    S::store(p, v);
                }
            }
        }
    }

    /// A value of each block, made of two by two.
    #[inline(always)]
    unsafe fn pair<const N: usize, const PLAIN: bool>(
        &self,
        source: Shape,
        n: usize,
        rows: &Pair,
        columns: &Pair,
    ) -> [S::V; N] {
        let (top, bottom) = ((n * source.h + rows.at[0]) * source.w, (n * source.h + rows.at[1]) * source.w);
        let [left, right] = columns.at;
        // SAFETY: the caller's promise.
        unsafe {
            let (down, across) = (rows.weight, columns.weight);
            let mut sums = [S::splat(0.0); N];
            for i in 0..N {
                let upper = S::mul(S::splat(across[0]), self.read::<PLAIN>(i, top + left));
                let upper = S::fma(S::splat(across[1]), self.read::<PLAIN>(i, top + right), upper);
                let lower = S::mul(S::splat(across[0]), self.read::<PLAIN>(i, bottom + left));
                let lower = S::fma(S::splat(across[1]), self.read::<PLAIN>(i, bottom + right), lower);
                sums[i] = S::fma(S::splat(down[1]), lower, S::mul(S::splat(down[0]), upper));
            }
            sums
        }
    }

    /// A value of each block, made of any number.
    #[inline(always)]
    unsafe fn sum<const N: usize, const PLAIN: bool>(
        &self,
        source: Shape,
        n: usize,
        rows: &[(usize, f32)],
        columns: &[(usize, f32)],
    ) -> [S::V; N] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [S::splat(0.0); N];
            for &(y, down) in rows {
                let line = (n * source.h + y) * source.w;
                let mut along = [S::splat(0.0); N];
                for &(x, across) in columns {
                    let across = S::splat(across);
                    for i in 0..N {
                        along[i] = S::fma(across, self.read::<PLAIN>(i, line + x), along[i]);
                    }
                }
                for i in 0..N {
                    sums[i] = S::fma(S::splat(down), along[i], sums[i]);
                }
            }
            sums
        }
    }

    /// The value of a pixel of block `i`; `PLAIN` where those of all blocks are stored as they are read.
    #[inline(always)]
    unsafe fn read<const PLAIN: bool>(&self, i: usize, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { if PLAIN { self.values[i].raw(pixel) } else { self.values[i].get(pixel) } }
    }
}
