//! A graph whose input is a parameter, so that its gradient can be asked of any engine.

use crate::random::{self, RandomNetwork};
use crate::replay::replay;
use dapple_graph::{ConvTranspose2d, Graph, Shape, State, Tensor};

/// Name of the parameter.
const NAME: &str = "free_input";

/// The same network behind a transposed convolution of one-hot images of a single pixel, whose weight `[n, c, h, w]` is
/// the batch: its gradient is that of the whole input. With the network's own parameters as in [`random::state`], and the
/// input, `[n, 1, 1, n]`.
///
/// # Panics
/// For a graph that cannot be built again.
pub fn free_input(network: &RandomNetwork, input: &Tensor, seed: u64) -> (RandomNetwork, State, Tensor) {
    let Shape { n, h, w, c } = input.shape;
    let small = Shape::new(n, 1, 1, n);
    let mut graph = Graph::new(small);
    let whole = ConvTranspose2d { kernel: [h, w], ..ConvTranspose2d::new(c, 1, 1) }.bias(false);
    graph.conv_transpose2d(NAME, graph.input(), &whole).expect("an image has pixels");
    replay(&mut graph, &network.graph, &|op| op.clone()).expect("it could be built before");
    let mut state = random::state(&graph, seed);
    let mut weight = vec![0.0; input.shape.len()];
    for (i, value) in input.data.iter().enumerate() {
        let (pixel, channel) = (i / c, i % c);
        weight[(pixel / (h * w) * c + channel) * h * w + pixel % (h * w)] = *value;
    }
    state.set(&format!("{NAME}.weight"), &weight).expect("it has as many values as the batch");
    let mut images = Tensor::zeros(small);
    (0..n).for_each(|i| images.data[i * n + i] = 1.0);
    (RandomNetwork { graph, description: network.description.clone() }, state, images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{State64, Tensor64, backward, forward};
    use dapple_graph::Mode;

    #[test]
    fn the_parameter_is_the_input() {
        for seed in 0..20 {
            let network = random::network(seed);
            let graph = &network.graph;
            let input = random::tensor(graph.shape(graph.input()), seed);
            let (free, state, images) = free_input(&network, &input, seed);
            let trace = forward(&free.graph, &State64::from(&state), &Tensor64::from(&images), Mode::Train);
            let Shape { h, w, c, .. } = input.shape;
            assert_eq!(trace.values[1], Tensor64::from(&input), "{}", network.description);

            // Behind it the same is computed, with the parameters after the first.
            let own = random::state(graph, seed);
            let mut same = State64::from(&own);
            let first = free.graph.params()[0].len();
            same.values.copy_from_slice(&State64::from(&state).values[first..]);
            same.statistics.copy_from_slice(&State64::from(&state).statistics);
            let wanted = forward(graph, &same, &Tensor64::from(&input), Mode::Train);
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(trace.outputs().iter().zip(wanted.outputs()).all(|(a, b)| close(&a.data, &b.data)));
            let upstream: Vec<Tensor64> = wanted
                .outputs()
                .iter()
                .map(|output| Tensor64::from(&random::tensor(output.shape, seed)))
                .collect();
            let found = backward(&free.graph, &State64::from(&state), &trace, &upstream).values;
            let wanted = backward(graph, &same, &wanted, &upstream).input;
            for (i, wanted) in wanted.data.iter().enumerate() {
                let (pixel, channel) = (i / c, i % c);
                let at = (pixel / (h * w) * c + channel) * h * w + pixel % (h * w);
                assert!((found[at] - wanted).abs() < 1e-9, "seed {seed}");
            }
        }
    }
}
