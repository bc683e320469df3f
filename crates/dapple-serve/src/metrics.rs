//! The counts and times at `/metrics`, in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of the buckets of batch sizes.
const SIZES: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Counts of values in buckets.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    counts: [u64; N],
    count: u64,
    sum: f64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Self { bounds, counts: [0; N], count: 0, sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        if let Some(bucket) = self.bounds.iter().position(|&bound| value <= bound) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    fn write(&self, text: &mut String, name: &str) {
        // Writing to a String cannot fail.
        let mut below = 0;
        for (bound, count) in self.bounds.iter().zip(self.counts) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {}", self.count);
        let _ = writeln!(text, "{name}_sum {}\n{name}_count {}", self.sum, self.count);
    }
}

/// Counts since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    start: Instant,
    /// By route and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    times: Mutex<Histogram<12>>,
    batches: Mutex<Histogram<6>>,
    network_micros: AtomicU64,
    shed: AtomicU64,
    /// In-flight prediction requests.
    pub in_flight: AtomicUsize,
}

impl Metrics {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            requests: Mutex::default(),
            times: Mutex::new(Histogram::new(SECONDS)),
            batches: Mutex::new(Histogram::new(SIZES)),
            network_micros: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    pub fn request(&self, route: &'static str, status: u16) {
        *lock(&self.requests).entry((route, status)).or_default() += 1;
    }

    /// Counts a prediction request that was answered.
    pub fn answered(&self, time: Duration) {
        lock(&self.times).add(time.as_secs_f64());
    }

    /// Counts a batch that ran through the networks.
    pub fn batch(&self, images: usize, time: Duration) {
        lock(&self.batches).add(images as f64);
        self.network_micros.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Counts a request refused because too many are in flight.
    pub fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Mean network time per image in seconds; `None` before the first.
    pub fn seconds_an_image(&self) -> Option<f64> {
        let images = lock(&self.batches).sum;
        (images > 0.0).then(|| self.network_micros.load(Ordering::Relaxed) as f64 / 1e6 / images)
    }

    /// The text of `/metrics`, with the memory that requests hold.
    pub fn text(&self, held_bytes: u64) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(&mut text, "dapple_requests_total", "counter", "Requests answered, by route and status.");
        for ((route, status), count) in lock(&self.requests).iter() {
            let _ = writeln!(text, "dapple_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        head(
            &mut text,
            "dapple_prediction_seconds",
            "histogram",
            "Time of prediction requests, including the reading of the body.",
        );
        lock(&self.times).write(&mut text, "dapple_prediction_seconds");
        head(&mut text, "dapple_batch_images", "histogram", "Images in the batches of the networks.");
        lock(&self.batches).write(&mut text, "dapple_batch_images");
        let network = self.network_micros.load(Ordering::Relaxed) as f64 / 1e6;
        let mut single = |name: &str, kind: &str, help: &str, value: f64| {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "{name} {value}");
        };
        single("dapple_network_seconds_total", "counter", "Time spent in the networks.", network);
        let shed = self.shed.load(Ordering::Relaxed) as f64;
        single("dapple_shed_total", "counter", "Requests refused because too many were in flight.", shed);
        let in_flight = self.in_flight.load(Ordering::Relaxed) as f64;
        single("dapple_predictions_in_flight", "gauge", "In-flight prediction requests.", in_flight);
        single("dapple_request_memory_bytes", "gauge", "Memory set aside for requests.", held_bytes as f64);
        single("dapple_up_seconds", "gauge", "Time since the start.", self.start.elapsed().as_secs_f64());
        if let Some(bytes) = dapple_base::machine::resident_memory() {
            single("process_resident_memory_bytes", "gauge", "Resident memory of the process.", bytes as f64);
        }
        text
    }
}

/// A panic of another thread leaves counts that are still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_cumulative_buckets() {
        let metrics = Metrics::new();
        metrics.request("/predict", 200);
        metrics.request("/predict", 200);
        metrics.request("/models", 401);
        metrics.batch(3, Duration::from_millis(600));
        metrics.answered(Duration::from_millis(30));
        metrics.answered(Duration::from_secs(100));
        let text = metrics.text(4096);
        for line in [
            "dapple_requests_total{route=\"/predict\",status=\"200\"} 2",
            "dapple_requests_total{route=\"/models\",status=\"401\"} 1",
            "dapple_prediction_seconds_bucket{le=\"0.025\"} 0",
            "dapple_prediction_seconds_bucket{le=\"0.05\"} 1",
            "dapple_prediction_seconds_bucket{le=\"30\"} 1",
            "dapple_prediction_seconds_bucket{le=\"+Inf\"} 2",
            "dapple_batch_images_bucket{le=\"4\"} 1",
            "dapple_network_seconds_total 0.6",
            "dapple_request_memory_bytes 4096",
        ] {
            assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
        }
        assert!(metrics.seconds_an_image().is_some_and(|seconds| (seconds - 0.2).abs() < 1e-9));
    }
}
