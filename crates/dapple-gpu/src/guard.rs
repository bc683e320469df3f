//! Panics of the library, as errors.

use dapple_graph::{EngineError, Shape};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether this thread's panics are caught here and need not be printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic inside the library. Callers change nothing of theirs until it has succeeded.
///
/// # Errors
/// Its own, or what it panicked with.
pub(crate) fn run<T>(device: &str, f: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    CAUGHT.set(outer);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let why = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        Err(EngineError::Device { device: device.into(), why: why.into() })
    })
}

/// As [`run`]; where memory was out for a batch of that shape, the error says what to do.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_batch<T>(
    device: &str,
    batch: Option<Shape>,
    f: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    run(device, f).map_err(|error| match batch {
        Some(shape) => of_batch(error, shape),
        None => error,
    })
}

/// An error of a pass over a batch; where memory was out, with the way out of that.
fn of_batch(error: EngineError, shape: Shape) -> EngineError {
    match error {
        EngineError::Device { device, why } if is_memory(&why) => {
            let advice = match shape.n {
                0 | 1 => "use smaller images or a narrower network".to_owned(),
                n => format!("try a batch of {} (and half of that, until it fits)", n / 2),
            };
            let why =
                format!("out of memory for a batch of {} at {} x {}; {advice}", shape.n, shape.h, shape.w);
            EngineError::Device { device, why }
        }
        other => other,
    }
}

fn is_memory(why: &str) -> bool {
    let why = why.to_lowercase();
    [
        "out of memory",
        "outofmemory",
        "not enough memory",
        "allocat",
        "buffertoobig",
        "too large",
        "max_buffer",
    ]
    .iter()
    .any(|sign| why.contains(sign))
}
