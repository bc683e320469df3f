//! What kernels do in inference for the activations behind them.

use super::reference::{check, levels, single};
use dapple_graph::{Conv2d, ConvTranspose2d, Graph, GraphError, NodeId, Pointwise, Shape};
use dapple_reference::random::RandomNetwork;

/// A network of an input and what is done with it.
fn network(
    shape: Shape,
    description: String,
    build: impl Fn(&mut Graph, NodeId) -> Result<NodeId, GraphError>,
) -> RandomNetwork {
    let mut g = Graph::new(shape);
    let input = g.input();
    let built = build(&mut g, input).and_then(|y| g.output("y", y));
    built.expect("it fits");
    single(g, description)
}

/// Every activation behind every kind of convolution: behind its ReLU, before a residual, with a second reader.
#[test]
fn activations_behind_convolutions_agree_with_the_reference() {
    let functions = [
        Pointwise::Relu6,
        Pointwise::HardSwish,
        Pointwise::Silu,
        Pointwise::Gelu,
        Pointwise::Negative,
        Pointwise::Sigmoid,
        Pointwise::HardSigmoid,
    ];
    let (wide, odd) = (Conv2d::new(80, 1), Conv2d::new(19, 3).padding(1));
    let depthwise = Conv2d::new(19, 3).padding(1).groups(19);
    let convs = [
        ("1x1", 40, wide),
        ("3x3", 19, odd),
        ("3x3, stride 2", 3, Conv2d::new(19, 3).padding(1).stride(2)),
        ("groups", 32, Conv2d::new(32, 3).padding(1).stride(2).groups(2)),
        ("one channel", 20, Conv2d::new(1, 3).padding(1)),
        ("depthwise", 19, depthwise),
        ("depthwise, stride 2", 19, depthwise.stride(2)),
    ];
    let engines = levels();
    let mut checked = 0;
    for (seed, (name, channels, conv)) in convs.iter().enumerate() {
        for (number, &function) in functions.iter().enumerate() {
            let [relu, residual, shared] = [1, 2, 4].map(|bit| (seed + number) & bit != 0);
            let description = format!("{name}, {function:?}, {relu} {residual} {shared}");
            let network = network(Shape::new(2, 5, 9, *channels), description, |g, x| {
                let y = g.conv2d("conv", x, conv)?;
                let y = if relu { g.relu(y)? } else { y };
                if shared {
                    g.output("shared", y)?;
                }
                let z = g.activate(y, function)?;
                if !residual {
                    return Ok(z);
                }
                let skip = g.conv2d("skip", x, conv)?;
                g.add(z, skip)
            });
            checked += (0..3).filter(|&seed| check(&engines, &network, seed)).count();
        }
    }
    let transposed = network(Shape::new(1, 5, 6, 24), "transposed".into(), |g, x| {
        let y = g.conv_transpose2d("conv", x, &ConvTranspose2d::new(20, 2, 2))?;
        g.activate(y, Pointwise::Silu)
    });
    checked += usize::from(check(&engines, &transposed, 1));
    assert!(checked > 100, "only {checked} could be compared");
}
