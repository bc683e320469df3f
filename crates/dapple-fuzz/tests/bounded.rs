//! Every target over a bounded number of inputs.

use std::panic::catch_unwind;

use dapple_fuzz::{Mutator, TARGETS, Target};

fn run(target: &Target) {
    let seeds = (target.seeds)();
    for seed in &seeds {
        (target.run)(seed);
    }
    let mut mutator = Mutator::new(17, seeds);
    for number in 0..target.inputs {
        let input = mutator.next_input();
        if catch_unwind(|| (target.run)(&input)).is_err() {
            panic!("`{}` fails on input {number}: {}", target.name, input.escape_ascii());
        }
    }
}

/// One test a target, so that they run side by side and the failing one is named.
macro_rules! bounded {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            run(&dapple_fuzz::target(stringify!($name)).expect("a target of this name"));
        }
    )*};
}

bounded!(
    images,
    masks,
    annotations,
    polygons,
    run_lengths,
    checkpoint,
    pickle,
    safetensors,
    metadata,
    onnx,
    config,
    hub,
    tiff_rows,
    multipart
);

#[test]
fn every_target_is_run() {
    assert_eq!(TARGETS.len(), 14, "name a new target in `bounded!` above and in fuzz/");
}
