//! TIFF files as they are found: scans, microscope and satellite pictures, in strips or tiles, channels interleaved or in
//! planes, 1 to 64 bits a value.
//!
//! The directory's tags are read by the crate `tiff`; the chunks are expanded here, because all samples are wanted, in
//! rows that need not fit into memory, and with the colours that the file means.

mod chunk;
mod codec;
mod colour;
mod file;
mod header;
mod pages;
mod predictor;
mod unpack;

pub(crate) use file::Plain;
pub use file::TiffFile;
pub(crate) use header::is_tiff;
