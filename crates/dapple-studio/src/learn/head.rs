//! The network on the features: two layers on each pixel by itself.

use dapple_graph::{Conv2d, Graph, GraphError, Network, Shape, State};

/// Values between the layers.
const HIDDEN: usize = 48;

/// The share of them that training leaves out in turn.
const DROPOUT: f32 = 0.1;

/// The network in training: `[n, h, w, features]` to logits `[n, h, w, classes]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadNetwork {
    pub features: usize,
    pub classes: usize,
}

impl Network for HeadNetwork {
    fn build(&self, input: Shape) -> Result<Graph, GraphError> {
        let mut g = Graph::new(input);
        let x = g.input();
        let x = g.conv2d("hidden", x, &Conv2d::new(HIDDEN, 1))?;
        let x = g.relu(x)?;
        let x = g.dropout(x, DROPOUT)?;
        let x = g.conv2d("logits", x, &Conv2d::new(self.classes, 1))?;
        g.output("logits", x)?;
        Ok(g)
    }

    fn example_input(&self) -> Shape {
        Shape::new(1, 1, 1, self.features)
    }
}

/// A trained head, which takes features as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The number of features.
    pub(super) features: usize,
    /// The number of classes.
    pub(super) classes: usize,
    /// Values between the layers.
    pub(super) hidden: usize,
    /// The first layer, `[features, hidden]`.
    pub(super) first: Vec<f32>,
    /// Its addends.
    pub(super) first_bias: Vec<f32>,
    /// The second layer, `[hidden, classes]`.
    pub(super) second: Vec<f32>,
    /// Its addends.
    pub(super) second_bias: Vec<f32>,
}

impl Head {
    /// Of a network that was trained on features from which `mean` was subtracted, and which were multiplied by `scale`. `None` for
    /// the state of another network.
    pub(super) fn of(network: HeadNetwork, state: &State, mean: &[f32], scale: &[f32]) -> Option<Self> {
        let HeadNetwork { features, classes } = network;
        let weights = state.get("hidden.weight")?;
        let mut first_bias = state.get("hidden.bias")?.to_vec();
        let mut first = vec![0.0; features * HIDDEN];
        for (unit, (weights, bias)) in weights.chunks_exact(features).zip(&mut first_bias).enumerate() {
            for (feature, weight) in weights.iter().enumerate() {
                first[feature * HIDDEN + unit] = weight * scale[feature];
                *bias -= weight * scale[feature] * mean[feature];
            }
        }
        let weights = state.get("logits.weight")?;
        let mut second = vec![0.0; HIDDEN * classes];
        for (class, weights) in weights.chunks_exact(HIDDEN).enumerate() {
            for (unit, weight) in weights.iter().enumerate() {
                second[unit * classes + class] = *weight;
            }
        }
        let second_bias = state.get("logits.bias")?.to_vec();
        Some(Self { features, classes, hidden: HIDDEN, first, first_bias, second, second_bias })
    }
}
