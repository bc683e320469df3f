//! Where parameters stand in the engine's flat buffers, and in which order.
//!
//! Outside, parameters have PyTorch's shapes. Inside, kernels want output channels side by side: convolution
//! weights stand in panels of them ([`Weights`]), vectors are `[channels]`, all channels padded to a multiple of 16 with zeros,
//! which stay zero: their gradients are. Depthwise weights are `[taps, channels]`. Other grouped convolutions are stored
//! in bundles of as few groups as fill whole vectors, each a dense convolution whose entries between its groups are
//! zero; [`Layout::clear_between_groups`] keeps their gradients zero.

use crate::kernels::optim::Segment;
use crate::kernels::weights::Weights;
use crate::memory::Buffer;
use crate::simd::{LANES, padded};
use dapple_graph::{Conv2d, Graph, Op, Optimizer, ParamId, ParamSpec, Role};

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
        bundle: Bundle,
        taps: usize,
    },
    /// `[channels, 1, taps]` outside.
    Depthwise {
        channels: usize,
        taps: usize,
    },
    /// `[in, out, taps]` outside.
    Transposed {
        in_channels: usize,
        out_channels: usize,
        taps: usize,
    },
}

/// Groups of a convolution that are computed together as a dense one.
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
    fn len(&self, taps: usize) -> usize {
        let [ins, outs] = self.channels();
        taps * padded(ins) * padded(outs)
    }
}

/// Whether each channel has a kernel of its own, which a kernel of its own computes.
pub(crate) fn depthwise(conv: &Conv2d, in_channels: usize) -> bool {
    conv.groups == in_channels && conv.out_channels == in_channels && in_channels > 1
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
        let mut convs = vec![None; graph.params().len()];
        for node in graph.nodes() {
            if let Op::Conv2d { weight, conv, .. } = &node.op {
                convs[weight.0] = Some(*conv);
            }
        }
        let (mut trainable, mut statistics) = (0, 0);
        let places = graph.params().iter().zip(convs).map(|(spec, conv)| {
            let taps = spec.shape.iter().skip(2).product();
            let (order, len) = match (spec.role, conv) {
                (Role::ConvWeight, Some(conv)) => {
                    let in_channels = spec.shape[1] * conv.groups;
                    if depthwise(&conv, in_channels) {
                        let order = Order::Depthwise { channels: in_channels, taps };
                        (order, taps * padded(in_channels))
                    } else {
                        let bundle = Bundle::new(&conv, in_channels);
                        (Order::Conv { bundle, taps }, bundle.count * bundle.len(taps))
                    }
                }
                (Role::ConvTransposeWeight, _) => {
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

    /// The extents of a convolution's weights: of one of its bundles, or of a transposed one's only one.
    pub fn weights(&self, id: ParamId, index: usize) -> Weights {
        let Place { offset, order, .. } = self.places[id.0];
        let (taps, [ins, outs]) = match order {
            Order::Conv { bundle, taps } => (taps, bundle.channels()),
            Order::Transposed { in_channels, out_channels, taps } => (taps, [in_channels, out_channels]),
            Order::Vector | Order::Depthwise { .. } => {
                unreachable!("asked of convolutions with two channel axes")
            }
        };
        let weights = Weights { offset, taps, ins: padded(ins), outs: padded(outs) };
        Weights { offset: offset + index * weights.len(), ..weights }
    }

    /// Runs of the trainable buffer for the optimiser, with the factor of each parameter's rate.
    pub fn segments(&self, rates: &[f32]) -> Vec<Segment> {
        let all = self.specs.iter().zip(&self.places).zip(rates);
        let trainable = all.enumerate().filter(|(_, ((spec, _), _))| spec.role.trainable());
        trainable
            .map(|(param, ((spec, p), &rate))| Segment {
                start: p.offset,
                len: p.len,
                weights: spec.role.decays(),
                rate,
                param,
            })
            .collect()
    }

    /// Parameters that are matrices to Muon.
    pub fn matrices(&self) -> Vec<usize> {
        (0..self.specs.len()).filter(|&i| Optimizer::is_matrix(&self.specs[i])).collect()
    }

    /// Clears what the dense gradients of a grouped convolution's bundles have between the groups.
    pub fn clear_between_groups(&self, id: ParamId, gradients: &mut [f32]) {
        let Order::Conv { bundle, taps } = self.places[id.0].order else { return };
        let [ins, outs] = bundle.channels();
        for index in 0..bundle.count {
            let weights = self.weights(id, index);
            // What the padding has is zero already.
            for (tap, i, o) in (0..taps)
                .flat_map(|tap| (0..ins).flat_map(move |i| (0..outs).map(move |o| (tap, i, o))))
                .filter(|(_, i, o)| i / bundle.ins != o / bundle.outs)
            {
                gradients[weights.offset + weights.at(tap, i, o)] = 0.0;
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
        for (id, (spec, place)) in self.specs.iter().zip(&self.places).enumerate() {
            if spec.role.trainable() != trainable {
                continue;
            }
            let (outer, inner) = (spec.offset, place.offset);
            match place.order {
                Order::Vector => (0..spec.len()).for_each(|i| f(outer + i, inner + i)),
                Order::Conv { bundle, taps } => {
                    let [_, outs] = bundle.channels();
                    for o in 0..bundle.count * outs {
                        let weights = self.weights(ParamId(id), o / outs);
                        let first = o % outs / bundle.outs * bundle.ins;
                        for i in 0..bundle.ins {
                            for tap in 0..taps {
                                let outside = outer + (o * bundle.ins + i) * taps + tap;
                                f(outside, weights.offset + weights.at(tap, first + i, o % outs));
                            }
                        }
                    }
                }
                Order::Depthwise { channels, taps } => {
                    for c in 0..channels {
                        for tap in 0..taps {
                            f(outer + c * taps + tap, inner + tap * padded(channels) + c);
                        }
                    }
                }
                Order::Transposed { in_channels, out_channels, taps } => {
                    let weights = self.weights(ParamId(id), 0);
                    for i in 0..in_channels {
                        for o in 0..out_channels {
                            for tap in 0..taps {
                                let outside = outer + (i * out_channels + o) * taps + tap;
                                f(outside, weights.offset + weights.at(tap, i, o));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Values of the flat buffers outside.
    pub fn outer_len(&self, trainable: bool) -> usize {
        self.specs.iter().filter(|s| s.role.trainable() == trainable).map(ParamSpec::len).sum()
    }
}
