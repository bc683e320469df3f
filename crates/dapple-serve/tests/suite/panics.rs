//! Panics beneath the service cost one request.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dapple_cpu::CpuEngine;
use dapple_graph::{
    DropoutState, Engine, EngineError, Executor, Inference, Loss, Network, Optimizer, State, Tensor, Trainer,
};

use crate::common::{Running, model, model_on, photo};

/// The CPU engine, except that some passes panic.
struct Faulty {
    engine: CpuEngine,
    passes: Arc<AtomicUsize>,
    fault: fn(usize),
}

struct FaultyExecutor {
    executor: Box<dyn Executor>,
    passes: Arc<AtomicUsize>,
    fault: fn(usize),
}

impl Faulty {
    fn new(fault: fn(usize)) -> Self {
        Self { engine: CpuEngine::new(Some(1)).expect("threads"), passes: Arc::default(), fault }
    }
}

impl Engine for Faulty {
    fn device(&self) -> String {
        self.engine.device()
    }

    fn load(&self, network: Arc<dyn Network>, state: &State) -> Result<Box<dyn Executor>, EngineError> {
        let (passes, fault) = (Arc::clone(&self.passes), self.fault);
        Ok(Box::new(FaultyExecutor { executor: self.engine.load(network, state)?, passes, fault }))
    }

    fn load_trainer(
        &self,
        network: Arc<dyn Network>,
        state: &State,
        optimizer: Optimizer,
    ) -> Result<Box<dyn Trainer>, EngineError> {
        self.engine.load_trainer(network, state, optimizer)
    }
}

impl Executor for FaultyExecutor {
    fn infer(&mut self, input: &Tensor, mode: Inference) -> Result<Vec<Tensor>, EngineError> {
        (self.fault)(self.passes.fetch_add(1, Ordering::SeqCst));
        self.executor.infer(input, mode)
    }

    fn evaluate(&mut self, input: &Tensor, labels: &[u8], loss: &Loss) -> Result<(f64, Tensor), EngineError> {
        self.executor.evaluate(input, labels, loss)
    }

    fn state(&self) -> State {
        self.executor.state()
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.executor.set_state(state)
    }

    fn dropout_state(&self) -> DropoutState {
        self.executor.dropout_state()
    }

    fn set_dropout_state(&mut self, state: DropoutState) {
        self.executor.set_dropout_state(state);
    }
}

#[test]
fn a_panic_in_the_network_costs_its_batch() {
    let faulty = Faulty::new(|pass| assert!(pass != 0, "the first pass"));
    let server = Running::with(|_| (), vec![model_on("faulty", 2, &faulty)]);
    assert_eq!(server.predict("", &photo(9, 9)).status, 500);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.predict("", &photo(9, 9)).status, 200);
}

#[test]
fn a_dead_networks_thread_is_reported_and_other_models_go_on() {
    /// A panic's payload whose end panics too: nothing contains that.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the payload's end");
        }
    }

    let faulty = Faulty::new(|_| panic_any(Bomb));
    let server = Running::with(|_| (), vec![model_on("faulty", 2, &faulty), model("sound", 2)]);
    assert_eq!(server.predict("", &photo(9, 9)).status, 500);
    // The thread ends a moment after the request.
    while server.get("/healthz").status == 200 {
        std::thread::yield_now();
    }
    let health = server.get("/healthz");
    let (status, health) = (health.status, health.json());
    assert_eq!((status, health["status"].as_str()), (503, Some("failing")));
    assert_eq!(
        (health["models"]["faulty"].as_str(), health["models"]["sound"].as_str()),
        (Some("dead"), Some("ok"))
    );
    assert_eq!(server.get("/readyz").status, 503);
    assert_eq!(server.predict("", &photo(9, 9)).status, 500);
    assert_eq!(server.predict("?model=sound", &photo(9, 9)).status, 200);
}
