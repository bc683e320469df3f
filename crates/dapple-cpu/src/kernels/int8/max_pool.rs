//! Max pooling of bytes. The largest integer is that of the largest number, since rounding keeps the order.

use super::bytes::ByteMap;
use crate::kernels::kernel::{Kernel, Memory, Visit};
use crate::kernels::pool::Pool;
use crate::parallel;
use crate::simd::{LANES, Level, padded};

/// Writes the maximum of each window.
#[derive(Clone, Debug)]
pub(crate) struct MaxPoolBytes {
    /// Without positions.
    pub pool: Pool,
    pub from: ByteMap,
    pub to: ByteMap,
}

impl Kernel for MaxPoolBytes {
    fn name(&self) -> &'static str {
        "int8 max pool"
    }

    fn run(&self, _: Level, memory: &mut Memory) {
        let (arena, Self { pool, from, to }) = (memory.arena, self);
        let (large, small) = (pool.large, pool.small);
        parallel::for_each(small.n * small.h, |row| {
            let (image, y) = (row / small.h, row % small.h);
            let (read, written) = (from.address(arena), to.address(arena));
            for x in 0..small.w {
                for first in (0..padded(small.c)).step_by(LANES) {
                    let mut most = [0u8; LANES];
                    for ky in pool.window(0, y, large.h) {
                        let line = (image * large.h + pool.place(0, y, ky)) * large.w;
                        for kx in pool.window(1, x, large.w) {
                            let pixel = line + pool.place(1, x, kx);
                            // SAFETY: `address` checked the map; windows are cut to it.
                            let values = unsafe {
                                read.add(pixel * from.stride + first).cast::<[u8; LANES]>().read_unaligned()
                            };
                            for i in 0..LANES {
                                most[i] = most[i].max(values[i]);
                            }
                        }
                    }
                    // SAFETY: `address` checked the map; each task writes its own row.
                    unsafe {
                        let to = written.add((row * small.w + x) * to.stride + first);
                        to.cast::<[u8; LANES]>().write_unaligned(most);
                    }
                }
            }
        });
    }

    fn visit(&mut self, f: Visit) {
        f(&mut self.from.offset);
        f(&mut self.to.offset);
    }
}
