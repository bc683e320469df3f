//! A training that begins on one engine goes on on another, as through a checkpoint: parameters, statistics, the
//! optimiser's memory, averages, dropout's numbers.

use crate::{both, distance, engine};
use dapple_graph::{
    Conv2d, DropoutState, Executor, Graph, GraphError, Loss, LossKind, Network, Optimizer, Shape, State,
};
use std::sync::Arc;

const SHAPE: Shape = Shape { n: 2, h: 10, w: 9, c: 3 };

fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.conv2d("first", g.input(), &Conv2d::new(6, 3).padding(1))?;
    let x = g.batch_norm("norm", x)?;
    let x = g.relu(x)?;
    let x = g.dropout(x, 0.3)?;
    let x = g.conv2d("head", x, &Conv2d::new(2, 1))?;
    let x = g.drop_path(x, 0.4)?;
    g.output("logits", x)?;
    Ok(g)
}

fn steps(executor: &mut dyn Executor, count: usize) -> Vec<f64> {
    let (input, labels) = crate::batch(SHAPE);
    let loss = Loss::single(LossKind::CrossEntropy);
    (0..count)
        .map(|_| {
            let value = executor.accumulate(&input, &labels, &loss, 1.0).expect("it fits");
            executor.step(0.01, Some(1.0)).expect("it has an optimiser");
            executor.update_average(0.9);
            value
        })
        .collect()
}

/// All that a checkpoint holds.
fn hand_over(from: &dyn Executor, to: &mut dyn Executor) {
    to.set_state(&from.state()).expect("of the same network");
    to.set_optimizer_state(&from.optimizer_state()).expect("of the same optimiser");
    to.set_average(&from.average().expect("it was updated")).expect("of the same network");
    to.set_dropout_state(from.dropout_state());
}

#[test]
fn trainings_go_on_on_the_other_engine() {
    let Some((engine, _turn)) = engine() else { return };
    let network: Arc<dyn Network> = Arc::new((SHAPE, build));
    let state = State::init(&build(SHAPE).expect("it fits"), 3);
    let optimizer = Optimizer::AdamW {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-4,
        weight_decay: 0.01,
        decay: Default::default(),
    };
    let load = || {
        let mut executors = both(&engine, &network, &state, Some(optimizer));
        executors.iter_mut().for_each(|e| e.set_dropout_state(DropoutState { seed: 11, passes: 0 }));
        executors
    };
    // Wholly on the CPU; begun there and finished on the card; the other way round.
    let [mut whole, mut begun_on_card] = load();
    let [mut begun_on_cpu, mut finished_on_card] = load();
    let [mut finished_on_cpu, _] = load();
    let mut wanted = steps(whole.as_mut(), 5);
    wanted.extend(steps(whole.as_mut(), 5));
    for (first, second, way) in [
        (&mut begun_on_cpu, &mut finished_on_card, "from the CPU to the card"),
        (&mut begun_on_card, &mut finished_on_cpu, "from the card to the CPU"),
    ] {
        let mut found = steps(first.as_mut(), 5);
        hand_over(first.as_ref(), second.as_mut());
        assert_eq!(second.dropout_state(), DropoutState { seed: 11, passes: 5 });
        found.extend(steps(second.as_mut(), 5));
        let losses = wanted.iter().zip(&found).map(|(a, b)| (a - b).abs() / a).fold(0.0, f64::max);
        let values = distance(&whole.state().values, &second.state().values);
        let [a, b] = [whole.average(), second.average()].map(|average| average.expect("it was updated"));
        println!("{way}: losses {losses:.1e}, values {values:.1e}");
        assert!(losses < 1e-4 && values < 1e-4 && distance(&a.values, &b.values) < 1e-4, "{way}");
    }
}
