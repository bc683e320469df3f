//! The steps and the threads in time, in the Trace Event Format that Perfetto and Chrome show.

use std::path::Path;

use dapple::cpu::{Profile, StepTime};
use serde_json::{Value, json};

use crate::cli::failure::Failure;

/// The keys of such a file.
pub(super) const KEYS: &[&str] = &["displayTimeUnit", "otherData", "traceEvents"];

/// The number of the only process.
const PROCESS: u32 = 1;

/// The track of the steps, above the threads.
const STEPS: usize = 1;

/// Writes a trace.
pub(super) fn write(path: &Path, title: &str, profile: &Profile) -> Result<(), Failure> {
    let writer = format!("dapple {}", env!("CARGO_PKG_VERSION"));
    let trace = json!({
        "displayTimeUnit": "ms", "otherData": {"writer": writer}, "traceEvents": events(title, profile),
    });
    let bytes = serde_json::to_vec(&trace).map_err(Failure::other)?;
    dapple_base::write_atomic(path, &bytes)?;
    Ok(())
}

fn events(title: &str, profile: &Profile) -> Vec<Value> {
    let mut events = vec![described(0, "process_name", "name", title.into())];
    let threads = profile.threads.iter().map(|(name, _)| name.as_str());
    for (track, name) in (STEPS..).zip(["steps"].into_iter().chain(threads)) {
        events.push(described(track, "thread_name", "name", name.into()));
        events.push(described(track, "thread_sort_index", "sort_index", track.into()));
    }
    for (number, steps) in (1..).zip(&profile.passes) {
        if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
            let seconds = last.start + last.seconds - first.start;
            events.push(slice(STEPS, &format!("pass {number}"), "pass", [first.start, seconds], json!({})));
        }
        for step in steps {
            let (direction, kernel) = (if step.backward { "backward" } else { "forward" }, step.kernel);
            let operations = 2 * step.multiply_adds;
            let rate = operations as f64 / 1e9 / step.seconds.max(1e-9);
            let facts =
                json!({"kernel": kernel, "operations": operations, "GFLOP/s": rate, "bytes": step.bytes});
            events.push(slice(STEPS, &step.node, direction, [step.start, step.seconds], facts));
        }
    }
    for (track, (_, times)) in (STEPS + 1..).zip(&profile.threads) {
        for busy in times {
            let [pass, step] = busy.step;
            let StepTime { node, kernel, .. } = &profile.passes[pass][step];
            events.push(slice(track, node, "tasks", [busy.start, busy.seconds], json!({"kernel": kernel})));
        }
    }
    events
}

/// A fact about a track, or about the process.
fn described(track: usize, name: &str, key: &str, value: Value) -> Value {
    json!({"ph": "M", "pid": PROCESS, "tid": track, "name": name, "args": {key: value}})
}

/// A slice of a track: times in seconds become microseconds.
fn slice(track: usize, name: &str, category: &str, times: [f64; 2], facts: Value) -> Value {
    let [start, duration] = times.map(|seconds| (seconds * 1e9).round() / 1e3);
    json!({
        "ph": "X", "pid": PROCESS, "tid": track, "name": name, "cat": category,
        "ts": start, "dur": duration, "args": facts,
    })
}
