//! Foreign ONNX models as graphs.
//!
//! A file is read for one size of the image at a time (`walk`): its nodes one after another, over values that are
//! either known (weights, and shapes as soon as the size is), or maps of ours seen as tensors (`view`). Shapes, orders of axes
//! and factors change how a map is seen and cost nothing; everything else becomes operations of the graph.

mod activation;
mod arithmetic;
mod broadcast;
mod builder;
mod call;
mod constant;
mod conv;
mod dispatch;
mod error;
mod file;
mod fold;
mod head;
mod layout;
mod movement;
mod network;
mod norm;
mod numbers;
mod opsets;
mod pattern;
mod places;
mod pool;
mod product;
mod quantize;
mod read;
mod reduce;
mod refusal;
mod resample;
mod value;
mod view;
mod walk;
mod windows;

pub use error::{ImportError, Unread};
pub use head::Ending;
pub use network::{ImportOptions, Imported, OnnxFile, OnnxNetwork, USUAL_SIDE};
pub use opsets::READ_OPSETS;
pub use walk::{Layout, Preparation};
