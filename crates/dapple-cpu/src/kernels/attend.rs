//! Attention's forward kernel.

use super::attention::{Attention, Left, Right, softmax, times};
use super::kernel::{Kernel, Memory, Scratch, Visit};
use super::operand::Target;
use crate::parallel;
use crate::simd::{Level, padded};

/// Writes the attended values to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Attend {
    pub attention: Attention,
    pub to: Target,
}

impl Kernel for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn run(&self, level: Level, memory: &mut Memory) {
        let Memory { arena, shared, local, .. } = *memory;
        let (a, to) = (&self.attention, &self.to);
        let need = a.scratch().local;
        let [turned_len, rows_len] = a.packed();
        let per_head = turned_len + rows_len;
        parallel::for_each(a.all_heads(), |index| {
            let (head, place) = (a.head(index), shared.at(index * per_head, per_head));
            // SAFETY: each task writes its own head's part.
            unsafe {
                a.pack_turned(arena, &a.k, head, place);
                a.pack_rows(arena, &a.v, head, 0, a.keys(), padded(a.keys()), place.add(turned_len));
            }
        });
        let (pitch, width, block) = (a.pitch(), padded(a.width()), a.block());
        parallel::for_each(a.all_heads() * a.blocks(), |task| {
            let (index, first) = (task / a.blocks(), task % a.blocks() * block);
            let (head, rows) = (a.head(index), block.min(a.queries() - first));
            let packed = shared.at(index * per_head, per_head);
            let weights = local.at(parallel::thread() * need, need);
            // SAFETY: the scratch is this thread's; tasks write disjoint pixels or channels.
            unsafe {
                let result = weights.add(block * pitch);
                let inverses = result.add(block * width);
                let q = a.address(arena, &a.q, head, first);
                a.scores(level, q, padded(a.q.shape.c), packed, rows, weights);
                softmax(level, weights, rows, a.keys(), pitch, a.scale(), inverses);
                let values = Right { at: packed.add(turned_len), row: width, columns: width };
                times(level, Left::rows(weights, pitch), values, result, width, rows, a.keys(), false);
                for r in 0..rows {
                    for i in 0..a.width() {
                        *result.add(r * width + i) *= *inverses.add(r);
                    }
                }
                a.store(arena, to, head, first, rows, result);
            }
        });
    }

    fn scratch(&self) -> Scratch {
        self.attention.scratch()
    }

    fn visit(&mut self, f: Visit) {
        self.attention.visit(f);
        self.to.visit(f);
    }

    fn targets(&self) -> Vec<&Target> {
        vec![&self.to]
    }

    fn multiplies(&self) -> bool {
        true
    }
}
