//! Learning along: a small network that is trained on the labelled pixels while the person paints.
//!
//! An image becomes [`Maps`]: features of its pixels at several scales, those of a pretrained encoder where weights are at hand, and
//! simple ones of colour and edges. They are computed once an image. A [`Head`] of two layers learns classes from the features of the
//! labelled pixels of all images, which takes tenths of a second; it gives a [`Proposal`] for every image. The same pixels give the
//! same head.

mod encoder;
mod features;
mod fit;
mod folds;
mod gallery;
mod head;
mod maps;
mod pixels;
mod proposal;
mod rounds;
mod status;
mod worker;

pub use encoder::{EncoderMaps, EncoderWeights};
pub use features::working_size;
pub use fit::{FAST_STEPS, THOROUGH_STEPS, fit};
pub use folds::{Disagreement, disagreement};
pub use gallery::Gallery;
pub use head::Head;
pub use maps::{Level, Maps};
pub use pixels::{Pixels, Pool, pixels_of_image, working_labels};
pub use proposal::{Proposal, propose};
pub use status::{LearnerState, LearnerStatus, ReviewState, ReviewStatus};
pub use worker::Learner;
