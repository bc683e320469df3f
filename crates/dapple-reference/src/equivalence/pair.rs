//! Two engines on one network of any size, where the interpreter would take too long.

use super::Row;
use crate::random;
use dapple_graph::{
    DropoutState, Engine, Graph, Inference, Loss, LossKind, Network, Optimizer, Shape, State, Tensor, Trainer,
};
use std::sync::Arc;

const FITS: &str = "the engine takes what the graph takes";

/// Two engines; differences are those of the second from the first.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// The one that is believed.
    pub first: &'a dyn Engine,
    /// The one that is compared with it.
    pub second: &'a dyn Engine,
}

/// The network and the batch that they are compared on.
pub struct Subject {
    /// For messages.
    pub name: String,
    /// The network.
    pub network: Arc<dyn Network>,
    /// Its graph for the batch.
    pub graph: Graph,
    /// Its parameters.
    pub state: State,
    /// A batch of images.
    pub input: Tensor,
    /// Their labels.
    pub labels: Vec<u8>,
    /// The loss.
    pub loss: Loss,
}

impl Subject {
    /// A network with its initial values, on random images and labels.
    ///
    /// # Panics
    /// If it cannot be built for the shape.
    pub fn new(name: &str, network: Arc<dyn Network>, shape: Shape, seed: u64) -> Self {
        let graph = network.build(shape).unwrap_or_else(|e| panic!("{name}: {e}"));
        let channels = graph.shape(graph.outputs()[0].1).c;
        let kind = if channels == 1 { LossKind::BinaryCrossEntropy } else { LossKind::CrossEntropy };
        Self {
            name: name.to_owned(),
            state: State::init(&graph, seed),
            input: random::tensor(shape, seed),
            labels: random::labels(shape.pixels(), channels.max(2), None, seed),
            loss: Loss::single(kind),
            network,
            graph,
        }
    }

    fn load(&self, engine: &dyn Engine, state: &State, rule: Optimizer) -> Box<dyn Trainer> {
        let mut executor = engine.load_trainer(self.network.clone(), state, rule).expect(FITS);
        executor.set_dropout_state(DropoutState { seed: 11, passes: 0 });
        executor
    }

    fn learn(&self, executor: &mut dyn Trainer, rate: f32) -> f64 {
        let loss = executor.accumulate(&self.input, &self.labels, &self.loss, 1.0).expect(FITS);
        executor.step(rate, Some(1.0)).expect("it has an optimizer");
        loss
    }
}

/// The largest difference, as a share of the largest value of the first.
fn distance(first: &[f32], second: &[f32]) -> f64 {
    crate::relative_distance(&first.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), second)
}

/// One pass in every mode. Kinds of values: `outputs` (without training: modes evaluate, predict and sample),
/// `training outputs`, `losses`, `statistics`, `gradients`. Each parameter's gradient is measured against the largest one
/// of its own or, where that is more, 5 % of the largest of all.
///
/// # Panics
/// If an engine refuses what it is given.
pub fn pair(engines: Pair<'_>, subject: &Subject) -> Row {
    let mut row = Row::new(&subject.name);
    row.compared = 1;
    let case = subject.name.as_str();
    let [mut first, mut second] = [engines.first, engines.second]
        .map(|engine| subject.load(engine, &subject.state, Optimizer::sgd(0.0, 0.0)));
    let mut note = |kind, mode: &str, a: Vec<Tensor>, b: Vec<Tensor>| {
        assert_eq!(a.len(), b.len(), "{case}");
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.shape, b.shape, "{case}");
            row.note(kind, distance(&a.data, &b.data), &format!("{case}, {mode}"));
        }
    };
    for mode in [Inference::Eval, Inference::Predict, Inference::Sample] {
        let [a, b] = [&mut first, &mut second].map(|e| e.infer(&subject.input, mode).expect(FITS));
        note("outputs", &format!("{mode:?}"), a, b);
    }
    let [a, b] = [&mut first, &mut second].map(|e| e.forward(&subject.input).expect(FITS));
    note("training outputs", "Train", a, b);
    if !subject.state.statistics.is_empty() {
        row.note("statistics", distance(&first.state().statistics, &second.state().statistics), case);
    }
    let [a, b] = [&mut first, &mut second]
        .map(|e| e.accumulate(&subject.input, &subject.labels, &subject.loss, 1.0).expect(FITS));
    row.note("losses", (a - b).abs() / a.abs(), case);
    let (a, b) = (first.gradients(), second.gradients());
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let floor = 0.05 * largest(&a);
    for spec in subject.graph.params().iter().filter(|spec| spec.role.trainable()) {
        let range = spec.offset..spec.offset + spec.len();
        let scale = largest(&a[range.clone()]).max(floor);
        let pairs = a[range.clone()].iter().zip(&b[range]);
        let difference =
            pairs.fold(0.0f32, |m, (a, b)| if b.is_nan() { f32::NAN } else { m.max((a - b).abs()) });
        row.note("gradients", f64::from(difference / scale), &format!("{case}, {}", spec.name));
    }
    row
}

/// So many training steps side by side with SGD of momentum 0.9. Kinds of values: `losses`, the largest relative difference
/// of a step's loss, and `way`, the distance of the parameters afterwards as a share of the way that they went.
///
/// # Panics
/// If an engine refuses what it is given.
pub fn together(engines: Pair<'_>, subject: &Subject, steps: usize) -> Row {
    let mut row = Row::new(&subject.name);
    row.compared = 1;
    let [mut first, mut second] = [engines.first, engines.second]
        .map(|engine| subject.load(engine, &subject.state, Optimizer::sgd(0.9, 1e-4)));
    for step in 0..steps {
        let [a, b] = [&mut first, &mut second].map(|e| subject.learn(e.as_mut(), 1e-2));
        row.note("losses", (a - b).abs() / a.abs(), &format!("{}, step {step}", subject.name));
    }
    let (a, b) = (first.state().values, second.state().values);
    let norm = |pairs: &mut dyn Iterator<Item = (&f32, &f32)>| {
        pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
    };
    let (apart, gone) = (norm(&mut a.iter().zip(&b)), norm(&mut a.iter().zip(&subject.state.values)));
    row.note("way", apart / gone, &subject.name);
    row
}

/// A training that changes engines: three steps of AdamW on one, three on the other from its checkpoint, compared with six
/// on the one; both ways. What goes over comes back with the same bits. Kind of values: `losses`.
///
/// # Panics
/// If a state does not come back as it went in.
pub fn hand_over(engines: Pair<'_>, subject: &Subject) -> Row {
    let mut row = Row::new(&subject.name);
    row.compared = 1;
    let rule = Optimizer::adamw(0.01);
    for (from, to) in [(engines.first, engines.second), (engines.second, engines.first)] {
        let mut whole = subject.load(from, &subject.state, rule);
        for _ in 0..3 {
            subject.learn(whole.as_mut(), 1e-3);
        }
        whole.update_average(0.9);
        let (state, memory, average) = (whole.state(), whole.optimizer_state(), whole.average());
        let mut other = subject.load(to, &state, rule);
        other.set_optimizer_state(&memory).expect("of the same network and optimizer");
        other.set_dropout_state(whole.dropout_state());
        other.set_average(average.as_ref().expect("it was updated")).expect("of the same network");
        let what = format!("{} from {} to {}", subject.name, from.device(), to.device());
        assert_eq!(other.state(), state, "{what}");
        assert_eq!(other.optimizer_state(), memory, "{what}");
        assert_eq!(other.average(), average, "{what}");
        assert_eq!(other.dropout_state(), whole.dropout_state(), "{what}");
        for _ in 0..3 {
            let [a, b] = [&mut whole, &mut other].map(|e| subject.learn(e.as_mut(), 1e-3));
            row.note("losses", (a - b).abs() / a.abs(), &what);
        }
    }
    row
}
