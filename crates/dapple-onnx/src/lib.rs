//! ONNX models from dapple graphs.
//!
//! [`export`] writes a network with its weights as one ONNX file that other runtimes run for any batch, height and
//! width: nothing of the size that the graph was built for is in the file. Sizes that depend on the input (resizing to
//! the size of another map, centred padding, unpooling) are computed by the model itself from its maps' shapes.
//!
//! - Input `input`, `[batch, channels, height, width]` in `f32`, normalized as the model's metadata say. ONNX is
//!   channels-first; dapple's own maps are channels-last.
//! - Outputs are logits under the graph's names, the primary one only unless [`Options::all_outputs`] is set; or
//!   `probabilities` in place of the primary one's logits.
//! - Parameters keep their names as initializers. Batch norm is folded into convolutions unless
//!   [`Options::fold_batch_norm`] is cleared.
//!
//! ```
//! use dapple_graph::{Conv2d, Graph, GraphError, Network, Shape, State};
//! let network = (Shape::new(1, 8, 8, 3), |input| {
//!     let mut g = Graph::new(input);
//!     let x = g.conv2d("conv", g.input(), &Conv2d::new(2, 3).padding(1))?;
//!     g.output("logits", x)?;
//!     Ok::<Graph, GraphError>(g)
//! });
//! let state = State::init(&network.build(network.example_input())?, 0);
//! let bytes = dapple_onnx::export(&network, &state, &dapple_onnx::Options::default())?;
//! # let _ = bytes;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod error;
mod layout;
mod model;
mod ops;
pub mod proto;
mod size;
mod structure;
mod writer;

pub use error::{OnnxError, StateMismatch};
pub use model::{export, export_graph};

use std::ops::RangeInclusive;

/// Versions of ONNX's operator set that can be written.
pub const OPSETS: RangeInclusive<i64> = 17..=22;

/// How a model is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Version of the operator set, one of [`OPSETS`]. The lowest one runs on most runtimes.
    pub opset: i64,
    /// Folds batch norm into the convolutions before it, which gives the same function with fewer operations.
    pub fold_batch_norm: bool,
    /// Writes side outputs too.
    pub all_outputs: bool,
    /// Puts probabilities in place of the primary output's logits.
    pub probabilities: Option<OutputFunction>,
    /// Further metadata of the model, by key, in this order.
    pub metadata: Vec<(String, String)>,
}

/// The function that turns logits into probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFunction {
    /// Softmax over the channels: one class a pixel.
    Softmax,
    /// Sigmoid of each channel: each class against the rest.
    Sigmoid,
}

impl Default for Options {
    /// The lowest opset, batch norm folded, logits of the primary output, no metadata.
    fn default() -> Self {
        Self {
            opset: *OPSETS.start(),
            fold_batch_norm: true,
            all_outputs: false,
            probabilities: None,
            metadata: Vec::new(),
        }
    }
}
