//! The weight gradient of a convolution of any kernel, forward or transposed: products of gathered rows with rows of
//! points.

use super::gemm::{Batch, PANEL, Product, product};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::lattice::{Dense, Lattice, gather_rows, gathered_channels};
use super::operand::Operand;
use super::reduce::sum_parts_strided;
use super::weights::Weights;
use crate::memory::Base;
use crate::parallel;
use crate::simd::{LANES, Level, Simd, simd_fn};
use std::ops::Range;

/// The planned gradient of a (transposed) convolution's weights.
#[derive(Clone, Debug)]
pub(crate) struct GemmWeights {
    /// The map whose rows are gathered: the input of a convolution, the output gradient of a transposed one.
    pub gathered: Operand,
    /// The map that is read point by point: the output gradient of a convolution, the input of a transposed one.
    pub points: Operand,
    pub lattice: Lattice,
    /// Where the gradient stands in the gradient buffer.
    pub weights: Weights,
    /// Whether the points' channels are the weights' input channels (transposed convolution).
    pub points_are_inputs: bool,
}

impl Kernel for GemmWeights {
    fn name(&self) -> &'static str {
        "conv weight gradient"
    }

    fn multiplied(&self) -> u64 {
        1
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let gradients = memory.gradients();
        let Memory { arena, shared, local, accumulate, .. } = *memory;
        let (group, need, parts) = (self.group(), self.thread_scratch(), self.parts());
        let (gathered_row, point_row) = (self.gathered_row(), self.point_row());
        let channels = self.channels();
        // SAFETY: the copy has its place behind the sums, and is made before anything reads it.
        let dense = (self.dense() > 0).then(|| unsafe {
            Dense::copy(level, &self.gathered, arena, channels, shared, parts * self.len())
        });
        parallel::for_each(parts, |part| {
            let points = parallel::run(self.lattice.points(), parts, part);
            let scratch = local.at(parallel::thread() * need, need);
            let sums = shared.at(part * self.len(), self.len());
            // SAFETY: the scratch is this thread's, the sums this task's.
            unsafe {
                let g = scratch;
                let d = scratch.add(group * gathered_row + LANES);
                for start in points.clone().step_by(group) {
                    let now = start..points.end.min(start + group);
                    gather_rows(level, &self.lattice, &self.gathered, dense, arena, now.clone(), channels, g);
                    read_points(level, &self.lattice, &self.points, arena, now.clone(), d);
                    let (taps, rows, row) = if self.points_are_inputs {
                        (self.lattice.taps.len(), point_row, channels)
                    } else {
                        (1, gathered_row, point_row)
                    };
                    for tap in 0..taps {
                        for column in (0..row).step_by(PANEL) {
                            let width = PANEL.min(row - column);
                            let common = Product {
                                a: g,
                                a_row: 1,
                                a_depth: gathered_row,
                                b: d.add(column),
                                b_depth: point_row,
                                c: sums.add((column * taps + tap * width) * rows),
                                c_row: width,
                                rows,
                                depth: now.len(),
                                vectors: width / LANES,
                                accumulate: start > points.start,
                                batch: Batch::ONE,
                            };
                            let p = if self.points_are_inputs {
                                Product {
                                    a: d,
                                    a_depth: point_row,
                                    b: g.add(tap * channels + column),
                                    b_depth: gathered_row,
                                    ..common
                                }
                            } else {
                                common
                            };
                            product(level, &p);
                        }
                    }
                }
            }
        });
        if self.points_are_inputs || channels == self.weights.ins {
            let len = self.len();
            sum_parts_strided(level, shared, 0, len, parts, len, gradients, self.weights.offset, accumulate);
            return;
        }
        // Maps of a few channels were gathered without their padding.
        for column in (0..point_row).step_by(PANEL) {
            let rows = channels * self.weights.width(column);
            for tap in 0..self.weights.taps {
                let from = column * gathered_row + tap * rows;
                let to = self.weights.offset + self.weights.at(tap, 0, column);
                sum_parts_strided(level, shared, from, self.len(), parts, rows, gradients, to, accumulate);
            }
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch { shared: self.shared_scratch(), local: self.thread_scratch() }
    }

    fn visit(&mut self, f: Visit) {
        self.gathered.visit(f);
        self.points.visit(f);
    }

    fn writes_gradients(&self) -> Vec<usize> {
        vec![self.weights.offset]
    }
}

impl GemmWeights {
    /// Channels gathered for each tap. As columns of the product they must be whole vectors.
    fn channels(&self) -> usize {
        if self.points_are_inputs {
            self.gathered.blocks.len() * LANES
        } else {
            gathered_channels(&self.gathered)
        }
    }

    fn gathered_row(&self) -> usize {
        self.lattice.taps.len() * self.channels()
    }

    fn point_row(&self) -> usize {
        self.points.blocks.len() * LANES
    }

    /// Points whose rows are gathered at a time.
    fn group(&self) -> usize {
        ((256 << 10) / (self.gathered_row() + self.point_row())).clamp(32, 512)
    }

    fn len(&self) -> usize {
        self.gathered_row() * self.point_row()
    }

    fn parts(&self) -> usize {
        let by_work = self.lattice.points().div_ceil(self.group());
        let by_memory = ((4 << 20) / self.len()).max(2);
        by_work.min(by_memory).clamp(1, 16)
    }

    /// Values of shared scratch memory.
    fn shared_scratch(&self) -> usize {
        self.parts() * self.len() + self.dense()
    }

    /// Those of the dense copy of the gathered map.
    fn dense(&self) -> usize {
        Dense::len(std::slice::from_ref(&self.lattice), &self.gathered, self.channels())
    }

    /// Values of scratch memory for each thread.
    fn thread_scratch(&self) -> usize {
        self.group() * (self.gathered_row() + self.point_row()) + 2 * LANES
    }
}

simd_fn! {
    /// A row `[channels]` for each point.
    ///
    /// # Safety
    /// The lattice must write `operand`'s map; `to` must be valid for the rows.
    read_points = read_points_impl(lattice: &Lattice, operand: &Operand, arena: Base, points: Range<usize>, to: *mut f32)
}

#[inline(always)]
unsafe fn read_points_impl<S: Simd>(
    lattice: &Lattice,
    operand: &Operand,
    arena: Base,
    points: Range<usize>,
    to: *mut f32,
) {
    // SAFETY: target pixels are inside the map; the rest is the caller's promise.
    unsafe {
        for (row, pixel) in lattice.target_pixels(points).enumerate() {
            for (b, block) in operand.blocks.iter().enumerate() {
                let v = block.source::<S>(arena, operand.shape.pixels()).get(pixel);
                S::store(to.add((row * operand.blocks.len() + b) * LANES), v);
            }
        }
    }
}
