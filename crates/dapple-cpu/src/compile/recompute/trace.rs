//! The steps of a draft as the search sees them.

use crate::compile::arena;
use crate::compile::draft::Draft;
use crate::simd::LANES;
use dapple_graph::Graph;
use dapple_graph::summary::node_multiply_adds;

/// Buffers smaller than the whole divided by this are not worth dropping.
const SMALL: usize = 4096;

/// Moments of a pass in order: the input's arrival, the forward steps, the loss, the backward steps, and the end.
pub(super) struct Trace {
    pub moments: Vec<Moment>,
    pub buffers: Vec<Buffer>,
    /// The moment of the loss.
    pub loss: usize,
}

/// A moment of a pass.
#[derive(Default)]
pub(super) struct Moment {
    /// Its step in the draft; none at the input's arrival, the loss and the end.
    pub step: Option<usize>,
    /// The buffers that it touches, each once.
    pub touched: Vec<usize>,
    /// Those of them that it makes and that can be dropped.
    pub makes: Vec<usize>,
    /// Values of its scratch memory for all threads together, rounded up to whole vectors.
    pub shared: usize,
    /// Values of its scratch memory, of all threads.
    pub scratch: usize,
    /// About in multiply-adds.
    pub work: u64,
}

/// A buffer of the draft.
#[derive(Default)]
pub(super) struct Buffer {
    pub len: usize,
    /// The moments that make it, in order; none if it must not be dropped.
    pub makers: Vec<usize>,
    /// The moments that touch it, in order.
    pub uses: Vec<usize>,
    /// Whether a step that may be repeated touches it.
    pub feeds: bool,
    /// Buffers that can be dropped and that its makers read.
    pub inputs: Vec<usize>,
    /// Buffers that can be dropped and whose makers read it.
    pub readers: Vec<usize>,
}

impl Trace {
    pub fn of(draft: &mut Draft, graph: &Graph, threads: usize) -> Self {
        let forward = draft.forward;
        let mut moments: Vec<Moment> = (0..draft.steps.len() + 3).map(|_| Moment::default()).collect();
        let buffers: Vec<Buffer> =
            draft.buffers.iter().map(|&len| Buffer { len, ..Buffer::default() }).collect();
        for (i, step) in draft.steps.iter_mut().enumerate() {
            let moment = &mut moments[if i < forward { i + 1 } else { i + 2 }];
            moment.step = Some(i);
            step.kernel.visit(&mut |place| moment.touched.push(arena::buffer(*place)));
            let scratch = step.kernel.scratch();
            moment.shared = scratch.shared.next_multiple_of(LANES);
            moment.scratch = moment.shared + threads * scratch.local;
            if i < forward {
                moment.makes = step.kernel.makes().into_iter().map(arena::buffer).collect();
                moment.makes.sort_unstable();
                moment.makes.dedup();
                let values: usize = moment.makes.iter().map(|&made| draft.buffers[made]).sum();
                let products = if step.kernel.multiplies() {
                    node_multiply_adds(graph, &graph.nodes()[step.node])
                } else {
                    0
                };
                // Reading and writing a value takes about as long as some products.
                moment.work = products + 16 * values as u64;
            }
        }
        let end = moments.len() - 1;
        let places = draft.outputs.iter().map(|(_, place)| *place);
        moments[0].touched.push(arena::buffer(draft.input));
        moments[forward + 1].touched.extend(places.map(arena::buffer));
        for target in &mut draft.output_gradients {
            target.visit(&mut |place| moments[forward + 1].touched.push(arena::buffer(*place)));
        }
        moments[end].touched.extend(draft.input_gradient.map(arena::buffer));
        let mut trace = Self { moments, buffers, loss: forward + 1 };
        trace.find_uses();
        trace.find_makers();
        trace
    }

    fn find_uses(&mut self) {
        for (m, moment) in self.moments.iter_mut().enumerate() {
            moment.touched.sort_unstable();
            moment.touched.dedup();
            moment.touched.iter().for_each(|&buffer| self.buffers[buffer].uses.push(m));
        }
    }

    /// What can be dropped: all that steps make, but the input, the outputs and what is small. Buffers that one step makes
    /// must have all their makers in common, so that they are whole again together.
    fn find_makers(&mut self) {
        let total: usize = self.buffers.iter().map(|buffer| buffer.len).sum();
        let mut makers: Vec<Vec<usize>> = vec![Vec::new(); self.buffers.len()];
        for (m, moment) in self.moments.iter().enumerate() {
            moment.makes.iter().for_each(|&made| makers[made].push(m));
        }
        let stays = |buffer: usize| {
            let fixed = [0, self.loss].iter().any(|&m| self.moments[m].touched.contains(&buffer));
            let apart =
                |&m: &usize| self.moments[m].makes.iter().any(|&other| makers[other] != makers[buffer]);
            fixed || self.buffers[buffer].len * SMALL < total || makers[buffer].iter().any(apart)
        };
        let staying: Vec<bool> = (0..self.buffers.len()).map(stays).collect();
        for moment in &mut self.moments {
            moment.makes.retain(|&made| !staying[made]);
        }
        for (buffer, makers) in makers.into_iter().enumerate().filter(|(buffer, _)| !staying[*buffer]) {
            let touched = makers.iter().flat_map(|&m| self.moments[m].touched.iter().copied());
            let mut inputs: Vec<usize> = touched.collect();
            inputs.sort_unstable();
            inputs.dedup();
            inputs.iter().for_each(|&input| self.buffers[input].feeds = true);
            let makes = |input: &usize| makers.iter().any(|&m| self.moments[m].makes.contains(input));
            inputs.retain(|input| !staying[*input] && !makes(input));
            self.buffers[buffer].makers = makers;
            self.buffers[buffer].inputs = inputs;
        }
        for buffer in 0..self.buffers.len() {
            for input in self.buffers[buffer].inputs.clone() {
                self.buffers[input].readers.push(buffer);
            }
        }
    }
}
