//! libtorch's exceptions, explained to the reader.

use crate::cards::name;
use dapple_graph::{EngineError, Graph, GraphError, Network, Optimizer, Shape};
use tch::{Device, TchError};

/// Something that fails in libtorch's way or in the network's.
pub(crate) enum Failure {
    Torch(TchError),
    Engine(EngineError),
}

impl From<TchError> for Failure {
    fn from(error: TchError) -> Self {
        Self::Torch(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        Self::Engine(error.into())
    }
}

/// Maps that a training keeps for each one that it computes: the map, and about as much for gradients and work space.
const KEPT: f64 = 2.5;

/// The circumstances of a failure.
pub(crate) struct Attempt<'a> {
    pub device: Device,
    pub network: &'a dyn Network,
    /// Of the batch.
    pub input: Shape,
    /// The optimizer, in training.
    pub training: Option<Optimizer>,
}

impl Attempt<'_> {
    /// The error for the reader: of memory with the batch that would fit, of anything else as libtorch said it.
    pub fn error(&self, error: &TchError) -> EngineError {
        let text = error.to_string();
        let why = match out_of_memory(&text) {
            true => self.too_large(&text),
            false => first_line(&text).to_owned(),
        };
        EngineError::Device { device: name(self.device), why }
    }

    /// As [`Attempt::error`], of libtorch's failures.
    pub fn explain(&self, failure: Failure) -> EngineError {
        match failure {
            Failure::Engine(error) => error,
            Failure::Torch(error) => self.error(&error),
        }
    }

    fn too_large(&self, text: &str) -> String {
        let Shape { n, h, w, .. } = self.input;
        let more = match self.fitting(capacity(text)) {
            Some(fits) => format!("; by estimate, a batch of {fits} would fit: --batch {fits}"),
            None => "; use a smaller --size or --width".to_owned(),
        };
        let saved = if self.training.is_some() {
            ". The last checkpoint is kept, and the run can be resumed"
        } else {
            ""
        };
        let all = capacity(text).map_or(String::new(), |bytes| format!(" of {:.1} GB", bytes / 1e9));
        format!("a batch of {n} images of {h} x {w} needs more than its memory{all}{more}{saved}")
    }

    /// The largest batch, below the one that failed, that should fit: by the sizes of the graph's maps where the memory is
    /// known, by halving where it is not or where the sizes do not explain the failure.
    fn fitting(&self, capacity: Option<f64>) -> Option<usize> {
        let half = self.input.n / 2;
        let estimate = capacity.and_then(|capacity| {
            let one = self.network.build(Shape { n: 1, ..self.input }).ok()?;
            Some((0.9 * capacity - self.parameters(&one)) / self.image(&one))
        });
        let fits = estimate.map_or(half, |images| (images.max(0.0) as usize).min(half.max(1)));
        (fits > 0 && fits < self.input.n).then_some(fits)
    }

    /// Bytes that do not depend on the batch: parameters, gradients and the optimizer's memory.
    fn parameters(&self, graph: &Graph) -> f64 {
        let copies = self.training.map_or(2, |optimizer| 3 + optimizer.slots());
        (graph.trainable_len() * size_of::<f32>() * copies) as f64
    }

    /// Bytes for an image.
    fn image(&self, graph: &Graph) -> f64 {
        let maps = graph.nodes().iter().map(|node| node.shape.len());
        let values = if self.training.is_some() {
            KEPT * maps.sum::<usize>() as f64
        } else {
            3.0 * maps.max().unwrap_or(0) as f64
        };
        (values * size_of::<f32>() as f64).max(1.0)
    }
}

/// Whether libtorch ran out of memory, by the words of its allocators.
fn out_of_memory(text: &str) -> bool {
    ["out of memory", "can't allocate memory", "not enough memory"].iter().any(|words| text.contains(words))
}

/// The card's memory in bytes, as the allocator's message says it.
fn capacity(text: &str) -> Option<f64> {
    let (_, rest) = text.split_once("total capacity of ")?;
    let mut words = rest.split_whitespace();
    let amount: f64 = words.next()?.parse().ok()?;
    let unit = match words.next()? {
        "GiB" => 1u64 << 30,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(amount * unit as f64)
}

/// Without the stack that libtorch adds.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dapple_graph::Conv2d;

    const FULL: &str = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1.00 GiB of which \
        12.00 MiB is free. Including non-PyTorch memory";

    fn build(shape: Shape) -> Result<Graph, GraphError> {
        let mut g = Graph::new(shape);
        let x = g.conv2d("conv", g.input(), &Conv2d::new(64, 3).padding(1))?;
        g.output("y", x)?;
        Ok(g)
    }

    #[test]
    fn memory_that_is_full_names_a_batch_that_fits() {
        let shape = Shape::new(64, 512, 512, 3);
        let network = (shape, build);
        let attempt =
            |input, training| Attempt { device: Device::Cuda(1), network: &network, input, training };
        let message =
            |text: &str, attempt: Attempt<'_>| attempt.error(&TchError::Torch(text.to_owned())).to_string();
        // 67 maps of 512 x 512 are 70 MB, which is 176 MB in training: 5 in 90 % of 1 GiB.
        let full = message(FULL, attempt(shape, Some(Optimizer::adam())));
        assert!(full.starts_with("cuda:1: a batch of 64 images of 512 x 512"), "{full}");
        assert!(full.contains("--batch 5") && full.contains("1.1 GB") && full.contains("resumed"), "{full}");
        let unknown =
            message("DefaultCPUAllocator: can't allocate memory", attempt(shape, Some(Optimizer::adam())));
        assert!(unknown.contains("--batch 32"), "{unknown}");
        let single = message(FULL, attempt(Shape { n: 1, ..shape }, None));
        assert!(single.contains("--size") && !single.contains("resumed"), "{single}");
        let other = message("shapes differ\nframe #0: c10::Error", attempt(shape, Some(Optimizer::adam())));
        assert_eq!(other, "cuda:1: Internal torch error: shapes differ");
    }
}
