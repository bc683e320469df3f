//! Cases that single precision cannot decide, and the measure of gradients.

use super::TOLERANCE;
use crate::Trace;
use dapple_graph::{Graph, Op, Shape};

/// How far gradients of the parameters are off, as a share of [`TOLERANCE`], and the name of the worst.
///
/// Where much cancels (a scale before a batch norm, a bias of many pixels), the error is that of the terms, not of
/// their sum: it is measured against a share of the largest gradient of all parameters, and of the upstream gradients,
/// which are about 1.
pub fn worst_gradient<'a>(graph: &'a Graph, wanted: &[f64], got: &[f64]) -> (f64, &'a str) {
    let largest = |values: &[f64]| values.iter().fold(0.0f64, |a, v| a.max(v.abs()));
    let trained = graph.params().iter().filter(|s| s.role.trainable());
    let errors = trained.map(|spec| {
        let range = spec.offset..spec.offset + spec.len();
        let scale = largest(&wanted[range.clone()]).max(0.2 * largest(wanted)).max(0.5);
        let pairs = wanted[range.clone()].iter().zip(&got[range]);
        let error =
            pairs.fold(0.0f64, |a, (w, g)| if g.is_finite() { a.max((w - g).abs()) } else { f64::NAN });
        (error / scale / TOLERANCE, spec.name.as_str())
    });
    // NaN is the largest in this order.
    errors.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, "none"))
}

/// Whether some batch norm's input has a nearly constant channel, which is all rounding errors once normalized, or a
/// few values, whose gradient is the small difference of large numbers.
pub fn hard_to_normalize(graph: &Graph, trace: &Trace) -> bool {
    graph.nodes().iter().filter(|n| matches!(n.op, Op::BatchNorm { .. })).any(|node| {
        let x = &trace.values[node.inputs[0].0];
        let count = x.shape.pixels() as f64;
        let constant = |c| {
            let values = || x.data.iter().skip(c).step_by(x.shape.c);
            let mean = values().sum::<f64>() / count;
            values().map(|v| (v - mean).powi(2)).sum::<f64>() / count < 1e-3 * mean * mean
        };
        count < 6.0 || (0..x.shape.c).any(constant)
    })
}

/// Whether some pooling that is unpooled reads equal neighbours other than zero, as behind a constant border: equal in `f64`,
/// they are told apart by what fast algorithms of convolution round, which differs from place to place.
pub fn may_tie(graph: &Graph, trace: &Trace) -> bool {
    graph.nodes().iter().any(|node| {
        let Op::MaxUnpool { pool } = node.op else { return false };
        let x = &trace.values[graph.node(pool).inputs[0].0];
        let Shape { w, c, .. } = x.shape;
        // Neighbours in a row, and pixels one row apart.
        let equal = |distance: usize| {
            x.data.iter().zip(x.data.iter().skip(distance * c)).any(|(a, b)| a == b && *a != 0.0)
        };
        equal(1) || equal(w)
    })
}
