//! Where parameters stand in the engine's flat buffers, and in which order.
//!
//! Outside, parameters have PyTorch's shapes. Inside, kernels want output channels side by side: convolution
//! weights are `[taps, in, out]`, vectors `[channels]`, all channels padded to a multiple of 16 with zeros,
//! which stay zero: their gradients are. Grouped convolutions are stored as dense ones whose entries between
//! groups are zero; [`Layout::clear_between_groups`] keeps their
//! gradients zero.

use crate::kernels::conv_gemm::Weights;
use crate::kernels::optim::Segment;
use crate::memory::Buffer;
use crate::simd::padded;
use dapple_graph::{Graph, Op, ParamId, ParamSpec, Role, State};

/// Place and order of one parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub offset: usize,
    pub len: usize,
    order: Order,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Vector,
    /// `[out, in / groups, taps]` outside.
    Conv {
        out_channels: usize,
        per_group: usize,
        groups: usize,
        taps: usize,
    },
    /// `[in, out, taps]` outside.
    Transposed {
        in_channels: usize,
        out_channels: usize,
        taps: usize,
    },
}

/// Places of all parameters of a network.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub specs: Vec<ParamSpec>,
    places: Vec<Place>,
    pub trainable: usize,
    pub statistics: usize,
}

impl Layout {
    pub fn new(graph: &Graph) -> Self {
        let mut groups = vec![1; graph.params().len()];
        for node in graph.nodes() {
            if let Op::Conv2d { weight, conv, .. } = &node.op {
                groups[weight.0] = conv.groups;
            }
        }
        let (mut trainable, mut statistics) = (0, 0);
        let places = graph.params().iter().zip(groups).map(|(spec, groups)| {
            let taps = spec.shape.iter().skip(2).product();
            let (order, len) = match spec.role {
                Role::ConvWeight => {
                    let (out_channels, per_group) = (spec.shape[0], spec.shape[1]);
                    let order = Order::Conv { out_channels, per_group, groups, taps };
                    (order, taps * padded(per_group * groups) * padded(out_channels))
                }
                Role::ConvTransposeWeight => {
                    let (in_channels, out_channels) = (spec.shape[0], spec.shape[1]);
                    let order = Order::Transposed { in_channels, out_channels, taps };
                    (order, taps * padded(in_channels) * padded(out_channels))
                }
                _ => (Order::Vector, padded(spec.len())),
            };
            let total = if spec.role.trainable() { &mut trainable } else { &mut statistics };
            let offset = *total;
            *total += len;
            Place { offset, len, order }
        });
        let places = places.collect();
        Self { specs: graph.params().to_vec(), places, trainable, statistics }
    }

    pub fn place(&self, id: ParamId) -> Place {
        self.places[id.0]
    }

    /// The extents of a convolution's weights.
    pub fn weights(&self, id: ParamId) -> Weights {
        let Place { offset, order, .. } = self.places[id.0];
        let (taps, ins, outs) = match order {
            Order::Conv { out_channels, per_group, groups, taps } => (taps, per_group * groups, out_channels),
            Order::Transposed { in_channels, out_channels, taps } => (taps, in_channels, out_channels),
            Order::Vector => unreachable!("weights of a convolution have two channel axes"),
        };
        Weights { offset, taps, ins: padded(ins), outs: padded(outs) }
    }

    /// Runs of the trainable buffer for the optimiser.
    pub fn segments(&self) -> Vec<Segment> {
        let trainable = self.specs.iter().zip(&self.places).filter(|(spec, _)| spec.role.trainable());
        trainable
            .map(|(spec, p)| Segment { start: p.offset, len: p.len, weights: spec.role.decays() })
            .collect()
    }

    /// Clears what a dense gradient has between the groups of a grouped convolution.
    pub fn clear_between_groups(&self, id: ParamId, gradients: &mut [f32]) {
        let Place { offset, order: Order::Conv { out_channels, per_group, groups, taps }, .. } =
            self.places[id.0]
        else {
            return;
        };
        let (ins, outs) = (padded(per_group * groups), padded(out_channels));
        let outs_per_group = out_channels / groups;
        for tap in 0..taps {
            for i in 0..per_group * groups {
                let row = &mut gradients[offset + (tap * ins + i) * outs..][..outs];
                let own = i / per_group * outs_per_group..(i / per_group + 1) * outs_per_group;
                for (o, v) in row.iter_mut().enumerate() {
                    if !own.contains(&o) {
                        *v = 0.0;
                    }
                }
            }
        }
    }

    /// Copies flat values in PyTorch's order (of the trainable parameters or of the statistics) in.
    pub fn import(&self, trainable: bool, from: &[f32], to: &mut Buffer) {
        let to = to.as_mut_slice();
        to.fill(0.0);
        self.each(trainable, |outside, inside| to[inside] = from[outside]);
    }

    /// Copies values out into PyTorch's order.
    pub fn export(&self, trainable: bool, from: &Buffer) -> Vec<f32> {
        let from = from.as_slice();
        let specs = self.specs.iter().filter(|s| s.role.trainable() == trainable);
        let mut to = vec![0.0; specs.map(ParamSpec::len).sum()];
        self.each(trainable, |outside, inside| to[outside] = from[inside]);
        to
    }

    /// All pairs of an index outside and its place inside.
    fn each(&self, trainable: bool, mut f: impl FnMut(usize, usize)) {
        for (spec, place) in self.specs.iter().zip(&self.places) {
            if spec.role.trainable() != trainable {
                continue;
            }
            let (outer, inner) = (spec.offset, place.offset);
            match place.order {
                Order::Vector => (0..spec.len()).for_each(|i| f(outer + i, inner + i)),
                Order::Conv { out_channels, per_group, groups, taps } => {
                    let (ins, outs) = (padded(per_group * groups), padded(out_channels));
                    for o in 0..out_channels {
                        let first = o / (out_channels / groups) * per_group;
                        for i in 0..per_group {
                            for tap in 0..taps {
                                let outside = outer + (o * per_group + i) * taps + tap;
                                f(outside, inner + (tap * ins + first + i) * outs + o);
                            }
                        }
                    }
                }
                Order::Transposed { in_channels, out_channels, taps } => {
                    let (ins, outs) = (padded(in_channels), padded(out_channels));
                    for i in 0..in_channels {
                        for o in 0..out_channels {
                            for tap in 0..taps {
                                let outside = outer + (i * out_channels + o) * taps + tap;
                                f(outside, inner + (tap * ins + i) * outs + o);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Whether a state is of this network.
    pub fn fits(&self, state: &State) -> bool {
        let same =
            |a: &ParamSpec, b: &ParamSpec| a.name == b.name && a.shape == b.shape && a.offset == b.offset;
        self.specs.len() == state.specs.len()
            && self.specs.iter().zip(&state.specs).all(|(a, b)| same(a, b))
            && state.values.len() == self.outer_len(true)
            && state.statistics.len() == self.outer_len(false)
    }

    /// Values of the flat buffers outside.
    pub fn outer_len(&self, trainable: bool) -> usize {
        self.specs.iter().filter(|s| s.role.trainable() == trainable).map(ParamSpec::len).sum()
    }
}
