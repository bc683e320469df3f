//! Quantized networks against the f64 reference, whose convolutions read the same rounded numbers.

use dapple_cpu::{CpuEngine, Level};
use dapple_graph::{
    Affine, Conv2d, Engine, Graph, GraphError, Inference, Interpolation, MaxPool, Mode, Network, NodeId,
    Optimizer, Pointwise, Quantization, Shape, State, Tensor,
};
use dapple_reference::{State64, Tensor64, forward, forward_quantized, random};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A network with its quantization.
#[derive(Clone)]
struct Quantized {
    shape: Shape,
    build: fn(&mut Graph) -> Result<NodeId, GraphError>,
    quantization: Option<Quantization>,
}

impl Network for Quantized {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let mut graph = Graph::new(input);
        let logits = (self.build)(&mut graph)?;
        graph.output("logits", logits)?;
        Ok(graph)
    }

    fn example_input(&self) -> Shape {
        self.shape
    }

    fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_ref()
    }
}

/// A convolution with batch norm.
fn block(g: &mut Graph, name: &str, x: NodeId, conv: Conv2d) -> Result<NodeId, GraphError> {
    let x = g.conv2d(name, x, &conv.bias(false))?;
    g.batch_norm(&format!("{name}.norm"), x)
}

/// Residual blocks with and without a convolution beside them: sums that end in ReLUs and in none, maps that convolutions and
/// sums read.
fn residual(g: &mut Graph) -> Result<NodeId, GraphError> {
    let x = block(g, "stem", g.input(), Conv2d::new(24, 3).stride(2).padding(1))?;
    let x = g.relu(x)?;
    let y = block(g, "a.1", x, Conv2d::new(24, 3).padding(1))?;
    let y = g.relu(y)?;
    let y = block(g, "a.2", y, Conv2d::new(24, 3).padding(1))?;
    let x = g.add(y, x)?;
    let x = g.relu(x)?;
    let y = block(g, "b.1", x, Conv2d::new(40, 3).stride(2).padding(2).dilation(2))?;
    let y = g.relu(y)?;
    let y = block(g, "b.2", y, Conv2d::new(40, 1))?;
    let beside = block(g, "b.beside", x, Conv2d::new(40, 3).stride(2).padding(2).dilation(2))?;
    let x = g.add(y, beside)?;
    g.conv2d("logits", x, &Conv2d::new(5, 1))
}

/// Inverted residuals with depthwise convolutions and hard swish.
fn inverted(g: &mut Graph) -> Result<NodeId, GraphError> {
    let x = block(g, "stem", g.input(), Conv2d::new(16, 3).padding(1))?;
    let x = g.activate(x, Pointwise::HardSwish)?;
    let y = block(g, "expand", x, Conv2d::new(72, 1))?;
    let y = g.activate(y, Pointwise::Relu6)?;
    let y = block(g, "depthwise", y, Conv2d::new(72, 5).padding(2).groups(72))?;
    let y = g.activate(y, Pointwise::HardSwish)?;
    let y = block(g, "project", y, Conv2d::new(16, 1))?;
    let x = g.add(x, y)?;
    let x = block(g, "last", x, Conv2d::new(33, 1))?;
    let x = g.relu(x)?;
    g.conv2d("logits", x, &Conv2d::new(2, 1))
}

/// A small U-Net: pooling, sampling, concatenation, groups and SiLU between the convolutions.
fn shaped_like_a_u(g: &mut Graph) -> Result<NodeId, GraphError> {
    let x = block(g, "down.1", g.input(), Conv2d::new(16, 3).padding(1))?;
    let skip = g.relu(x)?;
    let x = g.max_pool(skip, &MaxPool::new(2, 2))?;
    let x = block(g, "down.2", x, Conv2d::new(48, 3).padding(1))?;
    let x = g.activate(x, Pointwise::Silu)?;
    let x = block(g, "grouped", x, Conv2d::new(48, 3).padding(1).groups(3))?;
    let x = g.relu(x)?;
    let x = g.resize(x, skip, Interpolation::Bilinear { align_corners: false })?;
    let x = g.concat(&[skip, x])?;
    let x = block(g, "up", x, Conv2d::new(16, 3).padding(1))?;
    let x = g.relu(x)?;
    g.conv2d("logits", x, &Conv2d::new(3, 1))
}

/// Parts that are joined as bytes, one of them twice, and others that are not whole vectors.
fn joined(g: &mut Graph) -> Result<NodeId, GraphError> {
    let x = block(g, "first", g.input(), Conv2d::new(32, 3).padding(1))?;
    let skip = g.relu(x)?;
    let x = g.max_pool(skip, &MaxPool::new(3, 2))?;
    let x = block(g, "second", x, Conv2d::new(16, 3).padding(1))?;
    let x = g.relu(x)?;
    let x = g.resize(x, skip, Interpolation::Nearest)?;
    let x = g.concat(&[skip, x, skip, x])?;
    let x = block(g, "third", x, Conv2d::new(13, 1))?;
    let x = g.relu(x)?;
    let x = g.concat(&[x, skip])?;
    let x = block(g, "fourth", x, Conv2d::new(16, 3).padding(1))?;
    let x = g.relu(x)?;
    g.conv2d("logits", x, &Conv2d::new(3, 1))
}

/// A quantized network with its state and an input.
struct Case {
    network: Quantized,
    state: State,
    input: Tensor,
}

impl Case {
    fn new(shape: Shape, build: fn(&mut Graph) -> Result<NodeId, GraphError>, seed: u64) -> Self {
        let mut network = Quantized { shape, build, quantization: None };
        let graph = network.build(shape).expect("the shapes fit");
        let state = random::state(&graph, seed);
        let input = random::tensor(shape, seed);
        let trace = forward(&graph, &State64::from(&state), &Tensor64::from(&input), Mode::Eval);
        let mut inputs = BTreeMap::new();
        for node in graph.nodes() {
            if let Some(weight) = Quantization::weight_of(&graph, node) {
                let values = trace.values[node.inputs[0].0].data.iter();
                let (low, high) = values.fold((0.0f64, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
                // Narrower than the values, so that some are held at the ends.
                let affine = Affine::of_range(0.9 * low as f32, 0.9 * high as f32);
                inputs.insert(graph.param(weight).name.clone(), affine);
            }
        }
        let quantization = Quantization { inputs };
        let state = quantization.rounded(&state);
        network.quantization = Some(quantization);
        Self { network, state, input }
    }

    fn computed(&self, level: Level, threads: usize, mode: Inference) -> Tensor {
        let engine = CpuEngine::with_level(Some(threads), level).expect("the level is available");
        let network = Arc::new(self.network.clone());
        let mut executor = engine.load(network, &self.state).expect("the state fits");
        executor.infer(&self.input, mode).expect("the graph fits").swap_remove(0)
    }

    /// The largest and the mean difference from the reference, as shares of the largest value.
    fn distances(&self, computed: &Tensor, quantization: &Quantization) -> [f64; 2] {
        let graph = self.network.build(self.network.shape).expect("the shapes fit");
        let (state, input) = (State64::from(&self.state), Tensor64::from(&self.input));
        let wanted = forward_quantized(&graph, &state, &input, quantization).outputs().swap_remove(0);
        let largest = wanted.data.iter().fold(0.0f64, |most, v| most.max(v.abs()));
        let off = |(a, b): (&f64, &f32)| (a - f64::from(*b)).abs() / largest;
        let off: Vec<f64> = wanted.data.iter().zip(&computed.data).map(off).collect();
        [off.iter().fold(0.0, |most: f64, v| most.max(*v)), off.iter().sum::<f64>() / off.len() as f64]
    }
}

/// Engine and reference differ where a rounding of `f32` moves a number across the middle between two integers: seldom, and by
/// one step then.
#[test]
fn quantized_networks_compute_what_their_rounded_numbers_give() {
    for (seed, build) in (1..).zip([residual, inverted, shaped_like_a_u, joined]) {
        let case = Case::new(Shape::new(2, 22, 18, 3), build, seed);
        let quantization = case.network.quantization.clone().expect("set above");
        for level in Level::available() {
            for mode in [Inference::Predict, Inference::Eval] {
                let computed = case.computed(level, 2, mode);
                let [largest, mean] = case.distances(&computed, &quantization);
                assert!(largest < 0.03 && mean < 5e-4, "{seed} {level:?}: {largest:.1e}, {mean:.1e}");
                // Numbers that were not rounded are another matter.
                let [_, unrounded] = case.distances(&computed, &Quantization::default());
                assert!(unrounded > 4.0 * mean, "{seed} {level:?}: {unrounded:.1e} and {mean:.1e}");
            }
        }
    }
}

#[test]
fn quantized_convolutions_give_the_same_bits_at_every_level_and_on_any_number_of_threads() {
    for (seed, build) in (5..).zip([residual, inverted, joined]) {
        let case = Case::new(Shape::new(1, 19, 35, 3), build, seed);
        let wanted = case.computed(Level::Portable, 1, Inference::Predict);
        for (level, threads) in Level::available().into_iter().flat_map(|level| [(level, 1), (level, 3)]) {
            let found = case.computed(level, threads, Inference::Predict);
            let same = found.data.iter().zip(&wanted.data).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{seed} {level:?} on {threads} threads");
        }
    }
}

#[test]
fn other_values_take_effect_after_a_pass() {
    let case = Case::new(Shape::new(1, 16, 16, 3), residual, 3);
    let other = Case::new(Shape::new(1, 16, 16, 3), residual, 4);
    let engine = CpuEngine::new(Some(1)).expect("threads can be started");
    let mut executor = engine.load(Arc::new(case.network.clone()), &case.state).expect("the state fits");
    executor.infer(&case.input, Inference::Predict).expect("the graph fits");
    executor.set_state(&other.state).expect("the state fits");
    let found = executor.infer(&case.input, Inference::Predict).expect("the graph fits");
    let mut fresh = engine.load(Arc::new(case.network.clone()), &other.state).expect("the state fits");
    assert_eq!(found, fresh.infer(&case.input, Inference::Predict).expect("the graph fits"));
}

#[test]
fn quantized_networks_are_not_trained() {
    let case = Case::new(Shape::new(1, 16, 16, 3), inverted, 2);
    let engine = CpuEngine::new(Some(1)).expect("threads can be started");
    let network = Arc::new(case.network.clone());
    let refused = engine.load_trainer(network, &case.state, Optimizer::adam()).err().expect("it is refused");
    assert!(refused.to_string().contains("quantized"), "{refused}");
}
