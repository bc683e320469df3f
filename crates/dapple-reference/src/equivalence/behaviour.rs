//! The promises of executors and trainers between passes: states, averages, rates, dropout, errors, the search for NaN and
//! infinite values.
//!
//! Each function panics where an engine breaks the promise in its name.

use super::{TOLERANCE, some_loss};
use crate::random;
use dapple_graph::{
    Conv2d, DropoutState, Engine, EngineError, FaultKind, Graph, GraphError, Inference, Loss, LossKind,
    Network, Optimizer, ParamSpec, Shape, State, Tensor, Trainer,
};
use std::sync::Arc;

const SHAPE: Shape = Shape { n: 2, h: 6, w: 5, c: 3 };
const FITS: &str = "the engine takes what the graph takes";

/// All of them.
///
/// # Panics
/// Where a promise is broken.
pub fn all(engine: &dyn Engine) {
    states_come_back_as_they_went_in(engine);
    gradients_come_back_as_they_went_in(engine);
    the_average_is_that_of_its_definition(engine);
    frozen_parameters_neither_move_nor_count(engine);
    the_first_layer_that_is_not_finite_is_found(engine);
    a_gradient_that_is_not_finite_changes_nothing(engine);
    a_training_with_dropout_resumes_as_if_it_had_not_been_interrupted(engine);
    samples_differ_and_their_mean_is_the_prediction(engine);
    wrong_input_is_an_error(engine);
}

fn build(shape: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(shape);
    let x = g.conv2d("encoder.conv", g.input(), &Conv2d::new(4, 3).padding(1))?;
    let x = g.batch_norm("encoder.norm", x)?;
    let x = g.relu(x)?;
    let x = g.conv2d("head", x, &Conv2d::new(2, 1))?;
    g.output("logits", x)?;
    Ok(g)
}

fn state() -> State {
    State::init(&build(SHAPE).expect("it fits"), 7)
}

fn load(engine: &dyn Engine, state: &State, optimizer: Optimizer) -> Box<dyn Trainer> {
    engine.load_trainer(Arc::new((SHAPE, build)), state, optimizer).expect(FITS)
}

fn images() -> Tensor {
    Tensor::new(SHAPE, (0..SHAPE.len()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect())
}

fn labels() -> Vec<u8> {
    (0..SHAPE.pixels()).map(|i| u8::from(i % 3 == 0)).collect()
}

fn learn(executor: &mut dyn Trainer, rate: f32) -> f32 {
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, 1.0).expect(FITS);
    executor.step(rate, None).expect("it has an optimizer")
}

/// Parameters and running statistics are given out as they were taken, to the bit.
///
/// # Panics
/// Where they are not.
pub fn states_come_back_as_they_went_in(engine: &dyn Engine) {
    for seed in 0..40 {
        let network = random::network(seed);
        let state = random::state(&network.graph, seed);
        let mut executor = engine.load(Arc::new(network.clone()), &state).expect(FITS);
        assert_eq!(executor.state(), state, "{}", network.description);
        let other = random::state(&network.graph, seed + 1);
        executor.set_state(&other).expect("of the same network");
        assert_eq!(executor.state(), other, "{}", network.description);
    }
}

/// [`Trainer::set_gradients`] takes what [`Trainer::gradients`] gives, in its order, and the next step goes along it.
///
/// # Panics
/// Where it does not.
pub fn gradients_come_back_as_they_went_in(engine: &dyn Engine) {
    let state = state();
    let mut executor = load(engine, &state, Optimizer::sgd(0.0, 0.0));
    learn(executor.as_mut(), 0.0);
    let gradient: Vec<f32> = (0..state.values.len()).map(|i| (i % 7) as f32 - 3.0).collect();
    executor.set_gradients(&gradient).expect("one value for each");
    assert_eq!(executor.gradients(), gradient);
    executor.step(0.5, None).expect("it has a gradient");
    let wanted = state.values.iter().zip(&gradient).map(|(value, slope)| value - 0.5 * slope);
    let found = executor.state().values;
    assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-5));
    assert!(executor.set_gradients(&gradient[1..]).is_err(), "a value is missing");
    // A process by itself needs no engine that knows of others.
    assert!(executor.join(None));
}

/// [`Trainer::update_average`] and what belongs to it.
///
/// # Panics
/// Where the average is another, or is not exchanged.
pub fn the_average_is_that_of_its_definition(engine: &dyn Engine) {
    let mut executor = load(engine, &state(), Optimizer::sgd(0.9, 0.0));
    assert!(executor.average().is_none());
    executor.swap_ema();
    assert_eq!(executor.state(), state(), "without an average, nothing is exchanged");
    let mut wanted: Option<State> = None;
    for step in 0..5 {
        learn(executor.as_mut(), 0.1);
        let decay = 0.5 + 0.1 * step as f32;
        executor.update_average(decay);
        let now = executor.state();
        let average = wanted.get_or_insert_with(|| now.clone());
        let mix = |a: &mut Vec<f32>, v: &Vec<f32>| {
            a.iter_mut().zip(v).for_each(|(a, v)| *a = decay * *a + (1.0 - decay) * v);
        };
        mix(&mut average.values, &now.values);
        mix(&mut average.statistics, &now.statistics);
    }
    let (wanted, found) = (wanted.expect("made"), executor.average().expect("made"));
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close(&found.values, &wanted.values) && close(&found.statistics, &wanted.statistics));

    let raw = executor.state();
    executor.swap_ema();
    assert_eq!((executor.state(), executor.average()), (found.clone(), Some(raw.clone())));
    executor.swap_ema();
    assert_eq!(executor.state(), raw);
    let mut other = load(engine, &state(), Optimizer::sgd(0.9, 0.0));
    other.set_average(&found).expect("of the same network");
    assert_eq!(other.average(), Some(found));
}

/// [`Trainer::set_rate_factors`].
///
/// # Panics
/// Where a frozen parameter moves or counts in the norm, or half a rate is not half the way.
pub fn frozen_parameters_neither_move_nor_count(engine: &dyn Engine) {
    for optimizer in
        [Optimizer::adamw(0.1), Optimizer::sgd(0.9, 0.1), Optimizer::lion(0.1), Optimizer::muon(0.1)]
    {
        let begin = state();
        let frozen = |name: &str| name.starts_with("encoder.");
        let mut executor = load(engine, &begin, optimizer);
        let factors: Vec<f32> =
            begin.specs.iter().map(|spec| if frozen(&spec.name) { 0.0 } else { 1.0 }).collect();
        executor.set_rate_factors(&factors).expect("one each");
        let loss = Loss::single(LossKind::CrossEntropy);
        executor.accumulate(&images(), &labels(), &loss, 1.0).expect(FITS);
        let gradients = executor.gradients();
        let head = |(_, spec): &(usize, &ParamSpec)| spec.role.trainable() && !frozen(&spec.name);
        let counted = begin.specs.iter().enumerate().filter(head);
        let squares = counted.flat_map(|(_, spec)| &gradients[spec.offset..spec.offset + spec.len()]);
        let wanted = squares.map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let norm = executor.step(0.1, None).expect("it has an optimizer");
        assert!((f64::from(norm) - wanted).abs() < 1e-5 * wanted, "{norm} for {wanted}");
        let after = executor.state();
        for (i, spec) in begin.specs.iter().enumerate().filter(|(_, spec)| spec.role.trainable()) {
            assert_eq!(after.slice(i) == begin.slice(i), frozen(&spec.name), "{} {optimizer:?}", spec.name);
        }
        let memory = executor.optimizer_state();
        let still = begin.specs.iter().filter(|spec| frozen(&spec.name) && spec.role.trainable());
        assert!(still.flat_map(|s| &memory.slots[0][s.offset..s.offset + s.len()]).all(|&v| v == 0.0));

        // Half the rate is half the way, where the way is the gradient's.
        if let Optimizer::Sgd { .. } = optimizer {
            let step = |factor: f32| {
                let mut executor = load(engine, &begin, Optimizer::sgd(0.0, 0.0));
                executor.set_rate_factors(&vec![factor; begin.specs.len()]).expect("one each");
                learn(executor.as_mut(), 0.1);
                executor.state().values
            };
            let (whole, half) = (step(1.0), step(0.5));
            let ways = begin.values.iter().zip(whole.iter().zip(&half));
            assert!(ways.into_iter().all(|(p, (w, h))| (w - p - 2.0 * (h - p)).abs() < 1e-6));
        }
    }
    let refused = load(engine, &state(), Optimizer::adam()).set_rate_factors(&[1.0]);
    assert!(matches!(refused, Err(EngineError::Input(_))));
}

/// [`Trainer::find_fault`].
///
/// # Panics
/// Where it names another place, or one where there is none.
pub fn the_first_layer_that_is_not_finite_is_found(engine: &dyn Engine) {
    let loss = Loss::single(LossKind::CrossEntropy);
    let find = |state: &State, images: &Tensor| {
        load(engine, state, Optimizer::adam()).find_fault(images, &labels(), &loss).expect(FITS)
    };
    assert_eq!(find(&state(), &images()), None);

    let mut poisoned = images();
    poisoned.data[7] = f32::NAN;
    let fault = find(&state(), &poisoned).expect("an image is poisoned");
    assert_eq!((fault.place.as_str(), fault.kind), ("input", FaultKind::Output));

    let mut bad = state();
    bad.set("head.weight", &[f32::INFINITY; 8]).expect("it has 8");
    let fault = find(&bad, &images()).expect("a weight is infinite");
    assert_eq!((fault.place.as_str(), fault.kind), ("head.weight", FaultKind::Parameter));

    // Finite weights whose products are not.
    let mut large = state();
    large.set("head.weight", &[3e38; 8]).expect("it has 8");
    large.set("encoder.norm.bias", &[9.0; 4]).expect("it has 4");
    let fault = find(&large, &images()).expect("the head overflows");
    assert_eq!((fault.place.as_str(), fault.kind), ("head", FaultKind::Output));
}

/// [`Trainer::step`] with a gradient that is not finite.
///
/// # Panics
/// Where parameters or the memory changed.
pub fn a_gradient_that_is_not_finite_changes_nothing(engine: &dyn Engine) {
    let mut executor = load(engine, &state(), Optimizer::adam());
    let loss = Loss::single(LossKind::CrossEntropy);
    executor.accumulate(&images(), &labels(), &loss, f32::INFINITY).expect(FITS);
    assert!(!executor.step(0.1, Some(1.0)).expect("it has an optimizer").is_finite());
    assert_eq!(executor.state().values, state().values);
    assert_eq!(executor.optimizer_state().steps, 0);
    // The next step begins anew.
    assert!(learn(executor.as_mut(), 0.1).is_finite());
    assert_ne!(executor.state().values, state().values);
}

/// With state, optimizer's memory and dropout's position a training resumes, whatever was run in between: the losses agree
/// to rounding, as an engine may add in another order each time.
///
/// # Panics
/// Where it resumes otherwise.
pub fn a_training_with_dropout_resumes_as_if_it_had_not_been_interrupted(engine: &dyn Engine) {
    let [(next, whole), (again, resumed)] = steps_with_dropout(engine, engine);
    assert!(
        next.iter().zip(again).all(|(a, b)| (a - b).abs() < TOLERANCE * a.abs()),
        "{again:?} for {next:?}"
    );
    assert!(whole.values.iter().zip(&resumed.values).all(|(a, b)| (a - b).abs() < 1e-5));
}

/// The losses and the state after the second step of a training with dropout: on the first engine, and on the second one
/// with the state, the optimizer's memory and dropout's position that the first had before that step.
///
/// # Panics
/// If an engine does not take the network, or if dropout's position is not the number of passes.
pub fn steps_with_dropout(first: &dyn Engine, second: &dyn Engine) -> [([f64; 2], State); 2] {
    let shape = Shape::new(2, 6, 5, 4);
    let build = move |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.conv2d("conv", g.input(), &Conv2d::new(20, 3).padding(1))?;
        let y = g.dropout(y, 0.5)?;
        let y = g.conv2d("out", y, &Conv2d::new(3, 1))?;
        g.output("logits", y)?;
        Ok(g)
    };
    let network = Arc::new((shape, build));
    let state = State::init(&network.build(shape).expect("it fits"), 1);
    let (input, labels) = (random::tensor(shape, 2), random::labels(shape.pixels(), 3, None, 2));
    let loss = Loss::single(LossKind::CrossEntropy);
    let load = |engine: &dyn Engine, state: &State| {
        engine.load_trainer(network.clone(), state, Optimizer::adam()).expect(FITS)
    };
    let learn = |executor: &mut Box<dyn Trainer>| {
        // A batch in two parts: each pass drops other values.
        let losses = [0.5, 0.5].map(|s| executor.accumulate(&input, &labels, &loss, s).expect(FITS));
        executor.step(0.01, None).expect("it has an optimizer");
        losses
    };
    let mut whole = load(first, &state);
    whole.set_dropout_state(DropoutState { seed: 5, passes: 0 });
    let before = learn(&mut whole);
    assert_ne!(before[0], before[1]);
    let (at, memory, dropout) = (whole.state(), whole.optimizer_state(), whole.dropout_state());
    assert_eq!(dropout, DropoutState { seed: 5, passes: 2 });
    whole.evaluate(&input, &labels, &loss).expect(FITS);
    let next = learn(&mut whole);

    let mut resumed = load(second, &at);
    resumed.set_optimizer_state(&memory).expect("it fits");
    resumed.set_dropout_state(dropout);
    let again = learn(&mut resumed);
    [(next, whole.state()), (again, resumed.state())]
}

/// [`Inference::Sample`] drops other values in each pass, and their mean is what [`Inference::Predict`] gives.
///
/// # Panics
/// Where it does not.
pub fn samples_differ_and_their_mean_is_the_prediction(engine: &dyn Engine) {
    let shape = Shape::new(1, 4, 4, 16);
    let build = move |input: Shape| {
        let mut g = Graph::new(input);
        let y = g.dropout(g.input(), 0.25)?;
        g.output("y", y)?;
        Ok(g)
    };
    let empty = State { specs: Vec::new(), values: Vec::new(), statistics: Vec::new() };
    let mut executor = engine.load(Arc::new((shape, build)), &empty).expect("there are no parameters");
    let input = Tensor::new(shape, vec![1.0; shape.len()]);
    let mut draw = |mode| executor.infer(&input, mode).expect(FITS).remove(0).data;
    assert_eq!(draw(Inference::Predict), input.data);
    assert_ne!(draw(Inference::Sample), draw(Inference::Sample));
    let mut means = vec![0.0; shape.len()];
    for _ in 0..1000 {
        draw(Inference::Sample).iter().zip(&mut means).for_each(|(v, m)| *m += v / 1000.0);
    }
    // Six standard deviations of a mean of 1000 draws.
    assert!(means.iter().all(|m| (m - 1.0).abs() < 0.11), "{means:?}");
}

/// Labels, shapes, gradients and states that do not fit are errors that say so, and leave the executor usable.
///
/// # Panics
/// Where one is taken, or the message does not name it.
pub fn wrong_input_is_an_error(engine: &dyn Engine) {
    let network = random::labelled_network(3);
    let graph = network.graph.clone();
    let shape = graph.shape(graph.input());
    let channels = graph.shape(graph.outputs()[0].1).c;
    let state = random::state(&graph, 0);
    let mut executor = engine.load_trainer(Arc::new(network), &state, Optimizer::adam()).expect(FITS);
    let input = random::tensor(shape, 0);
    let loss = some_loss(channels, 0);
    let message = |r: Result<f64, EngineError>| r.expect_err("refused").to_string();
    assert!(message(executor.accumulate(&input, &[0], &loss, 1.0)).contains("1 labels for"));
    if channels > 1 {
        let labels = vec![200; shape.pixels()];
        assert!(message(executor.accumulate(&input, &labels, &loss, 1.0)).contains("label 200"));
    }
    let short = Tensor { shape, data: vec![0.0] };
    assert!(message(executor.infer(&short, Inference::Eval).map(|_| 0.0)).contains("1 values for"));
    assert!(executor.backward(&[]).expect_err("nothing to undo").to_string().contains("forward pass"));
    executor.forward(&input).expect(FITS);
    assert!(executor.backward(&[]).expect_err("no gradients").to_string().contains("for outputs"));
    assert!(executor.step(0.1, None).expect_err("no gradients").to_string().contains("needs gradients"));
    let other = random::network(4);
    let wrong = random::state(&other.graph, 0);
    assert!(executor.set_state(&wrong).is_err() && executor.set_average(&wrong).is_err());
    assert!(executor.set_optimizer_state(&Default::default()).is_err(), "Adam has memory");
    let labels = random::labels(shape.pixels(), channels.max(2), None, 0);
    assert!(executor.accumulate(&input, &labels, &loss, 1.0).expect(FITS).is_finite());
}
