//! Random changes of training samples: geometry, colour, damage, mixing.
//!
//! A sample's changes are drawn first (`change.rs`), from a stream keyed by (seed, epoch, sample), and applied
//! then. Flips, crops and zoom alone are one window of the source, resized with antialiasing, and no pixel outside the
//! image is ever needed. As soon as rotation, scale, shear, perspective or elastic deformation is asked for, all geometry
//! is composed into one map from output to source pixels, and image (bilinear) and mask (nearest) are sampled once, at the
//! same places; see `warp.rs`.

mod appearance;
pub(crate) mod change;
mod colour;
mod geometry;
pub(crate) mod mix;
mod presets;
mod sampling;
pub(crate) mod settings;
pub(crate) mod warp;
