//! The places and the order of parameters in the engine's flat buffers.
//!
//! Outside, parameters have PyTorch's shapes. Inside, kernels want output channels side by side: convolution weights
//! stand in panels of them ([`Weights`]), vectors are `[channels]`, all channels padded to a multiple of 16 with zeros,
//! which stay zero, since their gradients are. Depthwise weights are `[taps, channels]`. Other grouped convolutions are
//! stored in bundles of as few groups as fill whole vectors, each a dense convolution whose entries between its groups
//! are zero; [`ClearBetweenGroups`](crate::kernels::weights::ClearBetweenGroups) keeps their gradients zero.

use crate::kernels::optim::Segment;
use crate::kernels::weights::{Bundle, Weights};
use crate::memory::Buffer;
use crate::simd::padded;
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
        Weights { offset, taps, ins: padded(ins), outs: padded(outs) }.of_bundle(index)
    }

    /// Runs of the trainable buffer for the optimizer, with the factor of each parameter's rate.
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
