//! Trainings within a limit of memory.

use dapple_cpu::{Convolution, CpuEngine};
use dapple_graph::{
    Conv2d, Engine, Graph, GraphError, Inference, Loss, LossKind, MaxPool, Network, Optimizer, Shape, State,
    Tensor,
};
use dapple_reference::random;
use std::sync::Arc;

fn engine() -> CpuEngine {
    CpuEngine::new(Some(2)).expect("threads can be started")
}

/// A deep network: many convolutions at one size.
fn deep(input: Shape) -> Result<Graph, GraphError> {
    let mut g = Graph::new(input);
    let mut x = g.input();
    for i in 0..36 {
        x = g.conv2d(&format!("conv{i}"), x, &Conv2d::new(16, 3).padding(1))?;
        x = g.batch_norm(&format!("bn{i}"), x)?;
        x = g.relu(x)?;
        if i == 5 {
            let pooled = g.max_pool(x, &MaxPool::new(2, 2))?;
            let up = g.upscale(pooled, 2, dapple_graph::Interpolation::Nearest)?;
            x = g.concat(&[x, up])?;
        }
    }
    let y = g.conv2d("logits", x, &Conv2d::new(2, 1))?;
    g.output("logits", y)?;
    Ok(g)
}

/// Random networks at limits down to 0.3 of what they take without one: the same bits on any number of threads, within a
/// plan that keeps the limit, or a refusal that names the smallest.
#[test]
fn maps_that_are_computed_again_change_no_bit() {
    let (mut saved, mut kept) = (0, 0);
    for seed in 0..80 {
        let network = random::network(seed);
        let graph = &network.graph;
        let state = random::state(graph, seed);
        let shape = graph.shape(graph.input());
        let input = random::tensor(shape, seed);
        let upstream: Vec<Tensor> =
            graph.outputs().iter().map(|(_, id)| random::tensor(graph.shape(*id), 3)).collect();
        let shared: Arc<dyn Network> = Arc::new(network.clone());
        let memory = engine().training_memory(&shared, Optimizer::adam(), shape).expect("it fits");
        assert!(memory.kept < memory.smallest && memory.smallest <= memory.planned);
        saved += usize::from(memory.smallest < memory.planned);

        let run = |engine: CpuEngine| {
            let mut executor =
                engine.load_trainer(shared.clone(), &state, Optimizer::adam()).expect("it fits");
            let outputs = executor.forward(&input)?;
            executor.backward(&upstream)?;
            Ok::<_, dapple_graph::EngineError>((outputs, executor.gradients(), executor.state()))
        };
        let wanted = run(engine()).expect("it fits");
        let shares = [10, 9, 8, 7, 6, 5, 4, 3].map(|tenths| memory.planned * tenths / 10);
        for (limit, threads) in
            [memory.smallest].into_iter().chain(shares).zip([2, 1, 2, 3].into_iter().cycle())
        {
            let engine = CpuEngine::new(Some(threads)).expect("threads can be started");
            let engine = engine.with_memory_limit(Some(limit));
            let memory = engine.training_memory(&shared, Optimizer::adam(), shape).expect("it fits");
            match run(engine) {
                Ok(found) => {
                    assert!(memory.smallest <= limit && memory.planned <= limit, "{limit} for {memory:?}");
                    assert!(found == wanted, "limit {limit} of {memory:?}: {}", network.description);
                    kept += 1;
                }
                Err(error) => {
                    assert!(memory.smallest > limit, "{limit} for {memory:?}: {error}");
                    let smallest = format!("needs {:.2} GB of memory at least", memory.smallest as f64 / 1e9);
                    assert!(error.to_string().contains(&smallest), "{error}");
                }
            }
        }
    }
    assert!(saved > 60 && kept > 200, "{saved} {kept}");
}

#[test]
fn a_limit_halves_the_memory_of_a_deep_network_and_too_small_a_one_is_refused() {
    let shape = Shape::new(2, 64, 64, 3);
    let network: Arc<dyn Network> = Arc::new((shape, deep));
    let optimizer = Optimizer::adam();
    let memory = engine().training_memory(&network, optimizer, shape).expect("it fits");
    assert!(memory.smallest * 3 < memory.planned, "{memory:?}");

    let state = State::init(&network.build(shape).expect("it fits"), 0);
    let (input, labels) = (random::tensor(shape, 1), random::labels(shape.pixels(), 2, None, 1));
    let loss = Loss::single(LossKind::CrossEntropy);
    let learn = |limit| {
        let engine = engine().with_memory_limit(limit);
        let mut executor = engine.load_trainer(network.clone(), &state, optimizer).expect("it fits");
        for _ in 0..2 {
            executor.accumulate(&input, &labels, &loss, 1.0)?;
            executor.step(0.01, None)?;
        }
        // The plan of the evaluation keeps the limit, too, and shares its memory.
        Ok::<_, dapple_graph::EngineError>((executor.infer(&input, Inference::Eval)?, executor.state()))
    };
    let free = learn(None).expect("it fits");
    assert_eq!(learn(Some(memory.smallest)).expect("the limit can be kept"), free);
    let error = learn(Some(memory.smallest - 4)).expect_err("below the smallest").to_string();
    let smallest = format!(
        "needs {:.2} GB of memory at least, {:.2} GB of it",
        memory.smallest as f64 / 1e9,
        memory.kept as f64 / 1e9
    );
    assert!(
        error.contains(&smallest)
            && error.contains("more than the limit")
            && error.contains("a batch of about 1 would fit"),
        "{error}"
    );
}

#[test]
fn engines_share_a_process_and_pools() {
    let shape = Shape::new(1, 40, 40, 3);
    let network: Arc<dyn Network> = Arc::new((shape, deep));
    let state = State::init(&network.build(shape).expect("it fits"), 0);
    let input = random::tensor(shape, 1);
    let run = |engine: &CpuEngine| {
        let mut executor = engine.load_trainer(network.clone(), &state, Optimizer::adam()).expect("it fits");
        executor.forward(&input).expect("it fits")
    };
    let wanted = run(&engine());

    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads can be started");
    let inside = pool.install(|| {
        let engine = CpuEngine::new(None).expect("threads can be started");
        (engine.threads(), run(&engine))
    });
    assert_eq!(inside, (3, wanted.clone()));
    // Another number of threads than the pool it is called in.
    assert_eq!(pool.install(|| run(&engine())), wanted);
    let shared = CpuEngine::in_pool(Arc::new(pool));
    assert_eq!(shared.threads(), 3);
    let (first, second) = (shared.clone(), engine());
    let found = std::thread::scope(|scope| {
        let threads =
            [scope.spawn(|| run(&first)), scope.spawn(|| run(&second)), scope.spawn(|| run(&shared))];
        threads.map(|thread| thread.join().expect("it does not panic"))
    });
    assert!(found.iter().all(|outputs| *outputs == wanted));
}

#[test]
fn both_ways_of_convolution_agree() {
    let shape = Shape::new(1, 34, 36, 3);
    let network: Arc<dyn Network> = Arc::new((shape, deep));
    let state = State::init(&network.build(shape).expect("it fits"), 0);
    let input = random::tensor(shape, 1);
    let run = |convolution| {
        let engine = engine().with_convolution(convolution);
        let mut executor = engine.load(network.clone(), &state).expect("it fits");
        executor.infer(&input, Inference::Predict).expect("it fits").remove(0).data
    };
    let (plain, winograd) = (run(Convolution::Plain), run(Convolution::Winograd));
    assert_ne!(plain, winograd);
    let wanted: Vec<f64> = plain.iter().map(|&v| f64::from(v)).collect();
    assert!(dapple_reference::relative_distance(&wanted, &winograd) < 1e-4);
}
