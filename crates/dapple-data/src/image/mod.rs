//! Images: decoding, encoding, resizing, and the values that a network takes of them.

pub(crate) mod animation;
pub(crate) mod contained;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod input;
pub(crate) mod orientation;
pub(crate) mod raster;
pub(crate) mod reading;
pub(crate) mod resize;
pub(crate) mod stored;
pub(crate) mod tiff;
