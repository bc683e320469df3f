//! Soft edges: alpha fitted to the photograph, and the colours of the foreground alone.

mod closed_form;
mod filter;
mod foreground;
mod frame;
mod guided;
mod plane;

pub(crate) use closed_form::{BYTES_OF_AN_UNKNOWN, closed_form, unknown};
pub(crate) use filter::blur;
pub(crate) use foreground::foreground;
pub(crate) use frame::Frame;
pub(crate) use guided::refine;
pub(crate) use plane::Plane;
