//! ONNX models from dapple graphs, and dapple graphs from ONNX models.
//!
//! [`OnnxFile`] reads models of any program, with the operators that segmentation networks use, as a [`Network`](dapple_graph::Network) with its
//! weights.
//!
//! [`export`] writes a network with its weights as one ONNX file that other runtimes run for any batch, height and
//! width: nothing of the size that the graph was built for is in the file. Sizes that depend on the input (resizing to
//! the size of another map, centred padding, unpooling) are computed by the model itself from its maps' shapes.
//!
//! - Input `input`, `[batch, channels, height, width]` in `f32`, normalized as the model's metadata say. ONNX is
//!   channels-first; dapple's own maps are channels-last.
//!   With [`Options::preprocessing`] it is `image` instead, `[batch, height, width, channels]` in `u8`, of any size.
//! - Outputs are logits under the graph's names, the primary one only unless [`Options::all_outputs`] is set; or
//!   `probabilities` or `labels` in place of the primary one's logits ([`Options::function`]). With preprocessing, the primary
//!   output has the size of the image.
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
//! let exported = dapple_onnx::export(&network, &state, &dapple_onnx::Options::default())?;
//! # let _ = exported.bytes;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod error;
mod half_precision;
mod import;
mod layout;
mod model;
mod ops;
mod preprocessing;
mod primary;
pub mod proto;
mod quantized;
mod size;
mod structure;
mod writer;

pub use error::{OnnxError, StateMismatch};
pub use import::{
    Ending, ImportError, ImportOptions, Imported, Layout, OnnxFile, OnnxNetwork, Preparation, READ_OPSETS,
    USUAL_SIDE, Unread,
};
pub use model::{Exported, export, export_graph};
pub use preprocessing::Preprocessing;

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
    /// Stores the weights of layers in half precision, which halves the file; runtimes widen them when they load it, and
    /// compute in single precision. Weights that half precision does not hold stay as they are ([`Exported::kept_single`]).
    pub half: bool,
    /// Writes the convolutions of a quantized network with `QuantizeLinear` and `DequantizeLinear`, from which runtimes make
    /// kernels of integers. Without, they are written with their rounded weights.
    pub int8: bool,
    /// Writes side outputs too.
    pub all_outputs: bool,
    /// Takes images as decoders give them, and resizes and normalizes them; needs opset 18. Logits are resized to the images'
    /// size, bilinearly between pixel centres.
    pub preprocessing: Option<Preprocessing>,
    /// A function of the primary output's logits in place of them.
    pub function: Option<OutputFunction>,
    /// Further metadata of the model, by key, in this order.
    pub metadata: Vec<(String, String)>,
}

/// A function of the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFunction {
    /// Softmax over the channels: one class a pixel.
    Softmax,
    /// Sigmoid of each channel: each class against the rest.
    Sigmoid,
    /// The class of the highest logit, `[batch, height, width]` in `u8`, at the input's size. A single logit is that of class 1,
    /// chosen where it is above 0.
    Labels,
}

impl OutputFunction {
    /// The name of the output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Softmax | Self::Sigmoid => "probabilities",
            Self::Labels => "labels",
        }
    }
}

impl Default for Options {
    /// The lowest opset, batch norm folded, logits of the primary output, no metadata.
    fn default() -> Self {
        Self {
            opset: *OPSETS.start(),
            fold_batch_norm: true,
            half: false,
            int8: false,
            all_outputs: false,
            preprocessing: None,
            function: None,
            metadata: Vec::new(),
        }
    }
}
