//! Parameters, images and labels.

use crate::draw::Draw;
use dapple_graph::{Graph, Role, Shape, State, Tensor};

/// Values evenly spread over `(-1, 1)` in random order: no two are equal and none is zero, so that a ReLU or a
/// pooling that reads them has one gradient.
pub fn tensor(shape: Shape, seed: u64) -> Tensor {
    let mut draw = Draw::new(seed, 1);
    let count = shape.len();
    let mut data: Vec<f32> = (0..count).map(|i| ((2 * i + 1) as f32 - count as f32) / count as f32).collect();
    for value in &mut data {
        // The middle one of an odd number.
        if *value == 0.0 {
            *value = 0.5 / count as f32;
        }
    }
    for i in (1..count).rev() {
        data.swap(i, draw.within(0..=i));
    }
    Tensor::new(shape, data)
}

/// `count` labels below `classes`, a tenth of them `ignore` where it is given.
pub fn labels(count: usize, classes: usize, ignore: Option<u8>, seed: u64) -> Vec<u8> {
    let mut draw = Draw::new(seed, 2);
    let mut label = || match ignore {
        Some(ignore) if draw.one_in(10) => ignore,
        _ => draw.within(0..=classes - 1) as u8,
    };
    (0..count).map(|_| label()).collect()
}

/// The graph's initial state with normalizations as if it had been trained: scales in `[0.5, 1.5)`, now and
/// then negative, factors the same, shifts, biases and running means in `[-0.5, 0.5)`, running variances in `[0.5, 2)`.
pub fn state(graph: &Graph, seed: u64) -> State {
    let mut draw = Draw::new(seed, 3);
    let mut state = State::init(graph, seed);
    for (index, spec) in graph.params().iter().enumerate() {
        for value in state.slice_mut(index) {
            match spec.role {
                Role::ConvWeight | Role::ConvTransposeWeight => {}
                Role::Bias | Role::NormShift | Role::RunningMean => *value = draw.uniform(-0.5, 0.5),
                Role::NormScale | Role::Factor => {
                    *value = draw.uniform(0.5, 1.5) * draw.pick(&[1.0, 1.0, 1.0, -1.0])
                }
                Role::RunningVar => *value = draw.uniform(0.5, 2.0),
            }
        }
    }
    state
}
