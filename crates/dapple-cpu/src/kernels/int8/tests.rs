//! The kernels against loops over integers, at every level of this machine.

use super::bytes::ByteMap;
use super::conv::IntegerConv;
use super::depthwise::IntegerDepthwise;
use super::ending::{Ending, Function};
use super::quantize::Quantize;
use super::weights::Packed;
use crate::kernels::kernel::{Kernel, Memory};
use crate::kernels::lattice::{Lattice, Window};
use crate::kernels::operand::{Operand, Target};
use crate::memory::Buffer;
use crate::simd::{DotLevel, LANES, Level, padded};
use dapple_graph::{Affine, Conv2d, DropoutState, IntegerWeights, Shape};
use std::sync::Arc;

/// Whole numbers below `bound`, in an order that repeats itself after long.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The levels of this machine, with all ways of multiplying in each.
fn levels() -> Vec<(Level, DotLevel)> {
    let ways = |level| DotLevel::available(level).into_iter().map(move |dots| (level, dots));
    Level::available().into_iter().flat_map(ways).collect()
}

fn run(kernel: &dyn Kernel, level: Level, arena: &mut Buffer) {
    let scratch = kernel.scratch();
    let mut shared = Buffer::zeroed(scratch.shared);
    let mut local = Buffer::zeroed(scratch.local * rayon::current_num_threads().max(1));
    let [mut params, mut statistics] = [Buffer::zeroed(0), Buffer::zeroed(0)];
    let mut memory = Memory {
        arena: arena.base(),
        params: params.base(),
        statistics: statistics.base(),
        shared: shared.base(),
        local: local.base(),
        gradients: None,
        accumulate: false,
        dropout: DropoutState::default(),
        joint: None,
    };
    kernel.run(level, &mut memory);
}

/// The bytes of a map.
fn bytes_of(map: &ByteMap, arena: &Buffer) -> Vec<u8> {
    let values = &arena.as_slice()[map.offset..map.offset + ByteMap::values(map.shape)];
    values.iter().flat_map(|v| v.to_bits().to_ne_bytes()).collect()
}

/// A convolution with its input, weights and biases.
struct Case {
    conv: Conv2d,
    input: Shape,
    output: Shape,
    pixels: Vec<u8>,
    weights: IntegerWeights,
    bias: Vec<f32>,
    residual: Vec<f32>,
}

const INPUT: Affine = Affine { scale: 0.031, zero: 37 };
const OUTPUT: Affine = Affine { scale: 0.9, zero: 101 };

impl Case {
    fn new(input: Shape, conv: Conv2d, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let [h, w] = conv.output_size([input.h, input.w]).expect("the kernel fits");
        let output = Shape::new(input.n, h, w, conv.out_channels);
        let count = conv.out_channels * input.c / conv.groups * conv.kernel[0] * conv.kernel[1];
        // The largest factors come often.
        let pixels = (0..input.pixels() * padded(input.c)).map(|_| match numbers.next(4) {
            0 => 255,
            _ => numbers.next(256) as u8,
        });
        let pixels = pixels.collect();
        let values = (0..count).map(|_| match numbers.next(4) {
            0 => 127,
            _ => (numbers.next(255) as i16 - 127) as i8,
        });
        let values = values.collect();
        let scales = (0..conv.out_channels).map(|_| 0.001 + numbers.next(97) as f32 * 1e-4).collect();
        let bias = (0..conv.out_channels).map(|_| numbers.next(1000) as f32 * 0.01 - 5.0).collect();
        let residual = (0..output.len()).map(|_| numbers.next(1000) as f32 * 0.02 - 10.0).collect();
        let weights = IntegerWeights { values, scales };
        Self { conv, input, output, pixels, weights, bias, residual }
    }

    /// The sum of one output, from the definition.
    fn sum(&self, n: usize, y: usize, x: usize, out: usize) -> i64 {
        let Self { conv, input, .. } = self;
        let [kh, kw] = conv.kernel;
        let ins = input.c / conv.groups;
        let first = out / (conv.out_channels / conv.groups) * ins;
        let mut sum = 0;
        for (tap, i) in (0..kh * kw).flat_map(|tap| (0..ins).map(move |i| (tap, i))) {
            let row = (y * conv.stride[0] + tap / kw * conv.dilation[0]).wrapping_sub(conv.padding[0]);
            let column = (x * conv.stride[1] + tap % kw * conv.dilation[1]).wrapping_sub(conv.padding[1]);
            if row < input.h && column < input.w {
                let pixel = (n * input.h + row) * input.w + column;
                let value = self.pixels[pixel * padded(input.c) + first + i];
                let weight = self.weights.values[(out * ins + i) * kh * kw + tap];
                sum += (i64::from(value) - i64::from(INPUT.zero)) * i64::from(weight);
            }
        }
        sum
    }

    /// The output: `max(0, max(0, scale sum + bias) + residual)`, or without the residual.
    fn expected(&self, is_short: bool) -> Vec<f32> {
        let Shape { n, h, w, c } = self.output;
        let mut values = Vec::with_capacity(self.output.len());
        for index in 0..n * h * w * c {
            let (pixel, out) = (index / c, index % c);
            let sum = self.sum(pixel / (h * w), pixel / w % h, pixel % w, out);
            let scaled = sum as f32 * (INPUT.scale * self.weights.scales[out]);
            let value = (scaled + self.bias[out]).max(0.0);
            values.push(if is_short { value } else { (value + self.residual[index]).max(0.0) });
        }
        values
    }

    /// The output of the kernel, as numbers and as bytes; or without residual, as bytes alone.
    fn computed(&self, level: Level, dots: DotLevel, is_short: bool) -> (Vec<f32>, Vec<u8>) {
        let Self { conv, input, output, .. } = self;
        let is_depthwise = conv.groups > 1;
        let packed = if is_depthwise {
            Packed::depthwise(&self.weights, Some(&self.bias), INPUT, dots)
        } else {
            Packed::dense(&self.weights, input.c, Some(&self.bias), INPUT, dots)
        };
        let outs = output.pixels() * padded(output.c);
        let lengths = [ByteMap::values(*input), outs, outs, ByteMap::values(*output)];
        let mut places = [0; 4];
        let mut len = 0;
        for (place, length) in places.iter_mut().zip(lengths) {
            *place = len;
            len += length.next_multiple_of(LANES);
        }
        let mut arena = Buffer::zeroed(len);
        let words = self.pixels.as_chunks::<4>().0.iter().map(|&b| f32::from_bits(u32::from_ne_bytes(b)));
        arena.as_mut_slice().iter_mut().zip(words).for_each(|(to, word)| *to = word);
        for (pixel, values) in self.residual.chunks_exact(output.c).enumerate() {
            arena.as_mut_slice()[places[1] + pixel * padded(output.c)..][..output.c].copy_from_slice(values);
        }
        let window = Window {
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
        };
        let bytes = ByteMap::new(*output, places[3], OUTPUT);
        let ending = Ending {
            function: Function::Relu,
            residual: (!is_short).then(|| Operand::stored(*output, places[1])),
            relu: !is_short,
            output: (!is_short).then(|| Target::stored(*output, places[2])),
            bytes: vec![bytes],
        };
        let map = ByteMap::new(*input, places[0], INPUT);
        let lattice = Lattice::forward(&window, *input, *output);
        let weights = Arc::new(packed);
        let kernel: Box<dyn Kernel> = if is_depthwise {
            Box::new(IntegerDepthwise { input: map, lattice, weights, ending })
        } else {
            Box::new(IntegerConv { input: map, lattice, weights, ending })
        };
        run(kernel.as_ref(), level, &mut arena);
        let pixels = arena.as_slice()[places[2]..][..outs].chunks_exact(padded(output.c));
        for pixel in pixels.clone() {
            assert!(pixel[output.c..].iter().all(|v| *v == 0.0), "the padding stays zero");
        }
        let values = pixels.flat_map(|pixel| pixel[..output.c].to_vec()).collect();
        let rows = bytes_of(&bytes, &arena);
        let bytes = rows.chunks_exact(padded(output.c)).flat_map(|row| row[..output.c].to_vec()).collect();
        (values, bytes)
    }

    fn check(&self) {
        let (long, short) = (self.expected(false), self.expected(true));
        let bytes = |values: &[f32]| -> Vec<u8> { values.iter().map(|&v| OUTPUT.integer(v)).collect() };
        for (level, dots) in levels() {
            let place = format!("{level:?} {dots:?} {:?} on {}", self.conv, self.input);
            let (values, integers) = self.computed(level, dots, false);
            let differs = values.iter().zip(&long).position(|(a, b)| a.to_bits() != b.to_bits());
            assert_eq!(differs, None, "{place}");
            assert_eq!(integers, bytes(&long), "{place}");
            assert_eq!(self.computed(level, dots, true).1, bytes(&short), "{place}");
        }
    }
}

#[test]
fn dense_convolutions_give_the_same_bits_at_every_level() {
    let cases = [
        (Shape::new(1, 5, 7, 16), Conv2d::new(32, 1)),
        (Shape::new(2, 1, 1, 65), Conv2d::new(3, 1)),
        (Shape::new(1, 17, 13, 3), Conv2d::new(21, 7).stride(2).padding(3)),
        (Shape::new(2, 9, 11, 24), Conv2d::new(80, 3).padding(1)),
        (Shape::new(1, 11, 9, 130), Conv2d::new(17, 3).padding(2).dilation(2)),
        (Shape::new(1, 6, 5, 20), Conv2d::new(100, 2).stride(3)),
    ];
    for (seed, (input, conv)) in (1..).zip(cases) {
        Case::new(input, conv, seed).check();
    }
}

#[test]
fn depthwise_convolutions_give_the_same_bits_at_every_level() {
    let cases = [
        (Shape::new(1, 7, 9, 40), Conv2d::new(40, 3).padding(1)),
        (Shape::new(2, 11, 6, 17), Conv2d::new(17, 5).stride(2).padding(2)),
        (Shape::new(1, 3, 2, 5), Conv2d::new(5, 3).padding(4).dilation(4)),
        (Shape::new(1, 13, 31, 16), Conv2d::new(16, 7).padding(3)),
    ];
    for (seed, (input, conv)) in (1..).zip(cases) {
        Case::new(input, conv.groups(input.c), seed).check();
    }
}

#[test]
fn numbers_become_the_same_integers_at_every_level() {
    let shape = Shape::new(1, 5, 3, 21);
    let places = [0, shape.pixels() * padded(shape.c)];
    let mut numbers = Numbers(9);
    let values: Vec<f32> = (0..shape.len()).map(|_| numbers.next(400) as f32 * 0.45 - 100.0).collect();
    for (level, _) in levels() {
        let mut arena = Buffer::zeroed(places[1] + ByteMap::values(shape));
        for (pixel, values) in values.chunks_exact(shape.c).enumerate() {
            arena.as_mut_slice()[pixel * padded(shape.c)..][..shape.c].copy_from_slice(values);
        }
        let to = ByteMap::new(shape, places[1], OUTPUT);
        run(&Quantize { from: Operand::stored(shape, places[0]), to }, level, &mut arena);
        let rows = bytes_of(&to, &arena);
        let bytes = rows.chunks_exact(padded(shape.c)).flat_map(|row| row[..shape.c].to_vec());
        assert!(bytes.eq(values.iter().map(|&v| OUTPUT.integer(v))), "{level:?}");
    }
}
